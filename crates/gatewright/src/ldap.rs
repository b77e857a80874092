//! A directory of users, asked over LDAP: searched by somebody who may, and a password is right when its user can bind
//! with it.

use std::{sync::Arc, time::Duration};

use engine::{state::StateRegistry, user_directory};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, ldap_escape};
use manager::{Directory, DirectoryUser, Found};
use model::{Diagnostic, Settings, ldap::LdapSettings};
use rustls::ClientConfig;
use tokio::sync::{Mutex, Semaphore};

use crate::client;

/// What a directory answers when the password is wrong (RFC 4511, 4.1.9).
const INVALID_CREDENTIALS: u32 = 49;
const SUCCESS: u32 = 0;
/// Passwords that are looked at, at a time: each takes a connection.
const CHECKS: usize = 8;

/// Asks for entries without anything of theirs (RFC 4511, 4.5.1.8).
const NO_ATTRIBUTE: &str = "1.1";
const PLACE: &str = "settings.ldap";

/// Somebody in the directory: where, and what they are called.
struct Entry {
    dn: String,
    name: String,
}

/// A directory, as the settings say.
pub(crate) struct LdapDirectory {
    settings: LdapSettings,
    /// Where the settings are, for those who have to mend them.
    place: &'static str,
    name_attribute: Option<String>,
    tls: Arc<ClientConfig>,
    /// A connection on which users are searched, by all who ask. Made again when it broke.
    searching: Mutex<Option<Ldap>>,
    checks: Semaphore,
}

impl LdapDirectory {
    /// Checks the settings; nothing is sent yet.
    pub(crate) fn new(settings: LdapSettings, place: &'static str) -> Result<Self, Diagnostic> {
        let wrong = |key: &str, message: String| Diagnostic::error(format!("{place}.{key}"), message);
        let (scheme, rest) = settings.url.split_once("://").unwrap_or(("", ""));
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        if !matches!(scheme, "ldap" | "ldaps") || host.is_empty() || host.contains('@') {
            return Err(wrong(
                "url",
                format!("found `{}`, expected ldaps://HOST or ldap://HOST", settings.url),
            ));
        }
        if scheme == "ldaps" && settings.start_tls {
            return Err(wrong(
                "startTls",
                "has no place beside ldaps://, which is TLS from the beginning".to_owned(),
            ));
        }
        if scheme == "ldap" && !settings.start_tls && !is_here(host) {
            let problem =
                wrong("startTls", "missing, but passwords would go to another machine in clear".to_owned());
            return Err(problem.help("set `startTls: true`, or use ldaps://"));
        }
        if settings.bind_dn.is_some() != settings.bind_password.is_some() {
            return Err(wrong("bindPassword", "`bindDn` and `bindPassword` belong together".to_owned()));
        }
        if !settings.user_filter.contains("{user}") {
            let problem = format!("found `{}`, expected a filter with {{user}}", settings.user_filter);
            return Err(wrong("userFilter", problem));
        }
        for (key, filter) in [("userFilter", &settings.user_filter), ("groupFilter", &settings.group_filter)]
        {
            if ldap3::parse_filter(filled(filter, "a", "cn=a")).is_err() {
                return Err(wrong(
                    key,
                    format!("found `{filter}`, expected a filter such as (uid={{user}})"),
                ));
            }
        }
        let tls = match &settings.ca_file {
            Some(file) => client::trusting(file.as_ref()),
            None => client::tls_config(),
        };
        let tls = tls.map_err(|error| wrong("caFile", error.to_string()))?;
        let name_attribute = settings.name_attribute.clone();
        let name_attribute = name_attribute.or_else(|| compared(&settings.user_filter).map(str::to_owned));
        let (searching, checks) = (Mutex::default(), Semaphore::new(CHECKS));
        Ok(Self { settings, place, name_attribute, tls, searching, checks })
    }

    fn timeout(&self) -> Duration {
        self.settings.timeout.get()
    }

