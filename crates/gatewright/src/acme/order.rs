//! An order, from the account to the certificate; what comes of it is kept, be it a failure.

use std::{collections::BTreeMap, future, sync::Arc, time::Duration};

use base64ct::{Base64UrlUnpadded, Encoding};
use engine::Clock;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Error, ExternalAccountKey, Identifier,
    NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use manager::Manager;
use model::{
    AcmeDoc, AcmeKeystore, AcmeState, ClearText,
    acme::{AcmeAccount, AcmeChallenge, AcmeOrder},
};

use super::{
    due,
    failure::{Failure, Refused},
    http::Transport,
};

/// Longest wait for all nodes to answer what the authority asks.
const ALL_NODES: Duration = Duration::from_secs(30);
/// How the authority is asked how far it is.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).timeout(Duration::from_secs(180));
/// Nobody takes longer for an order.
const GIVEN_UP: Duration = Duration::from_secs(600);
/// When what came of it could not be written down, this node does nothing for so long.
const REST: Duration = Duration::from_secs(30);

/// Gets a keystore its certificate.
pub(super) struct Work {
    pub manager: Arc<Manager>,
    pub clock: Clock,
    /// This node.
    pub node: String,
    pub keystore: AcmeKeystore,
}

/// What an order has come to so far.
#[derive(Default)]
struct Progress {
    account: Option<AcmeAccount>,
    pause: Option<Duration>,
}

impl Work {
    /// Orders, and writes down what has come of it.
    pub async fn done(self) {
        let name = &self.keystore.name;
        let mut progress = Progress { account: self.keystore.state.account.clone(), pause: None };
        let written = match self.issue(&mut progress).await {
            Ok(()) => Ok(()),
            Err(Refused::Failed(failure)) => self.write_failure(failure, progress).await,
            Err(Refused::Elsewhere) => Err("somebody else changes the keystore".to_owned()),
        };
        if let Err(problem) = written {
            tracing::warn!(keystore = %name, %problem, "what came of an order of a certificate was not kept");
            self.clock.within(REST, future::pending::<()>()).await;
        }
    }

    async fn issue(&self, progress: &mut Progress) -> Result<(), Refused> {
        if !self.is_newest().await? {
            return Err(Refused::Elsewhere);
        }
        let content = self.order(progress).await?;
        let issued = self.write("a certificate was issued", |state| {
            state.account.clone_from(&progress.account);
            state.issued_at = Some(self.clock.now().millis());
            (state.order, state.failing, state.problem, state.try_again) = (None, 0, None, 0);
            Some(content.clone())
        });
        let revision = issued.await?.ok_or(Refused::Elsewhere)?;
        tracing::info!(keystore = %self.keystore.name, revision, "a certificate was issued");
        Ok(())
    }

    async fn write_failure(&self, failure: Failure, mut progress: Progress) -> Result<(), String> {
        let Failure { problem, forget_account } = failure;
        let name = &self.keystore.name;
        tracing::warn!(keystore = %name, %problem, "no certificate was issued; what was there goes on counting");
        if forget_account {
            progress.account = None;
        }
        let now = self.clock.now().millis();
        let written = self.write("no certificate was issued", |state| {
            state.account.clone_from(&progress.account);
            due::failed(state, problem.clone(), progress.pause, now);
            None
        });
        match written.await {
            Ok(_) => Ok(()),
            Err(Failure { problem, .. }) => Err(problem),
        }
    }

    /// Whether nothing has changed since it was seen that something is due. What this node serves may be behind.
    async fn is_newest(&self) -> Result<bool, Failure> {
        let mut is_newest = false;
        let looked = self.amend("", |doc, text| {
            is_newest = *doc == self.keystore.doc && AcmeState::split(text).1 == self.keystore.state;
            None
        });
        looked.await.map(|_| is_newest)
    }

    /// The key and its chain.
    async fn order(&self, progress: &mut Progress) -> Result<String, Refused> {
        let doc = &self.keystore.doc;
        let transport = Transport::new(&doc.directory_url, self.keystore.roots.as_deref());
        let transport = transport.map_err(|error| Failure::new(error.to_string()))?;
        let ordered = self.order_from(&transport, progress).await;
        progress.pause = transport.pause();
        ordered
    }

