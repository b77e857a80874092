//! Documents: what there is to read about APIs in the developer portal.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use model::{ApiDocumentDoc, ConfigDoc, Diagnostic, Diagnostics};

use super::written;
use crate::{AssetDoc, Privilege};

/// Longest text, in bytes.
const LONGEST: usize = 512 << 10;
/// Largest file, in bytes.
const LARGEST: usize = 2 << 20;

impl AssetDoc for ApiDocumentDoc {
    const KIND: &'static str = "apiDocument";
    const LIST: &'static str = "apiDocuments";
    const PRIVILEGE: Privilege = Privilege::ManageApis;

    fn name(&self) -> Result<String, Diagnostics> {
        match (&self.markdown, &self.url, &self.file) {
            (Some(text), None, None) if text.len() > LONGEST => {
                Err(Diagnostic::error("markdown", "expected a text of at most 512 KiB").into())
            }
            (None, Some(url), None) if !is_link(url) => {
                let message = format!("found `{url}`, expected a URL with https: or http:");
                Err(Diagnostic::error("url", message).into())
            }
            (None, None, Some(file)) => check(file).map_err(|problem| problem.under("file").into()),
            (Some(_), None, None) | (None, Some(_), None) => Ok(()),
            _ => Err(Diagnostic::error("", "expected exactly one of `markdown`, `url` and `file`").into()),
        }
        .and_then(|()| written(&self.name))
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.api_documents.push((**doc).clone());
    }
}

/// Anything else could be a script.
fn is_link(url: &str) -> bool {
    let lower = url.to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")) && !url.contains(char::is_whitespace)
}

fn check(file: &model::portal::ApiDocumentFile) -> Result<(), Diagnostic> {
    let odd = |c: char| c.is_control() || ['/', '\\', '"'].contains(&c);
    if file.name.is_empty() || file.name.len() > 200 || file.name.contains(odd) {
        let message = format!("found `{}`, expected a name without a path", file.name.escape_debug());
        return Err(Diagnostic::error("name", message));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/.+-_; =".contains(c);
    if !file.media_type.contains('/') || !file.media_type.chars().all(plain) {
        let message = format!("found `{}`, expected a media type", file.media_type.escape_debug());
        return Err(Diagnostic::error("mediaType", message));
    }
    match Base64::decode_vec(&file.data) {
        Ok(bytes) if bytes.len() <= LARGEST => Ok(()),
        Ok(_) => Err(Diagnostic::error("data", "expected a file of at most 2 MiB")),
        Err(_) => Err(Diagnostic::error("data", "expected base64")),
    }
}