    async fn connect(&self) -> Result<Ldap, String> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(self.timeout())
            .set_config(Arc::clone(&self.tls))
            .set_starttls(self.settings.start_tls);
        // The handshake has no limit of its own there.
        let connected = LdapConnAsync::with_settings(settings, &self.settings.url);
        let connected = tokio::time::timeout(self.timeout(), connected).await;
        let connected = connected.map_err(|_| "no connection in time".to_owned())?;
        let (connection, ldap) = connected.map_err(told)?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "a connection to the directory ended");
            }
        });
        Ok(ldap)
    }

    /// A connection of somebody who may search.
    async fn searcher(&self) -> Result<Ldap, String> {
        let mut kept = self.searching.lock().await;
        if let Some(ldap) = kept.as_mut()
            && !ldap.is_closed()
        {
            return Ok(ldap.clone());
        }
        let mut ldap = self.connect().await?;
        if let (Some(dn), Some(password)) = (&self.settings.bind_dn, &self.settings.bind_password) {
            let password = password.expose().unwrap_or_default();
            let bound = ldap.with_timeout(self.timeout()).simple_bind(dn, password).await.map_err(told)?;
            if bound.rc != SUCCESS {
                return Err(format!("{}.bindDn is not let in: {}", self.place, bound.rc));
            }
        }
        Ok(kept.insert(ldap).clone())
    }

    /// Searches, once more where the connection that was kept is of no use any more.
    async fn search(&self, base: &str, filter: &str, attribute: &str) -> Result<Vec<SearchEntry>, String> {
        let mut again = true;
        loop {
            let mut ldap = self.searcher().await?;
            let ldap = ldap.with_timeout(self.timeout());
            let found = ldap.search(base, Scope::Subtree, filter, vec![attribute]).await;
            let error = match found.and_then(ldap3::SearchResult::success) {
                Ok((entries, _)) => {
                    // Some are references to other directories, which are not asked.
                    let entries =
                        entries.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
                    return Ok(entries.map(SearchEntry::construct).collect());
                }
                Err(error) => error,
            };
            if matches!(error, LdapError::LdapResult { .. }) || !again {
                return Err(told(error));
            }
            *self.searching.lock().await = None;
            again = false;
        }
    }

    /// Whoever is found by a name. Whoever cannot be told from somebody else is nobody.
    async fn entry_of(&self, user: &str) -> Result<Option<Entry>, String> {
        let filter = filled(&self.settings.user_filter, user, "");
        let attribute = self.name_attribute.as_deref().unwrap_or(NO_ATTRIBUTE);
        let mut found = self.search(&self.settings.user_base, &filter, attribute).await?;
        if found.len() > 1 {
            tracing::warn!("{}.userFilter finds {} entries for one name", self.place, found.len());
            return Ok(None);
        }
        Ok(found.pop().map(|entry| {
            // Servers write names of attributes in the case that they like, and several values in any order.
            let names = entry.attrs.into_iter().filter(|(name, _)| name.eq_ignore_ascii_case(attribute));
            let name = names.flat_map(|(_, values)| values).filter(|value| !value.is_empty()).min();
            Entry { name: name.unwrap_or_else(|| entry.dn.clone()), dn: entry.dn }
        }))
    }

    async fn groups_of(&self, entry: &Entry) -> Result<Vec<String>, String> {
        let Some(base) = &self.settings.group_base else { return Ok(Vec::new()) };
        let filter = filled(&self.settings.group_filter, &entry.name, &entry.dn);
        let found = self.search(base, &filter, NO_ATTRIBUTE).await?;
        let becomes = self
            .settings
            .groups
            .iter()
            .filter(|wanted| found.iter().any(|entry| is_same(&entry.dn, &wanted.dn)));
        let mut groups: Vec<String> = Vec::new();
        for wanted in becomes {
            if !groups.contains(&wanted.group) {
                groups.push(wanted.group.clone());
            }
        }
        Ok(groups)
    }

    async fn user_of(&self, entry: Entry) -> Result<DirectoryUser, String> {
        let groups = self.groups_of(&entry).await?;
        Ok(DirectoryUser { name: entry.name, groups })
    }

    /// Whoever has this name and this password, in groups or not.
    async fn checked(&self, user: &str, password: &str) -> Result<Option<DirectoryUser>, String> {
        let Some(entry) = self.entry_of(user).await? else { return Ok(None) };
        if password.is_empty() || !self.binds(&entry.dn, password).await? {
            return Ok(None);
        }
        self.user_of(entry).await.map(Some)
    }

    /// Whether this is the password of whoever is there.
    async fn binds(&self, dn: &str, password: &str) -> Result<bool, String> {
        let Ok(_one_of_few) = self.checks.acquire().await else { return Ok(false) };
        let mut ldap = self.connect().await?;
        let bound = ldap.with_timeout(self.timeout()).simple_bind(dn, password).await.map_err(told)?;
        // It has said what it was asked for, whether it hears this or not.
        let _ = ldap.unbind().await;
        match bound.rc {
            SUCCESS => Ok(true),
            INVALID_CREDENTIALS => Ok(false),
            // Locked, expired and so on: the directory does not let them in.
            code => {
                tracing::info!(code, "the directory does not let a user in");
                Ok(false)
            }
        }
    }
}

