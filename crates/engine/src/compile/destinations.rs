//! Destinations, as far as policies name them. What each type needs is left to those who deliver.

use model::{DestinationDoc, Diagnostic, Diagnostics, diagnostic::nearest};

pub(super) fn check(docs: &[DestinationDoc], problems: &mut Diagnostics) {
    for (index, doc) in docs.iter().enumerate() {
        let path = format!("destinations[{index}].name");
        if doc.name().trim().is_empty() {
            problems.push(Diagnostic::error(path, "found an empty name, expected one that policies can use"));
        } else if docs[..index].iter().any(|other| other.name() == doc.name()) {
            let found = format!("found `{}` a second time, expected a name of its own", doc.name());
            problems.push(Diagnostic::error(path, found));
        }
    }
}

/// A destination by its name.
pub(super) fn find(name: &str, docs: &[DestinationDoc]) -> Result<(), Diagnostic> {
    if docs.iter().any(|doc| doc.name() == name) {
        return Ok(());
    }
    let problem = Diagnostic::error("", format!("found `{name}`, which is no destination"));
    Err(match nearest(name, docs.iter().map(DestinationDoc::name)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("name one of `destinations`, or none for the gateway's log"),
    })
}
