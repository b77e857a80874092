//! The catalogue: APIs that are published in the portal, with their definitions and documents.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use axum::{Extension, Json, extract::State, http::StatusCode, response::Response, routing};
use base64ct::{Base64, Encoding};
use model::{
    ApiDoc, ApiDocumentDoc, LifecycleState, PlanDoc, PolicyTemplateDoc,
    portal::{PortalChange, PortalVisibility},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::assets::Rating;

use super::{api_of, find_api, is_visible, name_of, not_found, visible};
use crate::{
    Assets, Held, Manager, Who, kind,
    rest::{
        answer::{Problem, time},
        definition::original,
        extract::{Path, Query},
        login::Visitor,
        route::{Content, Right, Route, get},
        uploaded::{bytes, icon_of},
    },
};

pub(super) const ROUTES: &[Route] = &[
    get(
        "/portal/apis",
        "listPortalApis",
        "The APIs of the portal that are there for whoever asks.",
        Right::Visitor,
        || routing::get(list),
    )
    .query::<CatalogQuery>()
    .answers::<PortalApiPage>(200),
    get(
        "/portal/apis/{name}",
        "getPortalApi",
        "An API of the portal, by its name with version or by its id.",
        Right::Visitor,
        || routing::get(show),
    )
    .answers::<PortalApiDetail>(200),
    get(
        "/portal/apis/{name}/definition",
        "getPortalDefinition",
        "The definition of an API of the portal.",
        Right::Visitor,
        || routing::get(definition),
    )
    .answers_content(200, Content::AnyJson),
    get(
        "/portal/apis/{name}/icon",
        "getPortalIcon",
        "The icon of an API of the portal.",
        Right::Visitor,
        || routing::get(icon),
    )
    .answers_content(200, Content::Bytes("image/*")),
    get(
        "/portal/documents/{name}",
        "getPortalDocument",
        "A document about an API: Markdown as text, a file as it is.",
        Right::Visitor,
        || routing::get(document),
    )
    .answers_content(200, Content::Bytes("*/*")),
];

/// Which APIs of the portal somebody wants to see.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CatalogQuery {
    /// Words that are all in name, summary, description, tags, categories or groups, in any case.
    search: Option<String>,
    category: Option<String>,
    tag: Option<String>,
    group: Option<String>,
    maturity: Option<String>,
    #[serde(default)]
    sort: CatalogSort,
    /// APIs before the page. Default: 0.
    #[serde(default)]
    offset: usize,
    /// APIs on the page, 1 to 100. Default: 24.
    limit: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum CatalogSort {
    /// By name, then by version.
    #[default]
    Name,
    /// The best rated first.
    Rating,
    /// What was changed last first.
    Changed,
}

/// A page of the catalogue.
#[derive(Serialize, JsonSchema)]
struct PortalApiPage {
    items: Vec<PortalApiView>,
    /// How many there are on all pages.
    total: usize,
    /// Categories of all APIs that are there, with how many APIs each has.
    categories: BTreeMap<String, usize>,
    /// Tags of all APIs that are there, with how many APIs each has.
    tags: BTreeMap<String, usize>,
    /// Groups of all APIs that are there, with how many APIs each has.
    groups: BTreeMap<String, usize>,
    /// What the maturity of all APIs that are there is, with how many APIs each has.
    maturities: BTreeMap<String, usize>,
}

/// An API as the catalogue lists it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PortalApiView {
    id: String,
    /// As in `Orders:1.0`, for paths.
    name: String,
    title: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    categories: Vec<String>,
    tags: Vec<String>,
    groups: Vec<String>,
    /// How far it has come, such as `Beta`.
    #[serde(skip_serializing_if = "Option::is_none")]
    maturity: Option<String>,
    /// It has an icon, at `GET /portal/apis/{name}/icon`.
    has_icon: bool,
    visibility: PortalVisibility,
    /// Where it is in its life: `preReleased`, `published`, `blocked` or `deprecated`.
    state: LifecycleState,
    /// When a deprecated API goes away.
    #[serde(skip_serializing_if = "Option::is_none")]
    retire_at: Option<String>,
    rating: RatingView,
    /// It takes requests of applications with a subscription only.
    needs_subscription: bool,
    changed_at: String,
}

