//! Dictionaries of structured fields (RFC 8941), as far as signatures need them: inner lists of texts, byte sequences,
//! and their parameters. What is read can be written again in the one form that the RFC gives it, which is what is signed.

use std::fmt::Write;

use base64ct::{Base64, Encoding};

/// Longest header that is looked at.
const LONGEST: usize = 16 << 10;
/// Members, items of a list, and parameters.
const MOST: usize = 64;

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Text(String),
    Token(String),
    Bytes(Vec<u8>),
    Boolean(bool),
    List(Vec<(Value, Parameters)>),
}

pub(super) type Parameters = Vec<(String, Value)>;

/// A member of a dictionary.
#[derive(Debug, PartialEq)]
pub(super) struct Member {
    pub value: Value,
    pub parameters: Parameters,
}

/// The members, each once; `None` when it is no dictionary, or beyond the limits.
pub(super) fn dictionary(text: &str) -> Option<Vec<(String, Member)>> {
    if text.len() > LONGEST || !text.is_ascii() {
        return None;
    }
    let mut reader = Reader(text.trim_matches(' '));
    let mut members: Vec<(String, Member)> = Vec::new();
    loop {
        let key = reader.key()?;
        // RFC 8941 takes the last one of a name; whoever reads the first one sees another signature.
        if members.len() == MOST || members.iter().any(|(known, _)| *known == key) {
            return None;
        }
        let value = if reader.take('=') { reader.value()? } else { Value::Boolean(true) };
        members.push((key, Member { value, parameters: reader.parameters()? }));
        reader.skip([' ', '\t']);
        if reader.0.is_empty() {
            return Some(members);
        }
        if !reader.take(',') {
            return None;
        }
        reader.skip([' ', '\t']);
    }
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn take(&mut self, c: char) -> bool {
        let rest = self.0.strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn skip<const N: usize>(&mut self, characters: [char; N]) {
        self.0 = self.0.trim_start_matches(characters);
    }

    /// The longest beginning of such bytes.
    fn run(&mut self, is_part: impl Fn(u8) -> bool) -> &str {
        let end = self.0.bytes().position(|b| !is_part(b)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    fn key(&mut self) -> Option<String> {
        let first = *self.0.as_bytes().first()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        Some(self.run(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b)).to_owned())
    }

    fn value(&mut self) -> Option<Value> {
        if !self.take('(') {
            return self.item();
        }
        let mut items = Vec::new();
        loop {
            self.skip([' ']);
            if self.take(')') {
                return Some(Value::List(items));
            }
            if items.len() == MOST {
                return None;
            }
            let item = self.item()?;
            items.push((item, self.parameters()?));
            if !self.0.starts_with([' ', ')']) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<Parameters> {
        let mut parameters: Parameters = Vec::new();
        while self.take(';') {
            self.skip([' ']);
            let key = self.key()?;
            if parameters.len() == MOST || parameters.iter().any(|(known, _)| *known == key) {
                return None;
            }
            let value = if self.take('=') { self.item()? } else { Value::Boolean(true) };
            parameters.push((key, value));
        }
        Some(parameters)
    }

    fn item(&mut self) -> Option<Value> {
        match *self.0.as_bytes().first()? {
            b'"' => {
                self.take('"');
                let mut text = String::new();
                loop {
                    text.push_str(self.run(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\'));
                    if self.take('"') {
                        return Some(Value::Text(text));
                    }
                    if !self.take('\\') {
                        return None;
                    }
                    let escaped = ['"', '\\'].into_iter().find(|c| self.take(*c))?;
                    text.push(escaped);
                }
            }
            b':' => {
                self.take(':');
                let (encoded, rest) = self.0.split_once(':')?;
                self.0 = rest;
                Some(Value::Bytes(Base64::decode_vec(encoded).ok()?))
            }
            b'?' => {
                self.take('?');
                let value = if self.take('1') {
                    true
                } else if self.take('0') {
                    false
                } else {
                    return None;
                };
                Some(Value::Boolean(value))
            }
            b'-' | b'0'..=b'9' => {
                let negative = self.take('-');
                let digits = self.run(|b| b.is_ascii_digit());
                let number: i64 = digits.parse().ok().filter(|_| digits.len() <= 15)?;
                Some(Value::Integer(if negative { -number } else { number }))
            }
            b if b.is_ascii_alphabetic() || b == b'*' => {
                let run = self.run(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b));
                Some(Value::Token(run.to_owned()))
            }
            _ => None,
        }
    }
}

/// Writes a value as RFC 8941, 4.1 has it.
pub(super) fn write(value: &Value, into: &mut String) {
    match value {
        Value::Integer(number) => {
            let _ = write!(into, "{number}");
        }
        Value::Text(text) => {
            into.push('"');
            for c in text.chars() {
                if matches!(c, '"' | '\\') {
                    into.push('\\');
                }
                into.push(c);
            }
            into.push('"');
        }
        Value::Token(text) => into.push_str(text),
        Value::Bytes(bytes) => into.extend([":", &Base64::encode_string(bytes), ":"]),
        Value::Boolean(value) => into.push_str(if *value { "?1" } else { "?0" }),
        Value::List(items) => {
            into.push('(');
            for (place, (item, parameters)) in items.iter().enumerate() {
                if place > 0 {
                    into.push(' ');
                }
                write(item, into);
                write_parameters(parameters, into);
            }
            into.push(')');
        }
    }
}

pub(super) fn write_parameters(parameters: &Parameters, into: &mut String) {
    for (name, value) in parameters {
        into.extend([";", name]);
        if *value != Value::Boolean(true) {
            into.push('=');
            write(value, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_in_one_form() {
        for (text, expect) in [
            (r#"a=("x"  "y";sf ;b=1)"#, None),
            (r#"a=( "x"  "y";sf; b=1 );c"#, Some(r#"a=("x" "y";sf;b=1);c"#)),
            (
                r#"a="\"\\", b=:AQI=:, c=?0, d, e=-007;t=tok/en"#,
                Some(r#"a="\"\\", b=:AQI=:, c=?0, d=?1, e=-7;t=tok/en"#),
            ),
            ("a=()", Some("a=()")),
            ("a=1, a=2", None),
            ("a=1;b;b", None),
            ("a=1,", None),
            ("a=1 b=2", None),
            ("A=1", None),
            ("a=(\"x\"\"y\")", None),
            ("a=(1", None),
            ("a=\"x", None),
            ("a=\"\\x\"", None),
            ("a=\"ä\"", None),
            ("a=:AQ:", None),
            ("a=:AQ", None),
            ("a=?2", None),
            ("a=1234567890123456", None),
            ("a=1.5", None),
            ("a=-", None),
            ("", None),
        ] {
            let written = dictionary(text).map(|members| {
                let each = members.iter().map(|(name, member)| {
                    let mut text = format!("{name}=");
                    write(&member.value, &mut text);
                    write_parameters(&member.parameters, &mut text);
                    text
                });
                each.collect::<Vec<_>>().join(", ")
            });
            assert_eq!(written.as_deref(), expect, "{text}");
        }
        let long = |count: usize| format!("a=({})", "\"x\" ".repeat(count));
        assert!(dictionary(&long(MOST)).is_some());
        assert!(dictionary(&long(MOST + 1)).is_none());
        assert!(dictionary(&format!("a=\"{}\"", "x".repeat(LONGEST))).is_none());
    }
}
