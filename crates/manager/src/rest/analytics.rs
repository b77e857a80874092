//! What requests add up to, for dashboards: on the node that answers.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::analytics::{AnalyticsQuery, AnalyticsRow, Grouping, Interval};

use super::{
    answer::{Problem, time},
    extract::Query,
    gateway::SEE_REQUESTS,
    route::{Route, get},
};
use crate::{Manager, Who, kind};

pub(super) const ROUTES: &[Route] = &[get(
    "/analytics",
    "getAnalytics",
    "What requests add up to: traffic, errors, latency, refusals and cache hits, by time, API and application, as JSON or CSV.",
    SEE_REQUESTS,
    || routing::get(show),
)
.query::<AnalyticsOptions>()
.answers::<AnalyticsReport>(200)];

/// Which requests, and how they are added up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AnalyticsOptions {
    /// From here on, in milliseconds since 1970. Default: a day before `to`. Beyond six hours, and for hours and days, from
    /// the beginning of that hour.
    pub from: Option<u64>,
    /// Before this, in milliseconds since 1970. Default: now.
    pub to: Option<u64>,
    /// Length of a bucket of time. Minutes are kept for two days, hours for 400.
    #[serde(default)]
    pub interval: AnalyticsInterval,
    /// What requests are told apart by.
    #[serde(default)]
    pub group: AnalyticsGroup,
    /// Only this API: its name, or its name with a version, as in `Orders:1.0`.
    pub api: Option<String>,
    /// Only this application.
    pub application: Option<String>,
    /// Most rows. Where the whole time is one bucket, those with most requests come first. Default: 1000, at most 50000.
    pub limit: Option<usize>,
    #[serde(default)]
    pub format: AnalyticsFormat,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum AnalyticsInterval {
    /// The whole time is one bucket.
    #[default]
    All,
    Minute,
    Hour,
    /// In UTC.
    Day,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum AnalyticsGroup {
    #[default]
    None,
    Api,
    Application,
    /// API and application.
    Both,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum AnalyticsFormat {
    #[default]
    Json,
    Csv,
}

/// What requests add up to.
#[derive(Serialize, JsonSchema)]
pub(super) struct AnalyticsReport {
    from: u64,
    to: u64,
    items: Vec<AnalyticsItem>,
    /// There were more rows than `limit`.
    truncated: bool,
}

/// What the requests of a bucket of time add up to. Buckets without requests are left out.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnalyticsItem {
    /// When the bucket begins, in milliseconds since 1970.
    at: u64,
    /// As in `Orders:1.0`; empty for requests that found no API. Missing where APIs are not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<String>,
    /// Empty for requests that no application was identified for. Missing where applications are not told apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    requests: u64,
    /// Answers with a status of 400 to 499.
    client_errors: u64,
    /// Answers with a status of 500 and above.
    server_errors: u64,
    /// Requests that a policy or the gateway refused.
    refused: u64,
    /// The same by the code of the reason.
    reasons: BTreeMap<String, u64>,
    /// Answers from the cache.
    cache_hits: u64,
    request_bytes: u64,
    response_bytes: u64,
    /// Milliseconds from the request to the end of its answer.
    average_ms: f64,
    /// The part of it that the native service took.
    provider_ms: f64,
    /// Half of the requests took no longer. Within one part in thirty-two, as those below.
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
}

const DAY: u64 = 86_400_000;
const LONGEST: u64 = 400 * DAY;
const MOST_ROWS: usize = 50_000;

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Query(options): Query<AnalyticsOptions>,
) -> Result<Response, Problem> {
    let assets = manager.assets();
    let apis = (!who.sees_everything()).then(|| {
        let all = kind("api").into_iter().flat_map(|kind| assets.list(kind));
        all.filter(|held| who.sees(&assets, held)).map(|held| held.parsed.name.clone()).collect()
    });
    let scope = Scope { apis, applications: options.application.clone().map(|name| vec![name]) };
    let format = options.format;
    let report = report(&manager, options, scope).await?;
    Ok(match format {
        AnalyticsFormat::Json => Json(report).into_response(),
        AnalyticsFormat::Csv => csv(&report),
    })
}

/// Whose requests may be told of.
pub(super) struct Scope {
    pub apis: Option<Vec<String>>,
    pub applications: Option<Vec<String>>,
}

