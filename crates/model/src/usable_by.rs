//! Patterns that say what may be referred to, and by whom: of secrets, keystores, files and variables of the environment.

/// Whether a pattern means this. A `*` at the end stands for any rest, but not for a way out of a folder.
pub fn fits(pattern: &str, reference: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => reference.starts_with(prefix) && !reference.split('/').any(|part| part == ".."),
        None => pattern == reference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_or_a_beginning() {
        for (pattern, reference, expect) in [
            ("env:ORDERS_KEY", "env:ORDERS_KEY", true),
            ("env:ORDERS_KEY", "env:ORDERS_KEY2", false),
            ("env:ORDERS_*", "env:ORDERS_KEY2", true),
            ("env:ORDERS_*", "file:ORDERS_KEY2", false),
            ("file:/run/secrets/*", "file:/run/secrets/a/b", true),
            ("file:/run/secrets/*", "file:/run/secrets/../../etc/shadow", false),
            ("file:/run/secrets/*", "file:/etc/shadow", false),
            ("api:Orders:*", "api:Orders:2.0", true),
            ("api:Orders:*", "api:OrdersX:2.0", false),
        ] {
            assert_eq!(fits(pattern, reference), expect, "{pattern} {reference}");
        }
    }
}
