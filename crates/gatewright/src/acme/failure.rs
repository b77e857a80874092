//! Why there is no certificate, and what to do about it.

use instant_acme::{Error, Problem};
use model::{AcmeDoc, acme::AcmeChallenge};

const KIND: &str = "urn:ietf:params:acme:error:";
/// Most that is kept of what an authority says.
const LONGEST: usize = 1_000;

/// Why an order came to nothing.
pub(super) enum Refused {
    /// Another node works on it, or something else is wanted by now.
    Elsewhere,
    Failed(Failure),
}

/// What went wrong.
pub(super) struct Failure {
    pub problem: String,
    /// The authority does not know the account.
    pub forget_account: bool,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Failure {
    pub fn new(problem: String) -> Self {
        Self { problem: problem.chars().take(LONGEST).collect(), forget_account: false }
    }

    /// What the authority, or the way to it, has said.
    pub fn of(doc: &AcmeDoc, error: &Error) -> Self {
        let Error::Api(problem) = error else {
            let said = match error {
                Error::Json(_) => {
                    format!("{} is no directory of an ACME authority: {error}", doc.directory_url)
                }
                Error::Timeout(_) => "the authority took too long".to_owned(),
                other => format!("the authority could not be asked: {other}"),
            };
            return Self::new(said);
        };
        let kind = kind_of(problem);
        let forget_account = kind == "accountDoesNotExist";
        Self {
            forget_account,
            ..Self::new(format!("the authority refused: {}{}", said(problem), help(kind)))
        }
    }

    /// Why a name was not validated.
    pub fn of_name(doc: &AcmeDoc, name: &str, problem: &Problem) -> Self {
        let problem = said(problem);
        Self::new(match doc.challenge {
            AcmeChallenge::Http01 => format!(
                "{name}: {problem}; the authority looks at http://{name}/.well-known/acme-challenge/ on port 80, which has to \
                 lead to a listener of the gateway without TLS"
            ),
            AcmeChallenge::TlsAlpn01 => format!(
                "{name}: {problem}; the authority connects to {name} on port 443, which has to lead to a listener of the \
                 gateway with TLS that does without certificates of clients"
            ),
        })
    }
}

fn kind_of(problem: &Problem) -> &str {
    problem.r#type.as_deref().unwrap_or_default().trim_start_matches(KIND)
}

/// What the authority says, with what it says of each name.
fn said(problem: &Problem) -> String {
    let mut said = problem.detail.clone().unwrap_or_else(|| "it does not say why".to_owned());
    let kind = kind_of(problem);
    if !kind.is_empty() {
        said += &format!(" ({kind})");
    }
    for one in &problem.subproblems {
        said += &format!("; {one}");
    }
    said
}

fn help(kind: &str) -> &'static str {
    match kind {
        "externalAccountRequired" => "; write the key that it gives you into acme.externalAccount",
        "rejectedIdentifier" | "caa" => "; it issues nothing for one of acme.names",
        "invalidContact" | "unsupportedContact" => "; see acme.contact",
        "userActionRequired" => "; somebody has to agree to its new terms of service",
        "accountDoesNotExist" => "; another account is made with the next attempt",
        _ => "",
    }
}
