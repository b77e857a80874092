//! Assertions of SAML 2.0 (RFC 7522, 2.1 and 3).

use std::{sync::Arc, time::Duration};

use model::{authorization_server::AssertionFormat, oauth_client::AuthorizationServerSettings};
use saml::{Assertion, Expected, Purpose, Refusal, TRANSIENT, Why};

use super::{Failed, Issuer, LookedAt, Refused, Said, of_client, of_subject, own_names};
use crate::secret;

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let (reason, help) = match refusal.why {
            Why::TooLarge | Why::Malformed | Why::Status => {
                ("assertion_malformed", "send a signed `Assertion` of SAML 2.0 in base64url")
            }
            Why::Unsigned | Why::Signature => {
                ("assertion_signature", "send it as its issuer has signed it, with a key that is known here")
            }
            Why::Encryption => ("assertion_encrypted", "have its issuer send it as it is"),
            Why::Issuer => ("assertion_issuer", "get one from a server that is trusted here"),
            Why::Audience => ("assertion_audience", "get one for this server from its issuer"),
            Why::Recipient => {
                ("assertion_recipient", "get one for the token endpoint of this server from its issuer")
            }
            Why::Expired => ("assertion_expired", "get a new one from its issuer"),
            Why::NotYetValid => ("assertion_not_yet_valid", "wait, or look at the clock of its issuer"),
        };
        Self::because(reason, &refusal.detail, help)
    }
}

pub(super) async fn read(
    text: &str,
    client: &str,
    issuers: &[Arc<dyn Issuer>],
    settings: &AuthorizationServerSettings,
    now: u64,
) -> Result<Said, Failed> {
    let named = saml::issuer_of(text).map_err(Refused::from)?;
    let of_client = of_client(issuers, &named, AssertionFormat::Saml2, client)?;
    let own = own_names(settings);
    let mut found = Err(Failed::NoKeys(String::new()));
    // Which entry it is for is known when it is known what it says.
    for issuer in &of_client {
        match verified(text, &named, issuer, &own, now).await {
            Ok(assertion) => match said(&assertion, issuer, now) {
                Ok(said) => return Ok(said),
                Err(refused) => found = Err(refused.into()),
            },
            Err(failed) => found = Err(failed),
        }
    }
    found
}

/// Reads it with the keys of its issuer.
async fn verified(
    text: &str,
    named: &str,
    issuer: &Arc<dyn Issuer>,
    own: &[String],
    now: u64,
) -> Result<Assertion, Failed> {
    let doc = issuer.doc();
    let audiences = if doc.audiences.is_empty() { own } else { &doc.audiences[..] };
    let mut read = None;
    let mut look = |keys: &jose::KeySet| {
        let expected = Expected {
            issuer: named,
            keys,
            audiences,
            recipients: own,
            purpose: Purpose::Grant,
            decryption: None,
            now,
            skew: issuer.skew().as_secs(),
        };
        let found = read.insert(saml::read_assertion(text, &expected));
        match found {
            Err(refusal) if refusal.why == Why::Signature => LookedAt::KeyMissing,
            _ => LookedAt::Decided,
        }
    };
    issuer.with_keys(&mut look).await;
    let read = read.ok_or_else(|| Failed::NoKeys(issuer.name().to_owned()))?;
    Ok(read.map_err(Refused::from)?)
}

/// What an assertion says that its issuer has signed.
fn said(assertion: &Assertion, issuer: &Arc<dyn Issuer>, now: u64) -> Result<Said, Refused> {
    let doc = issuer.doc();
    let issued = assertion.issued.ok_or_else(|| {
        Refused::from(Refusal { why: Why::Malformed, detail: "it has no `IssueInstant`".to_owned() })
    })?;
    let skew = issuer.skew();
    if Duration::from_secs(now.saturating_sub(issued)) > doc.max_age.get() + skew {
        let detail = format!("it was made {} seconds ago, which is too old", now - issued);
        return Err(Refusal { why: Why::Expired, detail }.into());
    }
    if issued > now + skew.as_secs() {
        let detail = format!("it is made in {} seconds", issued - now);
        return Err(Refusal { why: Why::NotYetValid, detail }.into());
    }
    let subject = assertion.name.as_ref().filter(|name| !name.value.is_empty()).ok_or_else(|| {
        Refused::because(
            "assertion_subject",
            "it is about nobody (`NameID`)",
            "its issuer has to say whom it means",
        )
    })?;
    of_subject(&[issuer], &subject.value, "`NameID`")?;
    let user = match &doc.user_claim {
        Some(attribute) => match assertion.values(attribute) {
            [only] => Some(only.clone()),
            _ => None,
        },
        // Such a name is a new one each time.
        None => Some(&subject.value).filter(|_| subject.format.as_deref() != Some(TRANSIENT)).cloned(),
    };
    let named = issuer.issuer().unwrap_or_default();
    let id = secret::hash(&format!("assertion\n{named}\nsaml {}", assertion.id));
    Ok(Said { issuer: Arc::clone(issuer), user, until: assertion.until, id })
}