/// The manager has nothing for whoever is in no group.
impl Directory for LdapDirectory {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Found<'a> {
        Box::pin(async move {
            let found = self.checked(user, password).await?;
            Ok(found.filter(|user| !user.groups.is_empty()))
        })
    }

    fn find<'a>(&'a self, user: &'a str) -> Found<'a> {
        Box::pin(async move {
            let Some(entry) = self.entry_of(user).await? else { return Ok(None) };
            let found = self.user_of(entry).await?;
            Ok(Some(found).filter(|user| !user.groups.is_empty()))
        })
    }

    fn remember(&self) -> Duration {
        self.settings.remember.get()
    }
}

/// At APIs, groups are for the policies to ask for.
impl user_directory::Directory for LdapDirectory {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> user_directory::Said<'a> {
        Box::pin(async move {
            // A question is several, and may have to wait for its turn.
            let checked = tokio::time::timeout(self.timeout(), self.checked(user, password)).await;
            match checked.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
                Ok(found) => Ok(found.map(|found| user_directory::DirectoryUser {
                    name: found.name.into(),
                    groups: found.groups.into_iter().map(Into::into).collect(),
                })),
                Err(error) => {
                    tracing::warn!(error, "the directory of {} could not be asked", self.place);
                    Err(user_directory::Away)
                }
            }
        })
    }

    fn remember(&self) -> Duration {
        self.settings.remember.get()
    }
}

/// Lets requests ask the directory of the settings, if there is one.
pub(crate) fn begin(settings: &Settings, registry: &StateRegistry) -> Result<(), Diagnostic> {
    let Some(ldap) = settings.ldap.clone() else { return Ok(()) };
    let directory = LdapDirectory::new(ldap, PLACE)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| Diagnostic::error(PLACE, error.to_string()))?;
    let users = user_directory::UserDirectory::of(registry);
    users.begin(Arc::new(directory), tokio::runtime::Handle::current(), key);
    Ok(())
}

/// The directory whose users may log in at the manager, if there is one.
pub(crate) fn of_manager(settings: &Settings) -> Result<Option<Arc<dyn Directory>>, Diagnostic> {
    let own = settings.manager.ldap.clone().map(|ldap| (ldap, "settings.manager.ldap"));
    let Some((ldap, place)) = own.or_else(|| Some((settings.ldap.clone()?, PLACE))) else { return Ok(None) };
    Ok(Some(Arc::new(LdapDirectory::new(ldap, place)?)))
}

/// The attribute that a filter compares with the name first.
fn compared(filter: &str) -> Option<&str> {
    let (before, _) = filter.split_once("={user}")?;
    let (_, attribute) = before.rsplit_once('(')?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    (!attribute.is_empty() && attribute.bytes().all(is_name)).then_some(attribute)
}

