//! What a token is bound to: whoever shows the token proves to have that, too.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use store::assets::OauthToken;

/// A key, or a certificate, by its thumbprint in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// RFC 9449: proved by a signature over each request.
    Key(Arc<str>),
    /// RFC 8705: proved in the TLS handshake.
    Certificate(Arc<str>),
}

impl Binding {
    /// As the claim `cnf` says it, and what is kept of a token.
    fn member(&self) -> (&'static str, &str) {
        match self {
            Self::Key(thumbprint) => ("jkt", thumbprint),
            Self::Certificate(thumbprint) => ("x5t#S256", thumbprint),
        }
    }

    /// The claim `cnf`.
    pub fn claim(&self) -> Value {
        let (name, thumbprint) = self.member();
        json!({ name: thumbprint })
    }

    /// Writes it into what is kept of a token.
    pub(crate) fn write(binding: Option<&Self>, document: &mut Map<String, Value>) {
        if let Some((name, thumbprint)) = binding.map(Self::member) {
            document.insert(name.to_owned(), thumbprint.into());
        }
    }

    pub(crate) fn of(token: &OauthToken) -> Option<Self> {
        let key = || token.document_key().map(|thumbprint| Self::Key(thumbprint.into()));
        let certificate =
            || token.document_certificate().map(|thumbprint| Self::Certificate(thumbprint.into()));
        key().or_else(certificate)
    }

    /// What a client is told of the kind of its token.
    pub(crate) fn token_type(binding: Option<&Self>) -> &'static str {
        match binding {
            Some(Self::Key(_)) => "DPoP",
            Some(Self::Certificate(_)) | None => "Bearer",
        }
    }
}
