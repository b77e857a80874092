//! Users of an identity provider elsewhere log in at the manager, by SAML 2.0. What messages mean is in the crate `saml`; here is
//! where metadata and keys come from, and who an assertion says that somebody is.

use std::{fs, io, slice, sync::Arc, time::Duration};

use engine::{Clock, Timestamp};
use http::Uri;
use jose::{Algorithm, KeySet, SigningKey};
use manager::{LoginFailure, LoginStep, LoginUser, SamlLogin, SamlProvider};
use model::{
    Diagnostic,
    saml::{SamlIdentityProvider, SamlProviderSettings},
    settings::ManagerSettings,
};
use rustls::ClientConfig;
use saml::{
    Assertion, AuthnRequest, DecryptionKey, Expected, IdentityProvider, Purpose, ServiceProvider, Signer,
    TRANSIENT, Why,
};
use tokio::sync::Mutex;

use crate::{client, open_id_connect::public_url};

/// Largest metadata.
const LARGEST: usize = 1 << 20;
/// How long metadata are believed before they are read again.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// How soon they are read again because of a key that is not in them.
const AGAIN: Duration = Duration::from_secs(30);
/// How far clocks may differ, in seconds.
const SKEW: u64 = 60;
/// What requests are signed with, by the key that there is.
const SIGNING: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512];

/// Where an identity provider is known from.
enum Source {
    Url(Uri),
    File(String),
    Here,
}

struct Known {
    provider: IdentityProvider,
    read: Timestamp,
}

/// A provider, as the settings say.
struct Provider {
    settings: SamlProviderSettings,
    source: Source,
    /// What the gateway is called.
    entity_id: String,
    /// Where responses go.
    answer_to: String,
    certificate: Option<String>,
    signing: Option<SigningKey>,
    decryption: Option<DecryptionKey>,
    tls: Arc<ClientConfig>,
    clock: Clock,
    known: Mutex<Option<Arc<Known>>>,
}

/// Checks all providers of the settings; nothing is sent yet.
pub(crate) fn providers(
    settings: &ManagerSettings,
    clock: &Clock,
) -> Result<Vec<Box<dyn SamlProvider>>, Diagnostic> {
    let mut made: Vec<Box<dyn SamlProvider>> = Vec::new();
    for (index, provider) in settings.saml.iter().enumerate() {
        let under = |problem: Diagnostic| problem.under(&format!("settings.manager.saml[{index}]"));
        let name = &provider.name;
        let others = settings.saml[..index].iter().map(|other| &other.name);
        if others.chain(settings.open_id_connect.iter().map(|other| &other.name)).any(|other| other == name) {
            let message = format!("found `{name}` twice, expected a name of its own");
            return Err(under(Diagnostic::error("name", message)));
        }
        made.push(Box::new(Provider::new(provider.clone(), clock.clone()).map_err(under)?));
    }
    Ok(made)
}

fn read_file(key: &str, file: &str) -> Result<String, Diagnostic> {
    fs::read_to_string(file)
        .map_err(|error| Diagnostic::error(key, format!("{file} cannot be read: {error}")))
}