    async fn order_from(&self, transport: &Transport, progress: &mut Progress) -> Result<String, Refused> {
        let doc = &self.keystore.doc;
        let told = |error: Error| Failure::of(doc, &error);
        let account = self.account(transport, progress).await?;
        let names: Vec<_> = doc.names.iter().map(|name| Identifier::Dns(name.to_ascii_lowercase())).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(told)?;

        let (kind, called) = match doc.challenge {
            AcmeChallenge::Http01 => (ChallengeType::Http01, "http-01"),
            AcmeChallenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        };
        let (mut challenges, mut tls_challenges) = (BTreeMap::new(), BTreeMap::new());
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(told)?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name = authorization.identifier().to_string();
            let challenge = authorization.challenge(kind.clone());
            let challenge = challenge.ok_or_else(|| {
                Failure::new(format!(
                    "{name}: the authority does not offer {called} for it; see acme.challenge"
                ))
            })?;
            let answer = challenge.key_authorization().as_str().to_owned();
            match doc.challenge {
                AcmeChallenge::Http01 => challenges.insert(challenge.token.clone(), answer),
                AcmeChallenge::TlsAlpn01 => tls_challenges.insert(name, answer),
            };
        }
        let until = self.clock.now().plus(GIVEN_UP).millis();
        let begun = AcmeOrder { node: self.node.clone(), until, challenges, tls_challenges };
        let revision = self.begin(begun, progress.account.as_ref()).await?;
        let waited = self.manager.wait_for_nodes(revision, ALL_NODES).await;
        waited.map_err(|error| Failure::new(error.to_string()))?;

        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(told)?;
            if authorization.status != AuthorizationStatus::Valid
                && let Some(mut challenge) = authorization.challenge(kind.clone())
            {
                challenge.set_ready().await.map_err(told)?;
            }
        }
        let ready = order.poll_ready(&PATIENCE).await;
        if !matches!(ready, Ok(OrderStatus::Ready)) {
            // Why a name was not validated is with the name.
            let mut authorizations = order.authorizations();
            while let Some(authorization) = authorizations.next().await {
                let mut authorization = authorization.map_err(told)?;
                let name = authorization.identifier().to_string();
                let state = authorization.refresh().await.map_err(told)?;
                if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.as_ref())
                {
                    return Err(Failure::of_name(doc, &name, problem).into());
                }
            }
            let status = ready.map_err(told)?;
            return Err(Failure::new(format!("the order became {status:?} at the authority")).into());
        }
        let key = order.finalize().await.map_err(told)?;
        let chain = order.poll_certificate(&PATIENCE).await.map_err(told)?;
        Ok(format!("{}\n{}\n", key.trim_end(), chain.trim_end()))
    }

    /// The account, which is made where there is none.
    async fn account(&self, transport: &Transport, progress: &mut Progress) -> Result<Account, Refused> {
        let doc = &self.keystore.doc;
        let told = |error: Error| Failure::of(doc, &error);
        let contact: Vec<&str> = doc.contact.iter().map(String::as_str).collect();
        let builder = Account::builder_with_http(Box::new(transport.clone()));
        let known = progress.account.as_mut().filter(|known| known.directory_url == doc.directory_url);
        if let Some(known) = known
            && let Ok(credentials) = serde_json::from_str::<AccountCredentials>(known.credentials.expose())
        {
            let account = builder.from_credentials(credentials).await.map_err(told)?;
            if known.contact != doc.contact {
                account.update_contacts(&contact).await.map_err(told)?;
                known.contact.clone_from(&doc.contact);
            }
            return Ok(account);
        }
        let external = match (&doc.external_account, &self.keystore.external_key) {
            (Some(external), Some(key)) => {
                let text = key.expose().trim().trim_end_matches('=');
                let key = Base64UrlUnpadded::decode_vec(text).map_err(|_| {
                    Failure::new(
                        "the secret of acme.externalAccount.key is not base64 for URLs, as the authority shows the key"
                            .to_owned(),
                    )
                })?;
                Some(ExternalAccountKey::new(external.key_id.clone(), &key))
            }
            _ => None,
        };
        let new = NewAccount {
            contact: &contact,
            terms_of_service_agreed: doc.terms_of_service_agreed,
            only_return_existing: false,
        };
        let made = builder.create(&new, doc.directory_url.clone(), external.as_ref()).await;
        let (account, credentials) = made.map_err(told)?;
        let credentials = serde_json::to_string(&credentials).map_err(|error| told(error.into()))?;
        progress.account = Some(AcmeAccount {
            directory_url: doc.directory_url.clone(),
            contact: doc.contact.clone(),
            credentials: ClearText::new(credentials),
        });
        Ok(account)
    }

    /// Writes down what came of the order, unless something else is wanted by now; `change` gives another content, too.
    async fn write(
        &self,
        reason: &str,
        mut change: impl FnMut(&mut AcmeState) -> Option<String>,
    ) -> Result<Option<u64>, Failure> {
        let wanted = self.keystore.doc.ordered_with();
        let amended = self.amend(reason, |doc, text| {
            let (content, mut state) = AcmeState::split(text);
            let others = state.order.as_ref().is_some_and(|order| order.node != self.node);
            if others || doc.ordered_with() != wanted {
                return None;
            }
            state.ordered = Some(wanted.clone());
            let content = change(&mut state).unwrap_or_else(|| content.to_owned());
            Some(state.join(&content))
        });
        amended.await
    }

    /// Writes down that the order has begun, unless another node has begun one.
    async fn begin(&self, order: AcmeOrder, account: Option<&AcmeAccount>) -> Result<u64, Refused> {
        let wanted = self.keystore.doc.ordered_with();
        let begun = self.amend("a certificate is ordered", |doc, text| {
            let (content, mut state) = AcmeState::split(text);
            let now = self.clock.now().millis();
            let others =
                state.order.as_ref().is_some_and(|other| other.node != self.node && now < other.until);
            if doc.ordered_with() != wanted || others && state.ordered.as_ref() == Some(&wanted) {
                return None;
            }
            state.ordered = Some(wanted.clone());
            state.account = account.cloned();
            state.order = Some(order.clone());
            Some(state.join(content))
        });
        begun.await?.ok_or(Refused::Elsewhere)
    }

    async fn amend(
        &self,
        reason: &str,
        mut amend: impl FnMut(&AcmeDoc, &str) -> Option<String>,
    ) -> Result<Option<u64>, Failure> {
        let amended = self
            .manager
            .amend_keystore(&self.keystore.name, reason, |doc, text| amend(doc.acme.as_ref()?, text));
        amended.await.map_err(|error| Failure::new(error.to_string()))
    }
}
