//! Which assets somebody looks for. Every asset of a kind is asked, so that nothing is made to find out.

use serde_json::Value;

use crate::Held;

/// Which assets are wanted.
pub(super) struct Search<'a> {
    /// In lower case.
    words: Vec<String>,
    filters: Vec<(&'a str, &'a str)>,
}

impl<'a> Search<'a> {
    /// Words that all have to be somewhere, and values that keys of the document have to have.
    pub(super) fn new(words: Option<&str>, filter: Option<&'a str>) -> Result<Self, String> {
        Ok(Self {
            words: words.into_iter().flat_map(str::split_whitespace).map(str::to_lowercase).collect(),
            filters: filter.map(parse_filters).transpose()?.unwrap_or_default(),
        })
    }

    pub(super) fn finds(&self, held: &Held) -> bool {
        self.filters.iter().all(|(key, value)| has(&held.parsed.document, key, value))
            && self
                .words
                .iter()
                .all(|word| says(&held.parsed.name, word) || is_in(&held.parsed.document, word))
    }
}

fn parse_filters(text: &str) -> Result<Vec<(&str, &str)>, String> {
    text.split(',')
        .map(|part| part.split_once('=').ok_or_else(|| format!("found filter `{part}`, expected key=value")))
        .collect()
}

/// Whether the value at a path of keys is this text, or a list that has it.
fn has(document: &Value, path: &str, wanted: &str) -> bool {
    let is = |value: &Value| match value {
        Value::String(text) => text == wanted,
        Value::Bool(value) => wanted.parse() == Ok(*value),
        Value::Number(number) => wanted.parse::<serde_json::Number>().is_ok_and(|wanted| wanted == *number),
        Value::Null | Value::Object(_) | Value::Array(_) => false,
    };
    match path.split('.').try_fold(document, |value, key| value.get(key)) {
        Some(Value::Array(list)) => list.iter().any(is),
        Some(value) => is(value),
        None => false,
    }
}

/// Whether a key or a value of a document has a word in it.
fn is_in(value: &Value, word: &str) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => says(if *value { "true" } else { "false" }, word),
        // No number has anything else in it.
        Value::Number(number) => {
            word.bytes().all(|b| b.is_ascii_digit() || b"+-.e".contains(&b))
                && number.to_string().contains(word)
        }
        Value::String(text) => says(text, word),
        Value::Array(list) => list.iter().any(|value| is_in(value, word)),
        Value::Object(object) => object.iter().any(|(key, value)| says(key, word) || is_in(value, word)),
    }
}

/// Whether a text has a word in it, which is in lower case.
fn says(text: &str, word: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(word);
    }
    let Some(first) = word.bytes().next() else { return true };
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let Some(most) = text.len().checked_sub(word.len()) else { return false };
    (0..=most).any(|at| {
        text[at].to_ascii_lowercase() == first && text[at..at + word.len()].eq_ignore_ascii_case(word)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_found_in_keys_and_values_whatever_the_case() {
        let document = json!({
            "name": "Orders",
            "description": "Alles über Bestellungen",
            "tags": ["Public-Facing"],
            "policies": [{ "type": "rateLimit", "config": { "limit": 1250, "perClient": true } }],
        });
        for word in ["orders", "über", "bestell", "public-facing", "ratelimit", "perclient", "125", "true"] {
            assert!(is_in(&document, word), "{word}");
        }
        for word in ["order1", "uber", "\":", "1251", "false", "ordersalles"] {
            assert!(!is_in(&document, word), "{word}");
        }
        assert!(says("ÜBER", "über") && says("", "") && !says("", "a") && says("aab", "ab"));
    }
}