impl Provider {
    fn new(settings: SamlProviderSettings, clock: Clock) -> Result<Self, Diagnostic> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if settings.name.is_empty() || !settings.name.bytes().all(is_plain) {
            let message = format!("found `{}`, expected letters, digits, `_` and `-`", settings.name);
            return Err(Diagnostic::error("name", message));
        }
        public_url(&settings.public_url).map_err(|problem| problem.under("publicUrl"))?;
        if settings.groups.is_empty() && !settings.others_use_portal {
            let problem = Diagnostic::error("groups", "missing, so that nobody would be let in");
            return Err(problem.help("say what groups become, or set `othersUsePortal`"));
        }
        let below =
            format!("{}/api/v1/login/saml/{}", settings.public_url.trim_end_matches('/'), settings.name);
        let (source, known) =
            source(&settings.identity_provider).map_err(|problem| problem.under("identityProvider"))?;
        let tls = match &settings.ca_file {
            Some(file) => client::trusting(file.as_ref()),
            None => client::tls_config(),
        };
        let tls = tls.map_err(|error| Diagnostic::error("caFile", error.to_string()))?;
        let key = settings.key_file.as_deref().map(|file| read_file("keyFile", file)).transpose()?;
        let signing = key.as_deref().and_then(|key| SIGNING.iter().find_map(|a| SigningKey::of_pem(*a, key)));
        if key.is_some() && signing.is_none() {
            let problem = "expected a private key as PEM (PKCS#8), RSA, P-256, P-384 or P-521";
            return Err(Diagnostic::error("keyFile", problem));
        }
        let certificate = settings.certificate_file.as_deref();
        let certificate = certificate.map(|file| read_file("certificateFile", file)).transpose()?;
        if certificate.is_some() != key.is_some() {
            let missing = if key.is_some() { "certificateFile" } else { "keyFile" };
            return Err(Diagnostic::error(missing, "missing: a key and its certificate belong together"));
        }
        if let Some(certificate) = &certificate {
            KeySet::of_pem(certificate.as_bytes())
                .map_err(|problem| Diagnostic::error("certificateFile", problem))?;
        }
        let wants = known.as_ref().is_some_and(|known| known.wants_signed_requests);
        if signing.is_none() && (settings.sign_requests || wants) {
            let problem = Diagnostic::error("keyFile", "missing, and requests have to be signed");
            return Err(problem.help("write `keyFile` and `certificateFile`"));
        }
        let known = known.map(|provider| Arc::new(Known { provider, read: clock.now() }));
        Ok(Self {
            source,
            entity_id: settings.entity_id.clone().unwrap_or_else(|| format!("{below}/metadata")),
            answer_to: format!("{below}/acs"),
            certificate,
            signing,
            decryption: key.as_deref().and_then(DecryptionKey::of_pem),
            tls,
            clock,
            known: Mutex::new(known),
            settings,
        })
    }

    /// The identity provider, read again from time to time, or when its keys may be others by now. While it cannot be read,
    /// what is known goes on counting.
    async fn known(&self, longest: Duration) -> Result<Arc<Known>, LoginFailure> {
        let mut kept = self.known.lock().await;
        let now = self.clock.now();
        let is_here = matches!(self.source, Source::Here);
        let fresh = kept.as_ref().filter(|known| is_here || now.since(known.read) < longest);
        let known = match fresh {
            Some(known) => Arc::clone(known),
            None => match (self.read().await, kept.as_ref()) {
                (Ok(provider), _) => Arc::clone(kept.insert(Arc::new(Known { provider, read: now }))),
                (Err(error), Some(known)) => {
                    tracing::warn!(provider = %self.settings.name, %error, "the metadata of a provider of logins cannot be read");
                    Arc::clone(known)
                }
                (Err(error), None) => return Err(away(error.to_string())),
            },
        };
        match known.provider.signer.valid_until.filter(|until| *until <= now.seconds()) {
            Some(_) => Err(away("its metadata have expired (`validUntil`)")),
            None => Ok(known),
        }
    }

    async fn read(&self) -> io::Result<IdentityProvider> {
        let text = match &self.source {
            Source::Url(url) => client::get(url, Some(Arc::clone(&self.tls)), None, LARGEST).await?.to_vec(),
            Source::File(file) => fs::read(file)?,
            Source::Here => return Err(io::Error::other("its metadata are in the settings")),
        };
        let text = String::from_utf8(text).map_err(|_| io::Error::other("its metadata are no UTF-8"))?;
        let entity_id = self.settings.identity_provider.entity_id.as_deref();
        let read = IdentityProvider::read(&text, entity_id);
        read.map_err(|problem| io::Error::other(format!("its metadata: {problem}")))
    }

    fn read_response(&self, known: &Known, response: &str) -> Result<Assertion, saml::Refusal> {
        let expected = Expected {
            issuer: &known.provider.signer.entity_id,
            keys: &known.provider.signer.keys,
            audiences: slice::from_ref(&self.entity_id),
            recipients: slice::from_ref(&self.answer_to),
            purpose: Purpose::Login,
            decryption: self.decryption.as_ref(),
            now: self.clock.now().seconds(),
            skew: SKEW,
        };
        saml::read_response(response, &expected)
    }

    fn user(&self, assertion: &Assertion) -> Result<LoginUser, LoginFailure> {
        let unusable = |detail: String| LoginFailure::new("login_user_unusable", detail);
        let name = match &self.settings.user_attribute {
            Some(attribute) => match assertion.values(attribute) {
                [only] => only.clone(),
                _ => {
                    let detail =
                        format!("the assertion has not one text `{attribute}`, which `userAttribute` names");
                    return Err(unusable(detail));
                }
            },
            None => {
                let name = assertion.name.as_ref().filter(|name| name.format.as_deref() != Some(TRANSIENT));
                let problem =
                    "`NameID` is missing, encrypted or made anew for each login; write `userAttribute`";
                name.ok_or_else(|| unusable(problem.to_owned()))?.value.clone()
            }
        };
        Ok(LoginUser { name, groups: assertion.values(&self.settings.groups_attribute).to_vec() })
    }
}

