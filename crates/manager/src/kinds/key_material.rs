//! Keystores and truststores. What is in them is kept apart from their documents, encrypted; the node that serves them says
//! what is wrong with it.

use std::sync::Arc;

use model::{ClearText, ConfigDoc, Diagnostic, Diagnostics, KeystoreDoc, TruststoreDoc};

use super::written;
use crate::{AssetDoc, Privilege};

/// Largest content, in bytes.
const LARGEST: usize = 64 << 10;

fn named(name: &str, content: Option<&ClearText>, file: Option<&String>) -> Result<String, Diagnostics> {
    if let Some(content) = content.map(ClearText::expose) {
        if file.is_some() {
            return Err(Diagnostic::error("file", "found beside `content`, expected one of them").into());
        }
        if content.is_empty() || content.len() > LARGEST {
            return Err(Diagnostic::error("content", "expected a text of 1 byte to 64 KiB").into());
        }
    }
    written(name)
}

impl AssetDoc for KeystoreDoc {
    const KIND: &'static str = "keystore";
    const LIST: &'static str = "keystores";
    const PRIVILEGE: Privilege = Privilege::ManageSecurity;

    fn name(&self) -> Result<String, Diagnostics> {
        if let Some(acme) = &self.acme {
            if self.file.is_some() {
                return Err(Diagnostic::error("file", "found beside `acme`, expected one of them").into());
            }
            let under = |problem: Diagnostic| problem.under("acme");
            acme.check().map_err(|found| Diagnostics(found.0.into_iter().map(under).collect()))?;
        }
        named(&self.name, self.content.as_ref(), self.file.as_ref())
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.keystores.push((**doc).clone());
    }

    fn take_secret(&mut self) -> Option<ClearText> {
        self.content.take()
    }
}

impl AssetDoc for TruststoreDoc {
    const KIND: &'static str = "truststore";
    const LIST: &'static str = "truststores";
    const PRIVILEGE: Privilege = Privilege::ManageSecurity;

    fn name(&self) -> Result<String, Diagnostics> {
        named(&self.name, self.content.as_ref(), self.file.as_ref())
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.truststores.push((**doc).clone());
    }

    fn take_secret(&mut self) -> Option<ClearText> {
        self.content.take()
    }
}
