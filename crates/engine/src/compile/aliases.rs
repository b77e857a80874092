//! Aliases: checked once, and then in the language of every text. Which other name comes first is left to the language.

use model::{AliasDoc, Diagnostic, Diagnostics};

use crate::language::LanguageCx;

/// Longest value. What is longer is a document and not a value.
const LONGEST: usize = 64 << 10;

pub(super) fn check(docs: &[AliasDoc], problems: &mut Diagnostics) {
    for (index, doc) in docs.iter().enumerate() {
        let path = format!("aliases[{index}]");
        if let Err(problem) = LanguageCx::check_alias(&doc.name) {
            problems.push(problem.under(&format!("{path}.name")));
        } else if docs[..index].iter().any(|other| other.name == doc.name) {
            problems.push(Diagnostic::error(
                format!("{path}.name"),
                format!("found `{}` a second time, expected a name of its own", doc.name),
            ));
        }
        if doc.value.len() > LONGEST {
            problems.push(Diagnostic::error(
                format!("{path}.value"),
                format!("found {} bytes, expected at most {LONGEST}", doc.value.len()),
            ));
        }
        if doc.value.contains("${") {
            problems.push(
                Diagnostic::warning(format!("{path}.value"), "found `${`, which is taken as it is")
                    .help("write the variable where the alias is used, such as ${base}/${request.path}"),
            );
        }
    }
}

/// The language with all aliases in it.
pub(super) fn language(docs: &[AliasDoc]) -> LanguageCx {
    let mut cx = LanguageCx::default();
    for doc in docs {
        cx.alias(doc.name.as_str(), doc.value.as_str());
    }
    cx
}
