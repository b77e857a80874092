//! Requests for a login, as an address that a browser is sent to (SAML 2.0 Core, 3.4.1; Bindings, 3.4).

use std::io::Write;

use base64ct::{Base64, Encoding};
use flate2::{Compression, write::DeflateEncoder};
use jose::SigningKey;

use crate::{escape, signature, xml};

/// A request for a login.
#[derive(Debug, Clone, Copy)]
pub struct AuthnRequest<'r> {
    /// What the answer has to name.
    pub id: &'r str,
    /// Entity id of who asks.
    pub issuer: &'r str,
    /// Where the provider takes requests.
    pub destination: &'r str,
    /// Where the answer has to go.
    pub answer_to: &'r str,
    /// What comes back with the answer, as it is (at most 80 bytes).
    pub relay_state: Option<&'r str>,
    /// Seconds since 1970.
    pub now: u64,
}

impl AuthnRequest<'_> {
    /// The address to send a browser to. `None` where nothing can be signed with the key.
    pub fn address(&self, key: Option<&SigningKey>) -> Option<String> {
        let [id, issuer, destination, answer_to] =
            [self.id, self.issuer, self.destination, self.answer_to].map(escape);
        let text = format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{}\" xmlns:saml=\"{}\" ID=\"{id}\" Version=\"2.0\" IssueInstant=\"{}\" \
             Destination=\"{destination}\" AssertionConsumerServiceURL=\"{answer_to}\" \
             ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"><saml:Issuer>{issuer}</saml:Issuer>\
             </samlp:AuthnRequest>",
            xml::PROTOCOL,
            xml::ASSERTION,
            xml::written_time(self.now)?,
        );
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
        deflated.write_all(text.as_bytes()).ok()?;
        let message = Base64::encode_string(&deflated.finish().ok()?);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("SAMLRequest", &message);
        if let Some(state) = self.relay_state {
            query.append_pair("RelayState", state);
        }
        if let Some(key) = key {
            query.append_pair("SigAlg", signature::name_of(key.algorithm())?);
        }
        let mut query = query.finish();
        if let Some(key) = key {
            // What is signed is the query as it is sent (Bindings, 3.4.4.1).
            let signature = Base64::encode_string(&key.sign_message(query.as_bytes())?);
            let signature = form_urlencoded::byte_serialize(signature.as_bytes()).collect::<String>();
            query = format!("{query}&Signature={signature}");
        }
        let joined = if self.destination.contains('?') { '&' } else { '?' };
        Some(format!("{}{joined}{query}", self.destination))
    }
}