/// Asks the node.
pub(super) async fn report(
    manager: &Manager,
    options: AnalyticsOptions,
    scope: Scope,
) -> Result<AnalyticsReport, Problem> {
    let to = options.to.unwrap_or(manager.now() / 1_000 + 1);
    let from = options.from.unwrap_or(to.saturating_sub(DAY));
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad_query", detail);
    if from >= to || to - from > LONGEST {
        return Err(bad(format!(
            "`from`: found {from}, expected at most 400 days before `to`, which is {to}"
        )));
    }
    if matches!(options.interval, AnalyticsInterval::Minute) && to - from > 2 * DAY {
        return Err(bad("`interval`: found minute, which is for at most two days".to_owned()));
    }
    let analytics = match manager.node() {
        Some(node) => node.analytics().await,
        None => None,
    };
    let Some(analytics) = analytics else {
        let detail = "The node keeps no events, so that nothing adds up: settings.events.enabled is false.";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_events", detail));
    };
    let query = AnalyticsQuery {
        from_ms: from,
        to_ms: to,
        interval: match options.interval {
            AnalyticsInterval::All => Interval::All,
            AnalyticsInterval::Minute => Interval::Minute,
            AnalyticsInterval::Hour => Interval::Hour,
            AnalyticsInterval::Day => Interval::Day,
        },
        group: match options.group {
            AnalyticsGroup::None => Grouping::Nothing,
            AnalyticsGroup::Api => Grouping::Api,
            AnalyticsGroup::Application => Grouping::Application,
            AnalyticsGroup::Both => Grouping::Both,
        },
        api: options.api,
        apis: scope.apis,
        applications: scope.applications,
    };
    let mut rows = analytics.query(&query).await?;
    if query.interval == Interval::All {
        rows.sort_by_key(|row| std::cmp::Reverse(row.cell.requests));
    }
    let most = options.limit.unwrap_or(1_000).clamp(1, MOST_ROWS);
    let truncated = rows.len() > most;
    rows.truncate(most);
    let items = rows.into_iter().map(|row| item(row, query.group)).collect();
    Ok(AnalyticsReport { from, to, items, truncated })
}

#[expect(clippy::cast_precision_loss, reason = "times of requests are far below 2^53 microseconds")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

fn item(row: AnalyticsRow, group: Grouping) -> AnalyticsItem {
    let AnalyticsRow { at_ms, api, application, cell } = row;
    let requests = cell.requests.max(1);
    let quantile = |per_mille| millis(cell.latency.quantile(per_mille).unwrap_or_default());
    AnalyticsItem {
        at: at_ms,
        api: matches!(group, Grouping::Api | Grouping::Both).then_some(api),
        application: matches!(group, Grouping::Application | Grouping::Both).then_some(application),
        requests: cell.requests,
        client_errors: cell.client_errors,
        server_errors: cell.server_errors,
        refused: cell.refused(),
        cache_hits: cell.cache_hits,
        request_bytes: cell.request_bytes,
        response_bytes: cell.response_bytes,
        average_ms: millis(cell.total_us / requests),
        provider_ms: millis(cell.provider_us / requests),
        p50_ms: quantile(500),
        p90_ms: quantile(900),
        p99_ms: quantile(990),
        reasons: cell.reasons.into_iter().map(|(code, count)| (code.into_owned(), count)).collect(),
    }
}

fn csv(report: &AnalyticsReport) -> Response {
    let mut text = String::from(
        "time,api,application,requests,clientErrors,serverErrors,refused,cacheHits,requestBytes,responseBytes,averageMs,providerMs,p50Ms,p90Ms,p99Ms\r\n",
    );
    for item in &report.items {
        let (api, application) = (field(item.api.as_deref()), field(item.application.as_deref()));
        // Writing to memory cannot fail.
        let _ = write!(
            text,
            "{},{api},{application},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
            time(item.at.saturating_mul(1_000)),
            item.requests,
            item.client_errors,
            item.server_errors,
            item.refused,
            item.cache_hits,
            item.request_bytes,
            item.response_bytes,
            item.average_ms,
            item.provider_ms,
            item.p50_ms,
            item.p90_ms,
            item.p99_ms,
        );
    }
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"analytics.csv\""));
    response
}

/// A name, as RFC 4180 quotes it. Programs that calculate take some beginnings for formulas.
fn field(name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    let guard = if name.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    match name.contains(['"', ',', '\n', '\r']) || !guard.is_empty() {
        true => format!("\"{guard}{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn names_in_csv_are_neither_columns_nor_formulas() {
        for (name, expected) in [
            ("orders:1.0", "orders:1.0"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "\"'=1+1\""),
        ] {
            assert_eq!(field(Some(name)), expected);
        }
        assert_eq!(field(None), "");
    }
}
