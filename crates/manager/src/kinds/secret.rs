//! Secrets, which other assets refer to. Their values are kept apart from their documents.

use std::sync::Arc;

use model::{ClearText, ConfigDoc, Diagnostic, Diagnostics, SecretDoc};

use super::written;
use crate::{AssetDoc, Privilege};

/// Largest value, in bytes.
const LARGEST: usize = 64 << 10;

impl AssetDoc for SecretDoc {
    const KIND: &'static str = "secret";
    const LIST: &'static str = "secrets";
    const PRIVILEGE: Privilege = Privilege::ManageAliases;

    fn name(&self) -> Result<String, Diagnostics> {
        if let Some(value) = self.value.as_ref().map(ClearText::expose) {
            if value.is_empty() || value.len() > LARGEST {
                return Err(Diagnostic::error("value", "expected a text of 1 byte to 64 KiB").into());
            }
            if value.starts_with("${") && value.ends_with('}') {
                let problem = Diagnostic::error("value", "found a reference, expected the secret itself");
                return Err(problem
                    .help("`gatewright apply` reads ${env:NAME} and ${file:/path} where it runs")
                    .into());
            }
        }
        written(&self.name)
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.secrets.push((**doc).clone());
    }

    fn take_secret(&mut self) -> Option<ClearText> {
        self.value.take()
    }
}
