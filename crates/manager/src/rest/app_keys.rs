//! API keys of applications: made here, told once, kept as hashes, two of them live so that they can be exchanged without
//! interruption. The same for those who manage applications and, through the portal, for those whose they are.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use model::{ApiKeyDoc, ApplicationDoc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    answer::{Items, Problem, time},
    assets::{find, find_kind},
    extract::{Bytes, Path},
    route::{Content, Right, Route, delete, get, post},
};
use crate::{Assets, ChangeError, Condition, Edit, Held, Manager, Privilege, Who, Write};

const APPLICATIONS: Right = Right::Privilege(&[Privilege::ManageApplications]);

pub(super) const ROUTES: &[Route] = &[
    get(
        "/applications/{name}/keys",
        "listApplicationKeys",
        "The API keys of an application, and when they were used last.",
        APPLICATIONS,
        || routing::get(list),
    )
    .answers::<Items<KeyView>>(200),
    post(
        "/applications/{name}/keys",
        "createApplicationKey",
        "Makes an API key for an application, which is told once.",
        APPLICATIONS,
        || routing::post(create),
    )
    .takes::<NewKey>()
    .answers::<MadeKey>(201)
    .told_once(),
    delete(
        "/applications/{name}/keys/{id}",
        "deleteApplicationKey",
        "Takes an API key away, which is refused at once.",
        APPLICATIONS,
        || routing::delete(remove),
    )
    .answers_content(204, Content::Nothing),
];

/// An API key, without its text.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyView {
    /// The beginning of its hash. Missing where the configuration refers to the key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// When it is refused from.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    expired: bool,
    /// To the minute, on any node; missing when it was never used.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<String>,
}

/// A new API key.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MadeKey {
    #[serde(flatten)]
    view: KeyView,
    /// What the application sends. It is told this once.
    key: String,
}

/// What a new API key is to be like.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct NewKey {
    /// Such as `90d`, after which the key is refused. Default: never.
    expires_in: Option<model::Duration>,
    /// Id of a key that it takes the place of.
    replaces: Option<String>,
    /// With `replaces`: the other key goes on for so long. Default: 1d; `0s` for not at all.
    overlap: Option<model::Duration>,
}

/// Keys that an application may have that are not expired, when another one is made.
const LIVE: usize = 2;

fn id_of(key: &ApiKeyDoc) -> Option<String> {
    Some(key.hash.as_deref()?.strip_prefix("sha256:")?.get(..16)?.to_owned())
}

fn expires_at(key: &ApiKeyDoc) -> Option<u64> {
    micros_at(key.expires.as_deref()?)
}

/// An RFC 3339 time, in microseconds since 1970.
pub(super) fn micros_at(text: &str) -> Option<u64> {
    let parsed = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
    u64::try_from(parsed.ok()?.unix_timestamp_nanos() / 1_000).ok()
}

fn is_live(key: &ApiKeyDoc, now: u64) -> bool {
    expires_at(key).is_none_or(|expires| expires > now)
}

/// The keys of an application, and when they were used last.
pub(super) async fn views(manager: &Manager, doc: &ApplicationDoc) -> Result<Vec<KeyView>, Problem> {
    let hash = |key: &ApiKeyDoc| Some(key.hash.as_deref()?.strip_prefix("sha256:")?.to_owned());
    let hashes: Vec<String> = doc.api_keys.iter().filter_map(hash).collect();
    if let Some(node) = manager.node() {
        // What it has not written down yet.
        let mut uses = node.key_uses(0);
        uses.retain(|(hash, _)| hashes.contains(hash));
        manager.store.put_key_uses(&uses).await?;
    }
    let uses = manager.store.key_uses(&hashes).await?;
    let now = manager.now();
    let view = |key: &ApiKeyDoc| KeyView {
        id: id_of(key),
        created: key.created.clone(),
        expires: key.expires.clone(),
        expired: !is_live(key, now),
        last_used: hash(key).and_then(|hash| uses.get(&hash)).map(|at| time(*at)),
    };
    Ok(doc.api_keys.iter().map(view).collect())
}

pub(super) fn micros_of(lasts: model::Duration) -> u64 {
    u64::try_from(lasts.get().as_micros()).unwrap_or(u64::MAX)
}

/// Makes a key; the document has it already. What it replaces ends after a while.
fn make(doc: &mut ApplicationDoc, wanted: &NewKey, now: u64) -> Result<(String, KeyView), Problem> {
    if let Some(replaced) = &wanted.replaces {
        let overlap = wanted.overlap.unwrap_or(model::Duration::from_secs(86_400));
        let ends = now.saturating_add(micros_of(overlap));
        let key = doc.api_keys.iter_mut().find(|key| id_of(key).as_ref() == Some(replaced));
        let key = key.ok_or_else(|| no_such_key(replaced))?;
        if expires_at(key).is_none_or(|expires| expires > ends) {
            key.expires = Some(time(ends));
        }
    }
    doc.api_keys.retain(|key| is_live(key, now));
    if doc.api_keys.len() >= LIVE {
        let detail = format!(
            "the application has {LIVE} keys that are live, which is as many as it may have: delete one of them first"
        );
        return Err(Problem::new(StatusCode::CONFLICT, "too_many_keys", detail));
    }
    let text = random_text("gwk_").ok_or(ChangeError::Busy)?;
    let key = ApiKeyDoc {
        hash: Some(format!("sha256:{:x}", Sha256::digest(&text))),
        value: None,
        ip_addresses: Vec::new(),
        referrers: Vec::new(),
        created: Some(time(now)),
        expires: wanted.expires_in.map(|lasts| time(now.saturating_add(micros_of(lasts)))),
    };
    let view = KeyView {
        id: id_of(&key),
        created: key.created.clone(),
        expires: key.expires.clone(),
        expired: false,
        last_used: None,
    };
    doc.api_keys.push(key);
    Ok((text, view))
}

