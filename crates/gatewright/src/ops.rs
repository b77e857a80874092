//! The operations listener: health, readiness, metrics, status, explanations and events, for operators and for the
//! command line. It has no login and is bound to loopback unless the settings say otherwise.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use manager::Manager;
use model::event::{EventQuery, TransactionEvent};
use proxy::DryRun;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::EventFilter;
use tokio::net::TcpListener;

use crate::{
    explain::Explanation,
    gateway::Inner,
    ready::NoSnapshot,
    tap::{TapFilter, Tapped, Tapping},
    token_keys,
};

pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// What the node tells about itself.
pub fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/health", get(|| async { StatusCode::OK }))
        .route("/health/engine", get(health_engine))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/reload", post(reload))
        .route("/apis", get(apis))
        .route("/apis/{name}/{version}/definition", get(definition))
        .route("/apis/{name}/{version}/cache/purge", post(purge))
        .route("/lockedAddresses", get(locked).delete(release_all))
        .route("/lockedAddresses/{address}", delete(release))
        .route("/certificates", get(certificates))
        .route("/explain", get(latest).post(dry_run))
        .route("/explain/{id}", get(explain))
        .route("/events", get(events))
        .route("/events/follow", get(follow))
        .route("/tap", get(tap))
        .with_state(inner)
}

pub async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    if let Err(error) = axum::serve(listener, router(inner)).await {
        tracing::error!(%error, "the operations listener ended");
    }
}

type Gateway = State<Arc<Inner>>;

fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "code": code, "detail": detail });
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

pub fn stopping() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The gateway is stopping.")
}

/// `green`, or `yellow` when the latest configuration could not be taken up or the database is away, or `red` when
/// nothing is served.
async fn health_engine(State(inner): Gateway) -> Response {
    let status = inner.status();
    let away = inner.manager.as_ref().is_some_and(|manager| manager.store_away().is_some());
    let colour = match (status.failure.is_some() || away, inner.server().is_some() && !status.stopping) {
        (_, false) => "red",
        (true, true) => "yellow",
        (false, true) => "green",
    };
    let code = if colour == "red" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut body = json!({ "status": colour, "configuration": configuration(&inner) });
    if let Some(manager) = &inner.manager {
        body["manager"] = managed(manager);
    }
    (code, Json(body)).into_response()
}

/// What is served of the assets, and whether they can be changed.
fn managed(manager: &Manager) -> Value {
    let away = manager.store_away();
    json!({ "revision": manager.serves(), "store": { "reachable": away.is_none(), "problem": away } })
}

/// Longest wait for the database when somebody wants to know how things are.
const PATIENCE: Duration = Duration::from_secs(2);

/// The same with what other nodes serve, as far as that is known.
async fn managed_by_all(manager: &Manager) -> Value {
    let mut status = managed(manager);
    if status["store"]["reachable"] == true
        && let Ok(Ok(nodes)) = tokio::time::timeout(PATIENCE, manager.nodes()).await
    {
        status["nodes"] = json!(nodes.iter().map(manager::NodeView::from).collect::<Vec<_>>());
    }
    status
}

/// True only while everything configured is live.
async fn ready(State(inner): Gateway) -> Response {
    let status = inner.status();
    if inner.server().is_none() || status.stopping {
        return stopping();
    }
    if status.failure.is_some() {
        let detail = "The latest configuration is not live; GET /status says why.";
        return problem(StatusCode::SERVICE_UNAVAILABLE, "configuration_not_live", detail);
    }
    Json(json!({ "ready": true, "revision": status.revision })).into_response()
}

async fn metrics(State(inner): Gateway) -> Response {
    match inner.metrics() {
        Some(text) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        None => stopping(),
    }
}

fn configuration(inner: &Inner) -> Value {
    let status = inner.status();
    json!({
        "revision": status.revision,
        "servedSince": status.since_ms,
        "warnings": status.warnings,
        "failure": status.failure.map(|(at, problems)| json!({ "at": at, "problems": problems })),
    })
}

