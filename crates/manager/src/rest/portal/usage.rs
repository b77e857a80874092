//! What one's own applications have called.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, routing};
use schemars::JsonSchema;
use serde::Deserialize;

use super::own::find_application;
use crate::{
    Manager, Who,
    rest::{
        analytics::{AnalyticsGroup, AnalyticsInterval, AnalyticsOptions, AnalyticsReport, Scope, report},
        answer::Problem,
        extract::{Path, Query},
        route::{Right, Route, get},
    },
};

pub(super) const ROUTES: &[Route] = &[get(
    "/portal/applications/{name}/usage",
    "getOwnUsage",
    "Requests, errors and latency of an application of one's own, by API, on the node that answers.",
    Right::Consumer,
    || routing::get(show),
)
.query::<UsageQuery>()
.answers::<AnalyticsReport>(200)];

/// Which requests, and how they are added up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UsageQuery {
    /// From here on, in milliseconds since 1970. Default: 30 days before `to`.
    from: Option<u64>,
    /// Before this, in milliseconds since 1970. Default: now.
    to: Option<u64>,
    /// Length of a bucket of time. Default: day.
    interval: Option<AnalyticsInterval>,
    /// Only this API: its name, or its name with a version.
    api: Option<String>,
}

const MONTH: u64 = 30 * 86_400_000;

async fn show(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    Path(name): Path<String>,
    Query(query): Query<UsageQuery>,
) -> Result<Json<AnalyticsReport>, Problem> {
    let assets = manager.assets();
    let (_, doc) = find_application(&assets, &who, &name)?;
    let to = query.to.unwrap_or(manager.now() / 1_000 + 1);
    let options = AnalyticsOptions {
        from: Some(query.from.unwrap_or(to.saturating_sub(MONTH))),
        to: Some(to),
        interval: query.interval.unwrap_or(AnalyticsInterval::Day),
        group: AnalyticsGroup::Api,
        api: query.api,
        ..AnalyticsOptions::default()
    };
    let scope = Scope { apis: None, applications: Some(vec![doc.name.clone()]) };
    Ok(Json(report(&manager, options, scope).await?))
}