/// Where an identity provider is known from, and the provider where that is here.
fn source(settings: &SamlIdentityProvider) -> Result<(Source, Option<IdentityProvider>), Diagnostic> {
    let SamlIdentityProvider { metadata_url, metadata_file, metadata, entity_id, sso_url, certificate_file } =
        settings;
    let wrong = |key: &str, problem: String| Diagnostic::error(key, problem);
    match (metadata_url, metadata_file, metadata, sso_url, certificate_file) {
        (Some(url), None, None, None, None) => {
            public_url(url).map_err(|problem| problem.under("metadataUrl"))?;
            let parsed =
                url.parse().map_err(|_| wrong("metadataUrl", format!("found `{url}`, expected a URL")));
            Ok((Source::Url(parsed?), None))
        }
        (None, Some(file), None, None, None) => {
            let text = read_file("metadataFile", file)?;
            let read = IdentityProvider::read(&text, entity_id.as_deref());
            let read = read.map_err(|problem| wrong("metadataFile", problem))?;
            Ok((Source::File(file.clone()), Some(read)))
        }
        (None, None, Some(text), None, None) => {
            let read = IdentityProvider::read(text, entity_id.as_deref());
            Ok((Source::Here, Some(read.map_err(|problem| wrong("metadata", problem))?)))
        }
        (None, None, None, Some(sso_url), Some(file)) => {
            let entity_id = entity_id.clone().ok_or_else(|| wrong("entityId", "missing".to_owned()))?;
            let keys = KeySet::of_pem(read_file("certificateFile", file)?.as_bytes());
            let keys = keys.map_err(|problem| wrong("certificateFile", problem))?;
            let provider = IdentityProvider {
                signer: Signer { entity_id, keys, valid_until: None },
                sso_url: sso_url.clone(),
                wants_signed_requests: false,
            };
            Ok((Source::Here, Some(provider)))
        }
        _ => {
            let problem = "expected one of `metadataUrl`, `metadataFile`, `metadata`, or `entityId`, `ssoUrl` and \
                           `certificateFile`";
            Err(wrong("", problem.to_owned()))
        }
    }
}

fn away(detail: impl Into<String>) -> LoginFailure {
    LoginFailure::new("login_provider_away", detail)
}

/// What the login page and the log are told.
fn failure(refusal: saml::Refusal) -> LoginFailure {
    let code = match refusal.why {
        Why::TooLarge => "login_response_too_large",
        Why::Malformed => "login_response_malformed",
        Why::Status => "login_refused",
        Why::Unsigned => "login_signature_missing",
        Why::Signature => "login_signature_invalid",
        Why::Encryption => "login_response_encrypted",
        Why::Issuer => "login_issuer_wrong",
        Why::Audience => "login_audience_wrong",
        Why::Recipient => "login_recipient_wrong",
        Why::Expired => "login_response_expired",
        Why::NotYetValid => "login_response_not_yet_valid",
    };
    LoginFailure::new(code, refusal.detail)
}

impl SamlProvider for Provider {
    fn settings(&self) -> &SamlProviderSettings {
        &self.settings
    }

    fn metadata(&self) -> String {
        let own = ServiceProvider {
            entity_id: &self.entity_id,
            answer_to: &self.answer_to,
            certificate: self.certificate.as_deref(),
            signs_requests: self.signing.is_some(),
            opens_assertions: self.decryption.is_some(),
        };
        own.metadata()
    }

    fn begin<'a>(&'a self, id: &'a str, relay_state: Option<&'a str>) -> LoginStep<'a, String> {
        Box::pin(async move {
            let known = self.known(KNOWN_FOR).await?;
            let signs = self.settings.sign_requests || known.provider.wants_signed_requests;
            if signs && self.signing.is_none() {
                return Err(away("it wants requests to be signed, and there is no `keyFile`"));
            }
            let place = &known.provider.sso_url;
            // Nobody on the way may send people to another place.
            public_url(place.split('?').next().unwrap_or_default()).map_err(|problem| {
                away(format!("the address that it takes requests at: {}", problem.message))
            })?;
            let request = AuthnRequest {
                id,
                issuer: &self.entity_id,
                destination: place,
                answer_to: &self.answer_to,
                relay_state,
                now: self.clock.now().seconds(),
            };
            request
                .address(self.signing.as_ref().filter(|_| signs))
                .ok_or_else(|| away("a request cannot be made"))
        })
    }

    fn read<'a>(&'a self, response: &'a str) -> LoginStep<'a, SamlLogin> {
        Box::pin(async move {
            let known = self.known(KNOWN_FOR).await?;
            let assertion = match self.read_response(&known, response) {
                // The keys may have changed since they were read.
                Err(refusal) if refusal.why == Why::Signature => {
                    let again = self.known(AGAIN).await?;
                    if Arc::ptr_eq(&again, &known) {
                        Err(refusal)
                    } else {
                        self.read_response(&again, response)
                    }
                }
                read => read,
            };
            let assertion = assertion.map_err(failure)?;
            Ok(SamlLogin {
                user: self.user(&assertion)?,
                // Ids are unique for whoever makes them.
                id: format!("{}\n{}", known.provider.signer.entity_id, assertion.id),
                in_response_to: assertion.in_response_to,
                until: assertion.until.saturating_mul(1_000_000),
            })
        })
    }
}