async fn status(State(inner): Gateway) -> Response {
    let Some(server) = inner.server() else {
        return stopping();
    };
    let (connections, requests) = server.load();
    let snapshot = server.snapshot();
    let listeners: Vec<Value> = server
        .listeners()
        .into_iter()
        .map(|l| json!({ "name": l.name, "address": l.address.to_string(), "tls": l.tls }))
        .collect();
    let managed = match &inner.manager {
        Some(manager) => managed_by_all(manager).await,
        None => Value::Null,
    };
    let now = inner.clock.now();
    let upstreams: Vec<Value> = snapshot
        .upstreams
        .iter()
        .map(|upstream| {
            let endpoints = upstream.endpoints.iter().map(|e| {
                json!({ "url": e.url, "healthy": e.state.is_healthy(), "available": e.state.available(now), "connections": e.state.connections.load(std::sync::atomic::Ordering::Relaxed) })
            });
            json!({ "name": upstream.name, "endpoints": endpoints.collect::<Vec<_>>() })
        })
        .collect();
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "configuration": configuration(&inner),
        "manager": managed,
        "listeners": listeners,
        "apis": snapshot.apis.len(),
        "applications": snapshot.applications.list.len(),
        "upstreams": upstreams,
        "authorizationServers": token_keys::status(&snapshot, now),
        "keyMaterial": &*inner.certificates.list(),
        "connections": connections,
        "requestsInProgress": requests,
    }))
    .into_response()
}