/// A filter with a name and a place in it, which cannot become a part of the filter (RFC 4515).
fn filled(filter: &str, user: &str, dn: &str) -> String {
    let mut filled = String::with_capacity(filter.len() + user.len() + dn.len());
    let mut rest = filter;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let known = [("{user}", user), ("{dn}", dn)];
        let Some((name, value)) = known.into_iter().find(|(name, _)| from.starts_with(name)) else {
            filled.push('{');
            rest = &from[1..];
            continue;
        };
        filled.push_str(&ldap_escape(value));
        rest = &from[name.len()..];
    }
    filled.push_str(rest);
    filled
}

/// Names of places differ in case and in spaces around their parts.
fn is_same(one: &str, other: &str) -> bool {
    let parts = |text: &str| text.split(',').map(|part| part.trim().to_lowercase()).collect::<Vec<_>>();
    parts(one) == parts(other)
}

/// Whether a host, with a port or without, is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What went wrong. Nothing of what was sent is in it.
fn told(error: LdapError) -> String {
    match error {
        LdapError::LdapResult { result } => format!("it answered {}", result.rc),
        LdapError::Timeout { .. } => "no answer in time".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_become_a_part_of_the_filter() {
        for (user, expected) in [
            ("ann", "(&(uid=ann)(cn={x}))"),
            ("*", "(&(uid=\\2a)(cn={x}))"),
            ("a)(uid=*", "(&(uid=a\\29\\28uid=\\2a)(cn={x}))"),
            ("{dn}", "(&(uid={dn})(cn={x}))"),
            ("a\\2a", "(&(uid=a\\5c2a)(cn={x}))"),
        ] {
            assert_eq!(filled("(&(uid={user})(cn={x}))", user, "cn=secret"), expected);
        }
    }

    #[test]
    fn a_user_is_called_what_the_filter_compares_first() {
        for (filter, expected) in [
            ("(uid={user})", Some("uid")),
            ("(&(objectClass=person)(|(sAMAccountName={user})(mail={user})))", Some("sAMAccountName")),
            ("(uid={user}@example.com)", Some("uid")),
            ("(cn=*{user})", None),
            ("(cn:caseExactMatch:={user})", None),
        ] {
            assert_eq!(compared(filter), expected, "{filter}");
        }
    }

    #[test]
    fn places_are_compared_without_case_and_spaces() {
        assert!(is_same("cn=Ops, ou=Groups,dc=example", "CN=ops,ou=groups,dc=Example"));
        assert!(!is_same("cn=ops,dc=example", "cn=ops,dc=example,dc=com"));
    }

    #[test]
    fn wrong_settings_are_told_where_they_are() {
        let check = |change: serde_json::Value| {
            let mut settings = serde_json::json!({
                "url": "ldap://localhost:389", "userBase": "dc=a",
                "groups": [{ "dn": "cn=a", "group": "a" }],
            });
            for (key, value) in change.as_object().unwrap() {
                settings[key] = value.clone();
            }
            let directory = LdapDirectory::new(serde_json::from_value(settings).unwrap(), PLACE);
            directory.err().map(|problem| problem.path)
        };
        let path = |key: &str| Some(format!("settings.ldap.{key}"));
        for (change, expected) in [
            (serde_json::json!({}), None),
            (serde_json::json!({ "url": "http://a" }), path("url")),
            (serde_json::json!({ "url": "ldap://me:secret@a" }), path("url")),
            (serde_json::json!({ "url": "ldap://ldap.example.com" }), path("startTls")),
            (serde_json::json!({ "url": "ldaps://ldap.example.com", "startTls": true }), path("startTls")),
            (serde_json::json!({ "url": "ldap://ldap.example.com", "startTls": true }), None),
            (serde_json::json!({ "url": "ldap://[::1]:389" }), None),
            (serde_json::json!({ "bindDn": "cn=a" }), path("bindPassword")),
            (serde_json::json!({ "userFilter": "(uid=ann)" }), path("userFilter")),
            (serde_json::json!({ "userFilter": "(uid={user}" }), path("userFilter")),
            (serde_json::json!({ "caFile": "/nowhere.pem" }), path("caFile")),
        ] {
            assert_eq!(check(change.clone()), expected, "{change}");
        }
    }
}