/// What an API was rated.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RatingView {
    /// 1 to 5; missing when nobody has rated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    average: Option<f64>,
    count: u64,
    /// What whoever asks has rated it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<u64>,
}

/// An API of the portal.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PortalApiDetail {
    #[serde(flatten)]
    view: PortalApiView,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Who answers questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<String>,
    /// Path of the API on the gateway.
    base_path: String,
    /// Host names that it answers on; empty for all.
    hosts: Vec<String>,
    /// Header that carries the API key, where one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_header: Option<String>,
    /// Plans that subscriptions can be had by.
    plans: Vec<PlanView>,
    /// Names of all its versions that are there.
    versions: Vec<VersionView>,
    documents: Vec<DocumentView>,
    /// What changed, the newest first.
    changes: Vec<PortalChange>,
    /// `GET /portal/apis/{name}/definition` has one.
    has_definition: bool,
}

#[derive(Serialize, JsonSchema)]
struct VersionView {
    /// As in `Orders:2.0`, for paths.
    name: String,
    version: String,
}

/// A plan, for those who choose one.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PlanView {
    name: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<model::plan::PlanRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<model::plan::PlanQuota>,
    /// Requests beyond the quota are refused.
    stop_on_quota_reach: bool,
    /// A subscription waits until somebody approves it.
    approval: bool,
}

/// Something to read about an API.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DocumentView {
    /// For `GET /portal/documents/{name}`, but for links.
    name: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    kind: DocumentKind,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// What a file is called, and what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum DocumentKind {
    Markdown,
    Link,
    File,
}

async fn list(
    State(manager): State<Arc<Manager>>,
    Extension(Visitor(who)): Extension<Visitor>,
    Query(query): Query<CatalogQuery>,
) -> Result<Json<PortalApiPage>, Problem> {
    let assets = manager.assets();
    let ratings = manager.store.ratings().await?;
    let (mut categories, mut tags) = (BTreeMap::new(), BTreeMap::new());
    let (mut groups, mut maturities) = (BTreeMap::new(), BTreeMap::new());
    let mut found: Vec<&Arc<Held>> = Vec::new();
    for held in visible(&assets, who.as_ref()) {
        let Some(doc) = api_of(held) else { continue };
        for category in doc.portal.iter().flat_map(|portal| &portal.categories) {
            *categories.entry(category.clone()).or_default() += 1;
        }
        for tag in &doc.tags {
            *tags.entry(tag.clone()).or_default() += 1;
        }
        for group in &doc.groups {
            *groups.entry(group.clone()).or_default() += 1;
        }
        if let Some(maturity) = &doc.maturity {
            *maturities.entry(maturity.clone()).or_default() += 1;
        }
        if fits(doc, &query) {
            found.push(held);
        }
    }
    match query.sort {
        // They come by name.
        CatalogSort::Name => {}
        CatalogSort::Rating => found.sort_by_key(|held| Reverse(rank(ratings.get(&held.id)))),
        CatalogSort::Changed => found.sort_by_key(|held| Reverse(held.changed_at)),
    }
    let total = found.len();
    let page = found.into_iter().skip(query.offset).take(query.limit.unwrap_or(24).clamp(1, 100));
    let items = page.filter_map(|held| Some(view(held, api_of(held)?, &ratings, None))).collect();
    Ok(Json(PortalApiPage { items, total, categories, tags, groups, maturities }))
}

/// Stars in hundredths, and how many gave them.
fn rank(rating: Option<&Rating>) -> (u64, u64) {
    rating.map_or((0, 0), |rating| (rating.stars * 100 / rating.count.max(1), rating.count))
}