async fn reload(State(inner): Gateway) -> Response {
    match inner.reload_source().await {
        Ok(revision) => Json(json!({ "revision": revision })).into_response(),
        Err(problems) => {
            let body = json!({ "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "code": "configuration_invalid", "problems": problems });
            (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response()
        }
    }
}

async fn apis(State(inner): Gateway) -> Response {
    let Some(server) = inner.server() else {
        return stopping();
    };
    let snapshot = server.snapshot();
    let apis: Vec<Value> = snapshot
        .apis
        .iter()
        .map(|api| {
            json!({ "name": api.names.name, "version": api.names.version, "basePath": api.base_path, "hosts": api.doc.hosts, "operations": api.names.operations.len(), "policies": api.names.policies.iter().map(|p| &p.name).collect::<Vec<_>>() })
        })
        .collect();
    Json(json!({ "apis": apis })).into_response()
}

/// The definition as it was imported, byte for byte.
async fn definition(State(inner): Gateway, Path((name, version)): Path<(String, String)>) -> Response {
    let found = inner.server().and_then(|server| {
        let place = server
            .snapshot()
            .apis
            .iter()
            .position(|a| *a.names.name == *name && *a.names.version == *version)?;
        inner.status().definitions.get(place).cloned().flatten()
    });
    match found.as_ref().and_then(|definition| definition.documents.first()) {
        Some(document) => {
            let json = document.bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
            let kind = if json { "application/json" } else { "application/yaml" };
            ([(CONTENT_TYPE, kind)], Bytes::copy_from_slice(&document.bytes)).into_response()
        }
        None => {
            problem(StatusCode::NOT_FOUND, "no_definition", "There is no such API, or it has no definition.")
        }
    }
}

/// Has an API forget the answers that its policies keep.
async fn purge(State(inner): Gateway, Path((name, version)): Path<(String, String)>) -> Response {
    let Some(server) = inner.server() else {
        return stopping();
    };
    let snapshot = server.snapshot();
    match snapshot.apis.iter().find(|a| *a.names.name == *name && *a.names.version == *version) {
        Some(api) => {
            api.purge_caches();
            StatusCode::NO_CONTENT.into_response()
        }
        None => problem(StatusCode::NOT_FOUND, "no_such_api", "There is no API of this name and version."),
    }
}

/// Keystores and truststores, and every certificate with when it ends.
async fn certificates(State(inner): Gateway) -> Response {
    Json(&*inner.certificates.list()).into_response()
}

/// Addresses that are locked, with when that ends.
async fn locked(State(inner): Gateway) -> Response {
    let Some(server) = inner.server() else {
        return stopping();
    };
    let snapshot = server.snapshot();
    let locked = snapshot.address_lock.as_ref().map(|lock| lock.locked(inner.clock.now()));
    Json(locked.unwrap_or_default()).into_response()
}

async fn release_all(State(inner): Gateway) -> Response {
    let Some(server) = inner.server() else {
        return stopping();
    };
    if let Some(lock) = &server.snapshot().address_lock {
        let released = lock.release(None, inner.clock.now());
        tracing::info!(released, "released all addresses that were locked");
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn release(State(inner): Gateway, Path(address): Path<IpAddr>) -> Response {
    let Some(server) = inner.server() else {
        return stopping();
    };
    let snapshot = server.snapshot();
    let lock = snapshot.address_lock.as_ref();
    if lock.is_none_or(|lock| lock.release(Some(address), inner.clock.now()) == 0) {
        return problem(StatusCode::NOT_FOUND, "not_locked", "The address is not locked on this node.");
    }
    tracing::info!(%address, "released an address that was locked");
    StatusCode::NO_CONTENT.into_response()
}

async fn explain(State(inner): Gateway, Path(id): Path<String>) -> Response {
    match inner.explain(&id).await {
        Some(explanation) => Json(explanation).into_response(),
        None => problem(
            StatusCode::NOT_FOUND,
            "no_record",
            "There is no record of this request: the id is wrong, or the record is older than what settings.explain keeps.",
        ),
    }
}

#[derive(Deserialize)]
struct Latest {
    limit: Option<usize>,
}

async fn latest(State(inner): Gateway, Query(query): Query<Latest>) -> Json<Vec<Explanation>> {
    Json(inner.latest(query.limit.unwrap_or(20).min(1_000)).await)
}

/// A request to think about.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    pub method: String,
    /// Path with query, or a full URL.
    pub url: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Address of the client. Default: loopback.
    #[serde(default)]
    pub client: Option<std::net::IpAddr>,
    /// Revision of the assets that it is asked about. Default: what is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

async fn dry_run(State(inner): Gateway, Json(question): Json<Question>) -> Response {
    let head = match question_head(&question) {
        Ok(head) => head,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad_question", &detail),
    };
    let client = question.client.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
    let snapshot = match question.revision {
        None => None,
        Some(revision) => match inner.snapshot_at(revision).await {
            Ok(snapshot) => Some(snapshot),
            Err(away) => return no_snapshot(revision, away),
        },
    };
    match inner.dry_run(DryRun { head, client, snapshot }).await {
        Some(mut explanation) => {
            explanation.asset_revision = question.revision;
            Json(explanation).into_response()
        }
        None => stopping(),
    }
}

/// Why nothing can be asked about a revision.
fn no_snapshot(revision: u64, why: NoSnapshot) -> Response {
    match why {
        NoSnapshot::NoManager => problem(
            StatusCode::CONFLICT,
            "no_manager",
            "This node keeps no revisions: it serves what is in its files (settings.manager.enabled).",
        ),
        NoSnapshot::Unknown { newest } => {
            let detail = format!("There is no revision {revision}; the newest is {newest}.");
            problem(StatusCode::NOT_FOUND, "no_such_revision", &detail)
        }
        NoSnapshot::Store(error) => problem(StatusCode::SERVICE_UNAVAILABLE, "store_away", &error),
        NoSnapshot::Refused(problems) => {
            let detail =
                format!("Revision {revision} cannot be served by this node as it is now:\n{problems}");
            problem(StatusCode::CONFLICT, "revision_refused", &detail)
        }
    }
}

fn question_head(question: &Question) -> Result<engine::RequestHead, String> {
    let method = Method::from_bytes(question.method.as_bytes())
        .map_err(|_| format!("found method `{}`, expected one such as GET", question.method))?;
    let uri = question
        .url
        .parse::<Uri>()
        .map_err(|_| format!("found URL `{}`, expected a path or a URL", question.url))?;
    let mut head = engine::RequestHead { method, uri, ..Default::default() };
    for (name, value) in &question.headers {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("found header name `{name}`"))?;
        let value =
            HeaderValue::from_str(value).map_err(|_| format!("the value of header {name} is not valid"))?;
        head.headers.append(name, value);
    }
    Ok(head)
}

fn event_filter(query: EventQuery) -> Result<EventFilter, String> {
    let code = query.code.map(|code| parse_code(&code)).transpose()?;
    let cursor = query.cursor.map(|c| c.parse().map_err(|e| format!("cursor: {e}"))).transpose()?;
    Ok(EventFilter {
        event_type: query.event_type,
        from_ms: query.from,
        to_ms: query.to,
        api: query.api,
        application: query.application,
        operation: query.operation,
        status: query.status,
        response_code: code,
        method: query.method,
        path_prefix: query.path,
        client_ip: query.client,
        reason_code: query.reason,
        correlation_id: query.id,
        limit: query.limit,
        cursor,
    })
}

fn parse_code(code: &str) -> Result<std::ops::RangeInclusive<u16>, String> {
    let error = || format!("found code `{code}`, expected one such as 404 or 5xx");
    if let Some(class) = code.strip_suffix("xx") {
        let class: u16 = class.parse().map_err(|_| error())?;
        return if (1..=5).contains(&class) { Ok(class * 100..=class * 100 + 99) } else { Err(error()) };
    }
    let code = code.parse().map_err(|_| error())?;
    Ok(code..=code)
}

async fn events(State(inner): Gateway, Query(query): Query<EventQuery>) -> Response {
    let filter = match event_filter(query) {
        Ok(filter) => filter,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad_filter", &detail),
    };
    let Some(store) = inner.events().await else {
        return problem(StatusCode::NOT_FOUND, "events_disabled", "settings.events.enabled is false.");
    };
    match store.list(&filter).await {
        Ok(page) => Json(json!({ "events": page.events, "next": page.next.map(|c| c.to_string()), "warnings": page.warnings })).into_response(),
        Err(error) => {
            tracing::error!(%error, "events could not be listed");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "store_failed", "The event store could not be read; the log says why.")
        }
    }
}

/// Events as they are stored, each a line of JSON, until the client goes.
async fn follow(State(inner): Gateway, Query(query): Query<EventQuery>) -> Response {
    let filter = match event_filter(query) {
        Ok(filter) => filter,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad_filter", &detail),
    };
    let Some(store) = inner.events().await else {
        return problem(StatusCode::NOT_FOUND, "events_disabled", "settings.events.enabled is false.");
    };
    let (lines, received) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(16);
    let mut followed = store.follow();
    tokio::spawn(async move {
        loop {
            match followed.recv().await {
                Ok(events) => {
                    let text = as_lines(events.iter().filter(|e| filter.matches(e)));
                    if !text.is_empty() && lines.send(Ok(text.into())).await.is_err() {
                        return;
                    }
                    if lines.is_closed() {
                        return;
                    }
                }
                // A reader that is too slow misses some and goes on.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
            }
        }
    });
    let stream = futures_util::stream::unfold(received, |mut received| async move {
        received.recv().await.map(|line| (line, received))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

/// What is watched, as in the command line.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TapQuery {
    api: Option<String>,
    application: Option<String>,
    /// `404`, or `5xx`.
    status: Option<String>,
    code: Option<String>,
    path: Option<String>,
    policy: Option<String>,
    slow: Option<model::Duration>,
    /// With the routes that were in question.
    #[serde(default)]
    explain: bool,
}

/// Requests as they end, each a line of JSON, until the client goes.
async fn tap(State(inner): Gateway, Query(query): Query<TapQuery>) -> Response {
    let status = match query.status.as_deref().map(parse_code).transpose() {
        Ok(status) => status,
        Err(detail) => return problem(StatusCode::BAD_REQUEST, "bad_filter", &detail),
    };
    let filter = TapFilter {
        api: query.api,
        application: query.application,
        status,
        code: query.code,
        path: query.path,
        policy: query.policy,
        slow: query.slow.map(model::Duration::get),
    };
    let tapped = inner.collected.taps.open(filter);
    // Read only as fast as the client takes it: what does not fit meanwhile is lost, and told.
    let stream = futures_util::stream::unfold((tapped, inner), move |(mut tapped, inner)| async move {
        let line = tap_line(&mut tapped, &inner, query.explain).await?;
        Some((Ok::<_, Infallible>(line), (tapped, inner)))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

async fn tap_line(tapped: &mut Tapped, inner: &Inner, with_candidates: bool) -> Option<Bytes> {
    let mut line = tapped.next().await?;
    if with_candidates
        && let Tapping::Record(record) = &mut line
        && let Some(server) = inner.server()
    {
        record.add_candidates(&server.snapshot());
    }
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut text, &line);
    text.push(b'\n');
    Some(text.into())
}

fn as_lines<'a>(events: impl Iterator<Item = &'a TransactionEvent>) -> Vec<u8> {
    let mut text = Vec::new();
    for event in events {
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, event);
        text.push(b'\n');
    }
    text
}
