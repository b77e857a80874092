//! Clients that register themselves at the internal authorization server: each becomes an application of its own, by the
//! one way in which anything is changed.

use std::sync::Arc;

use identity::{NewClient, NotRegistered, Registering, Registration};
use model::{
    ApplicationDoc, IdentifiersDoc, SubscriptionDoc,
    oauth_client::{ClientAuthentication, OauthClientDoc},
};
use serde_json::{Map, Value, json};

use crate::{Assets, ChangeError, Condition, Edit, Held, Kind, Manager, Who, Write, kind};

/// Characters of the name of a client that the name of its application has.
const LONGEST_NAME: usize = 60;

impl From<ChangeError> for NotRegistered {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Stale { .. } | ChangeError::NotFound { .. } | ChangeError::Exists { .. } => {
                Self::Other
            }
            ChangeError::Busy => Self::Busy,
            ChangeError::Store(error) => Self::Store(error),
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl Manager {
    /// Makes, changes or takes away a client. That it may be was looked at by whoever asks for it.
    pub(crate) async fn register_client(&self, registering: Registering) -> Result<(), NotRegistered> {
        // Two that come at once are counted one after the other.
        let _one_at_a_time = self.registering.lock().await;
        let who = Who::nobody_yet(format!("oauthClient:{}", registering.client), registering.address);
        let assets = self.assets();
        let (edits, reason) = match registering.what {
            Registration::New(new) => (of_new(&assets, *new)?, "a client has registered itself"),
            Registration::Changed { application, before, after } => {
                let (held, mut clients, place) = find(&assets, &application, &before)?;
                clients[place] = *after;
                (vec![with_clients(held, &clients)], "a client has changed its registration")
            }
            Registration::Gone { application, before } => {
                (of_gone(&assets, &application, &before)?, "a client has ended its registration")
            }
        };
        self.change_own(&who, &edits, Some(reason)).await?;
        Ok(())
    }
}

fn kind_of(name: &str) -> Result<&'static Kind, NotRegistered> {
    kind(name).ok_or(NotRegistered::Busy)
}

fn document_of(held: &Held) -> Option<&ApplicationDoc> {
    held.parsed.typed.downcast_ref::<ApplicationDoc>()
}

fn of_new(assets: &Assets, new: NewClient) -> Result<Vec<Edit>, NotRegistered> {
    let application = kind_of("application")?;
    let clients =
        assets.list(application).filter_map(|held| document_of(held)).flat_map(|doc| &doc.oauth_clients);
    let registered = clients.filter(|client| client.registration.is_some()).count();
    if registered >= new.most as usize {
        return Err(NotRegistered::Full);
    }
    let name = name_for(&new.doc);
    let contact = new.doc.registration.as_ref().and_then(|said| said.contacts.first().cloned());
    let mut document = Map::new();
    document.insert("name".to_owned(), name.as_str().into());
    document.insert("description".to_owned(), description(&new.doc).into());
    document.insert("oauthClients".to_owned(), json!([new.doc]));
    if let Some(contact) = contact {
        document.insert("contact".to_owned(), contact.into());
    }
    if !new.teams.is_empty() {
        document.insert("teams".to_owned(), json!(new.teams));
    }
    if new.plan.is_none() && !new.apis.is_empty() {
        document.insert("apis".to_owned(), json!(new.apis));
    }
    let put = |kind: &'static Kind, document: Value| Edit {
        kind,
        name: None,
        condition: Condition::Absent,
        write: Write::Put(document),
    };
    let mut edits = vec![put(application, document.into())];
    if let Some(plan) = new.plan {
        let subscription = kind_of("subscription")?;
        for api in new.apis {
            let document = json!({ "application": name, "api": api, "plan": plan });
            edits.push(put(subscription, document));
        }
    }
    Ok(edits)
}

/// Names of clients are anybody's, and those of applications are unique.
fn name_for(doc: &OauthClientDoc) -> String {
    let plain = |c: &char| c.is_alphanumeric() || " ._-".contains(*c);
    let said: String =
        doc.name.iter().flat_map(|name| name.chars()).filter(plain).take(LONGEST_NAME).collect();
    let said = if said.trim().is_empty() { "client" } else { said.trim() };
    format!("{said} {}", doc.id.get(..12).unwrap_or(&doc.id))
}

fn description(doc: &OauthClientDoc) -> String {
    let public = doc.authentication == ClientAuthentication::None;
    let kind = if public { "A public client" } else { "A client" };
    match doc.registration.as_ref().and_then(|said| said.initial_token.as_deref()) {
        Some(token) => format!("{kind} that has registered itself with the initial access token `{token}`."),
        None => format!("{kind} that has registered itself, as anybody may."),
    }
}

type FoundClient<'a> = (&'a Arc<Held>, Vec<OauthClientDoc>, usize);

/// An application with its clients, and the place of one that is still as it was.
fn find<'a>(
    assets: &'a Assets,
    application: &str,
    before: &OauthClientDoc,
) -> Result<FoundClient<'a>, NotRegistered> {
    let held = assets.get(kind_of("application")?, application);
    let held = held.filter(|held| held.parsed.name == application).ok_or(NotRegistered::Other)?;
    let doc = document_of(held).ok_or(NotRegistered::Other)?;
    let place = doc.oauth_clients.iter().position(|client| client == before);
    Ok((held, doc.oauth_clients.clone(), place.ok_or(NotRegistered::Other)?))
}

/// The clients of an application as a change of it.
pub(crate) fn with_clients(held: &Held, clients: &[OauthClientDoc]) -> Edit {
    Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        // A secret that another change has made meanwhile is not lost.
        condition: Condition::At(held.revision),
        write: Write::Merge(json!({ "oauthClients": clients })),
    }
}

/// The application goes with its client, unless somebody has made more of it.
fn of_gone(assets: &Assets, application: &str, before: &OauthClientDoc) -> Result<Vec<Edit>, NotRegistered> {
    let (held, mut clients, place) = find(assets, application, before)?;
    clients.remove(place);
    let doc = document_of(held).ok_or(NotRegistered::Other)?;
    let has_more = !clients.is_empty()
        || !doc.api_keys.is_empty()
        || !doc.signing_keys.is_empty()
        || doc.portal_user.is_some()
        || doc.identifiers != IdentifiersDoc::default();
    if has_more {
        return Ok(vec![with_clients(held, &clients)]);
    }
    let of_application = assets.list(kind_of("subscription")?).filter(|held| {
        let doc = held.parsed.typed.downcast_ref::<SubscriptionDoc>();
        doc.is_some_and(|doc| doc.application == application)
    });
    let gone = |held: &Arc<Held>| Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        condition: Condition::At(held.revision),
        write: Write::Delete,
    };
    Ok(of_application.chain([held]).map(gone).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_called_as_its_client_and_like_no_other() {
        for (name, expected) in [
            (json!("The Shop"), "The Shop 0123456789ab"),
            (json!(" <b>L\u{e4}den</b>/\u{202e}: "), "bL\u{e4}denb 0123456789ab"),
            (json!("///"), "client 0123456789ab"),
            (Value::Null, "client 0123456789ab"),
            (json!("a".repeat(200)), &*format!("{} 0123456789ab", "a".repeat(60))),
        ] {
            let mut doc = json!({ "id": "0123456789abcdef" });
            if !name.is_null() {
                doc["name"] = name;
            }
            let doc: OauthClientDoc = serde_json::from_value(doc).unwrap();
            assert_eq!(name_for(&doc), expected);
        }
    }
}
