//! Names of kinds as people write them in a sentence.

/// `urlAlias` as `URL alias`.
pub(super) fn of(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_uppercase() {
            text.push(' ');
        }
        text.extend(character.to_lowercase());
    }
    let short = |word: &str| match word {
        "api" => "API".to_owned(),
        "apis" => "APIs".to_owned(),
        "url" => "URL".to_owned(),
        _ => word.to_owned(),
    };
    text.split(' ').map(short).collect::<Vec<_>>().join(" ")
}

/// The same with its article: `an API`.
pub(super) fn one(name: &str) -> String {
    let words = of(name);
    if words.ends_with("settings") {
        return words;
    }
    // `a URL`, `a user`, and `an upstream`.
    let is_vowel = words.starts_with(['a', 'e', 'i', 'o', 'A']) || words.starts_with("up");
    format!("{} {words}", if is_vowel { "an" } else { "a" })
}

/// The same at the beginning of a sentence.
pub(super) fn one_first(name: &str) -> String {
    let words = one(name);
    let mut characters = words.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_words_with_their_article() {
        for (name, expected) in [
            ("api", "an API"),
            ("apiDocument", "an API document"),
            ("urlAlias", "a URL alias"),
            ("upstream", "an upstream"),
            ("user", "a user"),
            ("authorizationServer", "an authorization server"),
            ("plan", "a plan"),
        ] {
            assert_eq!(one(name), expected);
        }
        assert_eq!(one_first("application"), "An application");
        assert_eq!((one("settings"), one_first("settings")), ("settings".to_owned(), "Settings".to_owned()));
        assert_eq!(of("urlAliases"), "URL aliases");
    }
}