fn fits(doc: &ApiDoc, query: &CatalogQuery) -> bool {
    let portal = doc.portal.clone().unwrap_or_default();
    if query.category.as_ref().is_some_and(|category| !portal.categories.contains(category))
        || query.tag.as_ref().is_some_and(|tag| !doc.tags.contains(tag))
        || query.group.as_ref().is_some_and(|group| !doc.groups.contains(group))
        || query.maturity.as_ref().is_some_and(|maturity| doc.maturity.as_ref() != Some(maturity))
    {
        return false;
    }
    let Some(search) = &query.search else { return true };
    let texts = [Some(name_of(doc)), portal.summary.as_deref(), doc.description.as_deref()];
    let lists = doc.tags.iter().chain(&portal.categories).chain(&doc.groups).map(String::as_str);
    let text = texts.into_iter().flatten().chain(lists).collect::<Vec<_>>().join("\n").to_lowercase();
    search.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn view(held: &Held, doc: &ApiDoc, ratings: &HashMap<String, Rating>, own: Option<u64>) -> PortalApiView {
    let portal = doc.portal.clone().unwrap_or_default();
    let rating = ratings.get(&held.id).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "nobody counts so many stars")]
    let average =
        (rating.count > 0).then(|| (rating.stars as f64 / rating.count as f64 * 100.0).round() / 100.0);
    PortalApiView {
        id: held.id.clone(),
        name: held.parsed.name.clone(),
        title: name_of(doc).to_owned(),
        version: doc.version.clone().unwrap_or_else(|| "1.0".to_owned()),
        summary: portal.summary.or_else(|| doc.description.clone()),
        categories: portal.categories,
        tags: doc.tags.clone(),
        groups: doc.groups.clone(),
        maturity: doc.maturity.clone(),
        has_icon: doc.icon.is_some(),
        visibility: portal.visibility,
        state: doc.lifecycle.state,
        retire_at: doc.lifecycle.retire_at.clone(),
        rating: RatingView { average, count: rating.count, own },
        needs_subscription: !doc.plans.is_empty(),
        changed_at: time(held.changed_at),
    }
}

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(Visitor(who)): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Json<PortalApiDetail>, Problem> {
    let assets = manager.assets();
    let held = find_api(&assets, who.as_ref(), &name)?;
    let Some(doc) = api_of(held) else { return Err(not_found("API", &name)) };
    let own = match &who {
        Some(who) => manager.store.rating_of(&held.id, &who.user).await?,
        None => None,
    };
    let versions = visible(&assets, who.as_ref()).filter_map(|other| {
        let other_doc = api_of(other).filter(|other| other.name == doc.name)?;
        let version = other_doc.version.clone().unwrap_or_else(|| "1.0".to_owned());
        Some(VersionView { name: other.parsed.name.clone(), version })
    });
    let portal = doc.portal.clone().unwrap_or_default();
    let ratings = manager.store.ratings().await?;
    let version = doc.version.as_deref().unwrap_or("1.0");
    let default_path = || format!("/gateway/{}/{version}", name_of(doc).trim().replace('/', "-"));
    Ok(Json(PortalApiDetail {
        view: view(held, doc, &ratings, own),
        description: doc.description.clone(),
        contact: portal.contact,
        base_path: doc.base_path.clone().unwrap_or_else(default_path),
        hosts: doc.hosts.clone(),
        key_header: key_header(&assets, doc),
        plans: plans(&assets, &doc.plans),
        versions: versions.collect(),
        documents: documents(&assets, doc).map(document_view).collect(),
        changes: portal.changes,
        has_definition: assets.definition(held).is_some(),
    }))
}

/// Plans by their names.
pub(super) fn plans(assets: &Assets, names: &[String]) -> Vec<PlanView> {
    let plans = names.iter().filter_map(|name| plan(assets, name));
    let views = plans.map(|plan| PlanView {
        name: plan.name.clone(),
        title: plan.display_name.clone().unwrap_or_else(|| plan.name.clone()),
        description: plan.description.clone(),
        rate: plan.rate.clone(),
        quota: plan.quota.clone(),
        stop_on_quota_reach: plan.stop_on_quota_reach,
        approval: plan.approval,
    });
    views.collect()
}

pub(super) fn plan<'a>(assets: &'a Assets, name: &str) -> Option<&'a PlanDoc> {
    assets.get(kind("plan")?, name)?.parsed.typed.downcast_ref::<PlanDoc>()
}