/// Prefix, random digits, and a checksum that tells a mistyped key from a wrong one; as `gatewright key` makes them.
pub(super) fn random_text(prefix: &str) -> Option<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).ok()?;
    let body: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let check = format!("{:x}", Sha256::digest(&body));
    Some(format!("{prefix}{body}{}", &check[..8]))
}

fn no_such_key(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", format!("the application has no key `{id}`"))
}

/// The keys of an application as a change of it.
fn edit(held: &Held, doc: &ApplicationDoc) -> Edit {
    Edit {
        kind: held.kind,
        name: Some(held.parsed.name.clone()),
        // A key that another change has made meanwhile is not lost.
        condition: Condition::At(held.revision),
        write: Write::Merge(json!({ "apiKeys": doc.api_keys })),
    }
}

/// Makes a key for an application.
pub(super) fn creating(
    held: &Held,
    doc: &ApplicationDoc,
    wanted: &NewKey,
    now: u64,
) -> Result<(Edit, MadeKey), Problem> {
    let mut doc = doc.clone();
    let (key, view) = make(&mut doc, wanted, now)?;
    Ok((edit(held, &doc), MadeKey { view, key }))
}

/// Takes a key of an application away.
pub(super) fn removing(held: &Held, doc: &ApplicationDoc, id: &str) -> Result<Edit, Problem> {
    let mut doc = doc.clone();
    let before = doc.api_keys.len();
    doc.api_keys.retain(|key| id_of(key).as_deref() != Some(id));
    if doc.api_keys.len() == before {
        return Err(no_such_key(id));
    }
    Ok(edit(held, &doc))
}

/// What a new key is to be like; nothing said is nothing wanted.
pub(super) fn wanted(body: &[u8]) -> Result<NewKey, Problem> {
    if body.is_empty() {
        return Ok(NewKey::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_request", format!("the body: {error}")))
}

/// An application that somebody may see.
pub(super) fn found<'a>(
    assets: &'a Assets,
    who: &Who,
    name: &str,
) -> Result<(&'a Arc<Held>, &'a ApplicationDoc), Problem> {
    let held = find(assets, who, find_kind("applications")?, name)?;
    let doc = held.parsed.typed.downcast_ref::<ApplicationDoc>();
    Ok((held, doc.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", "it is no application"))?))
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
) -> Result<Json<Items<KeyView>>, Problem> {
    let assets = manager.assets();
    let (_, doc) = found(&assets, &who, &name)?;
    Ok(Json(Items { items: views(&manager, doc).await? }))
}

async fn create(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let wanted = wanted(&body)?;
    let assets = manager.assets();
    let (held, doc) = found(&assets, &who, &name)?;
    let (edit, made) = creating(held, doc, &wanted, manager.now())?;
    manager.change(&who, &[edit], Some("a new API key"), false).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn remove(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path((name, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let assets = manager.assets();
    let (held, doc) = found(&assets, &who, &name)?;
    manager.change(&who, &[removing(held, doc, &id)?], Some("an API key was taken away"), false).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application() -> ApplicationDoc {
        serde_json::from_value(json!({ "name": "shop" })).unwrap()
    }

    #[test]
    fn two_keys_are_live_and_one_that_is_replaced_goes_on_for_a_while() {
        let mut doc = application();
        let (key, first) = make(&mut doc, &NewKey::default(), 1_000_000).unwrap();
        assert!(key.starts_with("gwk_") && key.len() == 60, "{key}");
        let id = first.id.clone();
        let (_, second) =
            make(&mut doc, &NewKey { replaces: id.clone(), ..NewKey::default() }, 1_000_000).unwrap();
        assert_ne!(first.id, second.id);
        assert_eq!(doc.api_keys[0].expires.as_deref(), Some("1970-01-02T00:00:01Z"));
        assert!(make(&mut doc, &NewKey::default(), 2_000_000).is_err(), "two are live");
        // A shorter end stays as it is.
        let later = NewKey {
            replaces: id,
            overlap: Some(model::Duration::from_secs(1_000_000)),
            ..NewKey::default()
        };
        assert!(make(&mut doc, &later, 2_000_000).is_err());
        assert_eq!(doc.api_keys[0].expires.as_deref(), Some("1970-01-02T00:00:01Z"));
        // The first has expired by then, and makes room.
        make(&mut doc, &NewKey::default(), 100_000_000_000).unwrap();
        assert_eq!(doc.api_keys.len(), 2);
        assert!(doc.api_keys.iter().all(|key| key.expires.is_none()));
    }
}
