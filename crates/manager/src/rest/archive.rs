//! Archives: some assets with everything that they need, to be taken to another store. A secret goes without its value.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Extension, Json, extract::State, http::StatusCode, routing};
use base64ct::{Base64, Encoding};
use model::{ApiDoc, Diagnostic};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    answer::Problem,
    assets::find_kind,
    extract::{Bytes, Query},
    route::{Right, Route, post},
};
use crate::{
    ChangeError, Condition, DOCUMENT, Edit, KINDS, Manager, Privilege, Who, Write,
    dependencies::with_dependencies,
};

pub(super) const ROUTES: &[Route] = &[
    post(
        "/archive",
        "exportArchive",
        "Some assets, with everything that they refer to and their definitions, for another store.",
        Right::Privilege(&[Privilege::ExportAssets]),
        || routing::post(export),
    )
    .takes::<Wanted>()
    .answers::<Archive>(200)
    .changes_nothing(),
    post(
        "/archive/import",
        "importArchive",
        "Takes over the assets of an archive: all of them, or none.",
        Right::Privilege(&[Privilege::ImportAssets]),
        || routing::post(import),
    )
    .query::<Options>()
    .takes::<Archive>()
    .answers::<Imported>(200),
];

const FORMAT: &str = "gatewright archive";
const VERSION: u32 = 1;

/// What an archive is to hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    /// Assets as `apis/Orders:1.0`: their list, and their name or id. Default: all.
    #[serde(default)]
    assets: Vec<String>,
}

/// Assets that can be taken to another store.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Archive {
    /// `gatewright archive`.
    format: String,
    version: u32,
    /// Lists of documents, by kind, as in a configuration.
    assets: Map<String, Value>,
    /// Definitions of APIs in base64, by the SHA-256 of their bytes.
    #[serde(default)]
    definitions: BTreeMap<String, String>,
}

async fn export(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Json<Archive>, Problem> {
    let wanted: Wanted = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_json", format!("the body: {error}")))?;
    let assets = manager.assets();
    let not_found = |detail: String| Problem::new(StatusCode::NOT_FOUND, "not_found", detail);
    let mut chosen = Vec::new();
    for text in &wanted.assets {
        let (list, name) = text.split_once('/').ok_or_else(|| {
            let detail = format!("found `{text}`, expected a list and a name such as apis/Orders:1.0");
            Problem::new(StatusCode::BAD_REQUEST, "bad_request", detail)
        })?;
        let kind = find_kind(list)?;
        let held = assets.get(kind, name).filter(|held| who.sees(&assets, held));
        chosen
            .push(Arc::clone(held.ok_or_else(|| not_found(format!("there is no {} `{name}`", kind.name)))?));
    }
    if chosen.is_empty() {
        chosen = assets.all().cloned().collect();
    }
    let mut archive =
        Archive { format: FORMAT.into(), version: VERSION, assets: Map::new(), definitions: BTreeMap::new() };
    for held in with_dependencies(&assets, chosen).iter().filter(|held| who.sees(&assets, held)) {
        let list = archive.assets.entry(held.kind.list).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(held.parsed.document.clone());
        }
        let doc = held.parsed.typed.downcast_ref::<ApiDoc>();
        let location = doc.and_then(|doc| doc.definition.as_deref());
        if let Some(hash) = location.and_then(|location| location.strip_prefix(DOCUMENT))
            && let Some(content) = manager.store.document(hash).await?
        {
            archive.definitions.insert(hash.to_owned(), Base64::encode_string(&content));
        }
    }
    Ok(Json(archive))
}

/// How an archive is taken over.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    /// Lists, with commas, whose assets take the place of those that are there: `apis,upstreams`, or `*` for all.
    /// Default: none, what is there stays as it is.
    overwrite: Option<String>,
    /// Only say what would change, and what is wrong.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the history.
    reason: Option<String>,
}

/// What came of an import, or what would.
#[derive(Serialize, JsonSchema)]
struct Imported {
    revision: u64,
    results: Vec<ImportResult>,
    warnings: Vec<Diagnostic>,
}

/// What became of an asset.
#[derive(Serialize, JsonSchema)]
struct ImportResult {
    kind: &'static str,
    name: String,
    /// `created`, `updated`, `unchanged`, or `kept` when another one is there that was not to be overwritten.
    result: &'static str,
}

async fn import(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Result<Json<Imported>, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad_archive", detail);
    let mut archive: Archive = serde_json::from_slice(&body)
        .map_err(|error| bad(format!("the body is no archive of Gatewright: {error}")))?;
    if archive.format != FORMAT || archive.version != VERSION {
        let (format, version) = (&archive.format, archive.version);
        return Err(bad(format!(
            "found {format:?} of version {version}, expected {FORMAT:?} of version {VERSION}"
        )));
    }
    let overwrite: BTreeSet<&str> =
        options.overwrite.iter().flat_map(|lists| lists.split(',')).map(str::trim).collect();
    for list in overwrite.iter().filter(|list| **list != "*" && !list.is_empty()) {
        find_kind(list)?;
    }
    let before = manager.assets();
    let (mut edits, mut results) = (Vec::new(), Vec::new());
    let mut problems = model::Diagnostics::default();
    for kind in &KINDS {
        let Some(Value::Array(list)) = archive.assets.shift_remove(kind.list) else { continue };
        let replaces = overwrite.contains("*") || overwrite.contains(kind.list);
        for (index, document) in list.into_iter().enumerate() {
            let parsed = match kind.parse(document.clone()) {
                Ok(parsed) => parsed,
                Err(found) => {
                    let place = format!("assets.{}[{index}]", kind.list);
                    problems.0.extend(found.0.into_iter().map(|problem| problem.under(&place)));
                    continue;
                }
            };
            let is_there = before.has_name(kind, &parsed.name);
            let result = if is_there && !replaces { "kept" } else { "unchanged" };
            if result != "kept" {
                let condition = if replaces { Condition::Any } else { Condition::Absent };
                let name = Some(parsed.name.clone());
                edits.push((results.len(), Edit { kind, name, condition, write: Write::Put(document) }));
            }
            results.push(ImportResult { kind: kind.name, name: parsed.name, result });
        }
    }
    for key in archive.assets.keys() {
        problems.push(Diagnostic::error(format!("assets.{key}"), "is no list of assets"));
    }
    let mut contents = Vec::new();
    for (hash, text) in &archive.definitions {
        let content =
            Base64::decode_vec(text).ok().filter(|content| format!("{:x}", Sha256::digest(content)) == *hash);
        match content {
            Some(content) => contents.push(content),
            None => {
                problems.push(Diagnostic::error(format!("definitions.{hash}"), "is not what its hash says"))
            }
        }
    }
    if !problems.is_empty() {
        return Err(ChangeError::Invalid(problems).into());
    }
    let (places, edits): (Vec<usize>, Vec<Edit>) = edits.into_iter().unzip();
    crate::authorize::asked(&who, &before, &edits)?;
    // A definition by itself changes nothing: it is found by its hash, and by whoever refers to it.
    for content in &contents {
        manager.store.put_document(content, manager.now()).await?;
    }
    let reason = options.reason.as_deref().unwrap_or("import of an archive");
    let changed = manager.change(&who, &edits, Some(reason), options.dry_run).await?;
    for (place, action) in places.into_iter().zip(&changed.actions) {
        results[place].result = match action {
            Some("create") => "created",
            Some(_) => "updated",
            None => "unchanged",
        };
    }
    Ok(Json(Imported { revision: changed.revision, results, warnings: changed.warnings }))
}