/// The header that carries the API key, as the policies of an API and of its templates say.
fn key_header(assets: &Assets, doc: &ApiDoc) -> Option<String> {
    const DEFAULT: &str = "x-Gateway-APIKey";
    let template = |name: &String| {
        let held = assets.get(kind("policyTemplate")?, name)?;
        held.parsed.typed.downcast_ref::<PolicyTemplateDoc>()
    };
    let copies = doc.templates.iter().filter_map(template).flat_map(|template| &template.policies);
    doc.policies.iter().chain(copies).filter(|policy| !policy.disabled).find_map(|policy| {
        let header = |config: &serde_json::Value| {
            config.get("header").and_then(|header| header.as_str()).unwrap_or(DEFAULT).to_owned()
        };
        match policy.kind.as_str() {
            "apiKey" => Some(header(&policy.config)),
            "identifyAndAuthorize" => {
                let rules = policy.config.get("rules").and_then(|rules| rules.as_array());
                let is_key =
                    |rule: &&serde_json::Value| rule.get("type").is_some_and(|kind| kind == "apiKey");
                rules.into_iter().flatten().find(is_key).map(header).filter(|header| !header.is_empty())
            }
            _ => None,
        }
    })
}

/// The documents about an API, by name.
fn documents<'a>(assets: &'a Assets, api: &'a ApiDoc) -> impl Iterator<Item = &'a ApiDocumentDoc> {
    let all = kind("apiDocument").into_iter().flat_map(|kind| assets.list(kind));
    let docs = all.filter_map(|held| held.parsed.typed.downcast_ref::<ApiDocumentDoc>());
    docs.filter(move |document| is_about(document, api))
}

fn is_about(document: &ApiDocumentDoc, api: &ApiDoc) -> bool {
    let version = api.version.as_deref().unwrap_or("1.0");
    match document.api.strip_prefix(name_of(api)) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':') == Some(version),
        None => false,
    }
}

fn document_view(document: &ApiDocumentDoc) -> DocumentView {
    let kind = match (&document.url, &document.file) {
        (Some(_), _) => DocumentKind::Link,
        (None, Some(_)) => DocumentKind::File,
        (None, None) => DocumentKind::Markdown,
    };
    DocumentView {
        name: document.name.clone(),
        title: document.title.clone().unwrap_or_else(|| document.name.clone()),
        summary: document.summary.clone(),
        kind,
        url: document.url.clone(),
        file_name: document.file.as_ref().map(|file| file.name.clone()),
        media_type: document.file.as_ref().map(|file| file.media_type.clone()),
    }
}

async fn definition(
    State(manager): State<Arc<Manager>>,
    Extension(Visitor(who)): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let assets = manager.assets();
    let held = find_api(&assets, who.as_ref(), &name)?;
    original(&assets, held).ok_or_else(|| {
        // Where it is instead is for those who manage the API.
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("`{name}` has no definition here"))
    })
}

async fn icon(
    State(manager): State<Arc<Manager>>,
    Extension(Visitor(who)): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let assets = manager.assets();
    let held = find_api(&assets, who.as_ref(), &name)?;
    let icon = api_of(held).and_then(icon_of);
    icon.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_found", format!("`{name}` has no icon")))
}

async fn document(
    State(manager): State<Arc<Manager>>,
    Extension(Visitor(who)): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let assets = manager.assets();
    let held = kind("apiDocument").and_then(|kind| assets.get(kind, &name));
    let found = held.and_then(|held| held.parsed.typed.downcast_ref::<ApiDocumentDoc>());
    let found = found.filter(|document| may_read(&assets, who.as_ref(), document));
    let found = found.ok_or_else(|| not_found("document", &name))?;
    match (&found.markdown, &found.file) {
        (Some(text), _) => Ok(bytes("text/markdown; charset=utf-8", text.clone().into_bytes(), None)),
        (None, Some(file)) => {
            // It was looked at when it was written.
            let data = Base64::decode_vec(&file.data).unwrap_or_default();
            Ok(bytes(&file.media_type, data, Some(&file.name)))
        }
        (None, None) => {
            let detail = format!("`{name}` is a link: {}", found.url.as_deref().unwrap_or_default());
            Err(Problem::new(StatusCode::NOT_FOUND, "is_a_link", detail))
        }
    }
}

/// Whether it is about an API that is there for somebody.
fn may_read(assets: &Assets, who: Option<&Who>, document: &ApiDocumentDoc) -> bool {
    let apis = kind("api").into_iter().flat_map(|kind| assets.list(kind));
    apis.filter(|held| api_of(held).is_some_and(|api| is_about(document, api)))
        .any(|held| is_visible(assets, who, held))
}
