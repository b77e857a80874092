//! Placeholders of error messages: `$SERVICE` and the like, each short for a variable.

use std::borrow::Cow;

use model::Diagnostic;

use super::{LanguageCx, Template};

const PLACEHOLDERS: [(&str, &str); 9] = [
    ("ERROR_MESSAGE", "${error.message}"),
    ("SERVICE", "${apiName}"),
    ("OPERATION", "${operationName}"),
    ("TIME", "${time}"),
    ("DATE", "${date}"),
    ("CLIENT_IP", "${inboundIP}"),
    ("USER", "${user}"),
    ("CONSUMER_APPLICATION", "${request.application.name}"),
    ("NATIVE_PROVIDER_ERROR", "${error.native}"),
];

impl Template {
    /// Compiles the text of an error message, in which placeholders stand for variables, too.
    pub fn compile_message(text: &str, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        Self::compile(&without_placeholders(text), cx)
    }
}

fn without_placeholders(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        out.push_str(before);
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
        match PLACEHOLDERS.iter().find(|(name, _)| *name == &after[..end]) {
            Some((_, variable)) => {
                out.push_str(variable);
                rest = &after[end..];
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_whole_words_and_variables_stay() {
        for (text, expect) in [
            ("plain", "plain"),
            ("$USER: $ERROR_MESSAGE", "${user}: ${error.message}"),
            ("$USERNAME costs 5$ or $${x}", "$USERNAME costs 5$ or $${x}"),
            ("${user}$SERVICE-$OPERATION.", "${user}${apiName}-${operationName}."),
        ] {
            assert_eq!(without_placeholders(text), expect);
        }
    }

    #[test]
    fn every_placeholder_is_a_variable() {
        for (name, _) in PLACEHOLDERS {
            let message = Template::compile_message(&format!("${name}"), &mut LanguageCx::default());
            assert!(!message.unwrap().is_constant(), "{name}");
        }
    }
}
