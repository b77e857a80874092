//! Sessions of people: a cookie that only the browser sees, and a second secret that only our own pages know.

use std::net::IpAddr;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use store::{StoreError, assets::Session};

use super::{Access, Asked, Checked, Sources, Who, hash_of_secret, micros, provider::Origin, random_text};

/// How exactly it is written down when something was last done: each time would be a commit for each request.
const SEEN_EVERY: u64 = 60_000_000;

/// Never so coarse that somebody who is there would be logged out.
fn seen_every(idle: u64) -> u64 {
    SEEN_EVERY.min(idle / 10)
}

/// What a request in a session has to send along when it changes something. Other sites can make a browser send the
/// cookie, but they cannot read this.
pub(crate) fn csrf_token(secret: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(format!("csrf:{secret}")))
}

/// When a session ends, in microseconds since 1970.
pub(crate) struct Ends {
    /// Unless something is done in it until then.
    pub idle: u64,
    pub latest: u64,
}

impl Access {
    /// Logs somebody in: what their browser keeps. `None` when there is no randomness.
    pub(crate) async fn begin_session(
        &self,
        sources: Sources<'_>,
        who: &Who,
        origin: Option<&Origin>,
    ) -> Result<Option<String>, StoreError> {
        let Some(secret) = random_text() else { return Ok(None) };
        let now = sources.now;
        let session = Session {
            hash: hash_of_secret(&secret),
            user: who.user.clone(),
            origin: origin.and_then(|origin| serde_json::to_string(origin).ok()),
            created_at: now,
            seen_at: now,
        };
        let oldest = now.saturating_sub(micros(self.settings().sessions.longest));
        let idle = now.saturating_sub(micros(self.settings().sessions.idle));
        sources.store.begin_session(&session, oldest, idle).await?;
        Ok(Some(secret))
    }

    /// When a session ends that began then and in which something is done now.
    pub(crate) fn ends(&self, created_at: u64, now: u64) -> Ends {
        let sessions = &self.settings().sessions;
        let latest = created_at.saturating_add(micros(sessions.longest));
        Ends { idle: now.saturating_add(micros(sessions.idle)).min(latest), latest }
    }

    pub(super) async fn check_session(
        &self,
        sources: Sources<'_>,
        secret: &str,
        address: IpAddr,
    ) -> Result<Checked, StoreError> {
        let Sources { store, assets, now } = sources;
        let hash = hash_of_secret(secret);
        let Some(session) = store.session(&hash).await? else { return Ok(Checked::Wrong) };
        if now >= self.ends(session.created_at, session.seen_at).idle {
            store.end_session(&hash).await?;
            return Ok(Checked::Wrong);
        }
        let asked = match &session.origin {
            // Whatever somebody is called here: they are who they were let in as.
            Some(origin) => serde_json::from_str(origin)
                .ok()
                .and_then(|origin| self.rights_from(assets, &session.user, &origin))
                .map_or(Asked::Nobody, Asked::Known),
            None => self.rights_now(sources, &session.user).await,
        };
        let rights = match asked {
            Asked::Known(rights) => rights,
            Asked::Nobody => return Ok(Checked::Wrong),
            Asked::Away => return Ok(Checked::Away),
        };
        let is_local = super::is_local(assets, &session.user);
        let credential = store.credential(&session.user).await?.filter(|_| is_local);
        if is_local && credential.is_none() {
            return Ok(Checked::Wrong);
        }
        let must_set_up_second_factor =
            is_local && session.origin.is_none() && self.lacks_second_factor(sources, &session.user).await?;
        let idle = micros(self.settings().sessions.idle);
        if now.saturating_sub(session.seen_at) >= seen_every(idle) {
            store.session_seen(&hash, now).await?;
        }
        Ok(Checked::Known(Who {
            user: session.user,
            address,
            rights,
            session: Some(hash),
            must_change_password: credential.is_some_and(|credential| self.must_change(&credential, now)),
            must_set_up_second_factor,
        }))
    }
}
