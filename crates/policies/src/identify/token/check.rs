//! A token against the servers that may have issued it, with what is known here.

use std::{fmt::Write, sync::Arc};

use engine::{
    Reason, Timestamp,
    authorization_server::{AuthorizationServer, TokenFacts, TokenUse},
};
use jose::{Compact, Refusal, TokenForm, Why, form_of};

use super::{cache::Known, local, reasons};
use crate::identify::identifier::Finding;

/// What comes of it.
pub(super) enum Local {
    Accepted {
        known: Known,
        /// Why other servers refused it.
        others: String,
    },
    Refused {
        refusals: Refusals,
        /// Servers whose keys may be others by now, with the version of those that were looked at.
        waiting: Vec<(Arc<AuthorizationServer>, u64)>,
        /// Servers that can be asked.
        asking: Vec<Arc<AuthorizationServer>>,
    },
}

impl Local {
    /// The finding where nobody can be asked.
    pub fn without_asking(self) -> Finding {
        match self {
            // It would have been confirmed by its server.
            Self::Accepted { .. } => Finding::Failed(&reasons::UNAVAILABLE),
            Self::Refused { refusals, asking, .. } if refusals.list.is_empty() && !asking.is_empty() => {
                Finding::Failed(&reasons::UNAVAILABLE)
            }
            Self::Refused { refusals, .. } => refusals.finding(),
        }
    }
}

/// Why servers refuse a token, in the order that they were tried.
#[derive(Default)]
pub(super) struct Refusals {
    list: Vec<(&'static Reason, String)>,
}

impl Refusals {
    pub fn add(&mut self, server: &AuthorizationServer, reason: &'static Reason, detail: &str) {
        self.list.push((reason, format!("{}: {detail}", server.name)));
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        for (index, (_, detail)) in self.list.iter().enumerate() {
            let _ = write!(text, "{}{detail}", if index > 0 { "; " } else { "" });
        }
        text
    }

    /// The refusal of the server that the token comes closest to: one that knows its issuer, if there is one.
    pub fn finding(&self) -> Finding {
        let closest = self.list.iter().find(|(reason, _)| !std::ptr::eq(*reason, &reasons::ISSUER));
        let (reason, _) = closest.or(self.list.first()).map_or((&reasons::ISSUER, ""), |(r, d)| (*r, d));
        if std::ptr::eq(reason, &reasons::UNAVAILABLE) {
            return Finding::Failed(&reasons::UNAVAILABLE);
        }
        Finding::wrong(reason, self.text())
    }
}

/// Verifies a token with the keys that are known.
pub(super) fn local(
    servers: &[Arc<AuthorizationServer>],
    token: &str,
    used_as: TokenUse,
    now: Timestamp,
) -> Local {
    let mut refusals = Refusals::default();
    let mut asking = Vec::new();
    let mut waiting = Vec::new();
    let opened;
    let token = match form_of(token) {
        TokenForm::Signed => token,
        TokenForm::Encrypted => match open(servers, token, &mut refusals) {
            Some(inner) => {
                opened = inner;
                &opened
            }
            None => return Local::Refused { refusals, waiting, asking },
        },
        TokenForm::Opaque => {
            if let Some(known) = local::opaque(servers, token, now, &mut refusals, &mut waiting) {
                return Local::Accepted { known, others: refusals.text() };
            }
            asking.extend(servers.iter().filter(|server| server.introspection.is_some()).cloned());
            if asking.is_empty() && refusals.list.is_empty() {
                let detail = "it is no JSON Web Token, and no server can be asked about it".to_owned();
                refusals.list.push((&reasons::MALFORMED, detail));
            }
            return Local::Refused { refusals, waiting, asking };
        }
    };
    let parsed = Compact::parse(token).and_then(|compact| Ok((compact.claims()?, compact)));
    let (claims, compact) = match parsed {
        Ok(parsed) => parsed,
        Err(refusal) => {
            refusals.list.push((reasons::of(refusal.why), refusal.detail.into_owned()));
            return Local::Refused { refusals, waiting, asking };
        }
    };
    for server in servers {
        let published = server.keys.published();
        let issuer = server.issuer(published.as_deref());
        let said = claims.get("iss").and_then(serde_json::Value::as_str);
        if issuer.is_some() && issuer != said {
            let said = said.map_or("none".to_owned(), |said| format!("`{}`", jose::shown(said)));
            refusals.add(server, &reasons::ISSUER, &format!("it is of another issuer, {said}"));
            continue;
        }
        if !server.has_keys() {
            asking.push(Arc::clone(server));
            continue;
        }
        let Some(published) = published else {
            refusals.add(server, &reasons::UNAVAILABLE, "its keys could not be fetched yet");
            waiting.push((Arc::clone(server), 0));
            continue;
        };
        match server.verify(&compact, &claims, used_as, &published, now) {
            Ok(lifetime) => {
                let facts = TokenFacts::of(Arc::clone(&server.name), claims, &server.claims);
                let mut known = Known::verified(server, published.version, lifetime.until, facts);
                if let Err(reason) = local::watch(&mut known, token) {
                    refusals.add(server, reason, "it is revoked");
                    return Local::Refused { refusals, waiting, asking };
                }
                return Local::Accepted { known, others: refusals.text() };
            }
            Err(Refusal { why, detail }) => {
                if why == Why::UnknownKey {
                    waiting.push((Arc::clone(server), published.version));
                }
                refusals.add(server, reasons::of(why), &detail);
            }
        }
    }
    Local::Refused { refusals, waiting, asking }
}

/// What is inside an encrypted token: a signed one.
fn open(servers: &[Arc<AuthorizationServer>], token: &str, refusals: &mut Refusals) -> Option<String> {
    for server in servers {
        if server.decryption.is_empty() {
            refusals.add(server, &reasons::ALGORITHM, "it is encrypted, and there is no key for that");
            continue;
        }
        match server.decryption.open(token) {
            // Whoever has the public key can encrypt: it proves nothing, and one layer is enough.
            Ok(inner) if form_of(&inner) == TokenForm::Signed => return Some(inner),
            Ok(_) => refusals.add(server, &reasons::ALGORITHM, "what is encrypted in it is not signed"),
            Err(Refusal { why, detail }) => refusals.add(server, reasons::of(why), &detail),
        }
    }
    None
}
