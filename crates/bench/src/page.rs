//! Tables in pages of the documentation, between two marks.

use std::{fs, path::Path};

const END: &str = "<!-- end -->";

/// Replaces what is between `begin` and the end after it.
pub fn put(page: &Path, begin: &str, table: &str) -> Result<(), String> {
    let text = fs::read_to_string(page).map_err(|error| format!("{}: {error}", page.display()))?;
    let text = between(&text, begin, table)
        .ok_or_else(|| format!("{}: expected `{}` and after it `{END}`", page.display(), begin.trim_end()))?;
    fs::write(page, text).map_err(|error| format!("{}: {error}", page.display()))
}

fn between(text: &str, begin: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, begin, "\n", table, "\n", END, after].concat())
}

#[cfg(test)]
mod tests {
    use super::{END, between};

    #[test]
    fn a_page_keeps_what_is_around_the_table() {
        let begin = "<!-- a table -->\n";
        let page = format!("a\n{begin}old\n{END}\nb\n");
        let expected = format!("a\n{begin}\n| t |\n\n{END}\nb\n");
        assert_eq!(between(&page, begin, "| t |\n"), Some(expected));
        assert_eq!(between("a\nb\n", begin, ""), None);
    }
}
