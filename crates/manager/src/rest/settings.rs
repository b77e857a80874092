//! The settings that a node serves by, and where each of them comes from.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, routing};
use model::{Settings, SharedSettingsDoc, shared_settings::SHARED_SETTINGS};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    answer::{Items, Problem},
    route::{Right, Route, get},
};
use crate::{Manager, Privilege, kind};

pub(super) const ROUTES: &[Route] = &[get(
    "/gateway/settings",
    "listSettings",
    "The settings that may be shared by all nodes, as the node that answers serves by them, and where they come from.",
    Right::Privilege(&[Privilege::ManageSystemSettings, Privilege::ViewAdministration]),
    || routing::get(show),
)
.answers::<Items<SettingsSection>>(200)];

/// A section of the settings.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SettingsSection {
    /// Its key, as in `limits`.
    section: &'static str,
    from: SettingsSource,
    /// All of its keys, with what they are.
    value: Value,
}

/// Where a section of the settings comes from.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum SettingsSource {
    /// From the asset `settings`, for all nodes.
    Asset,
    /// From the file of the node that answers.
    File,
    /// Nobody says anything else.
    Default,
}

async fn show(State(manager): State<Arc<Manager>>) -> Result<Json<Items<SettingsSection>>, Problem> {
    let assets = manager.assets();
    let stopping = || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "The gateway is stopping.");
    let served = manager.node().and_then(|node| node.settings()).ok_or_else(stopping)?;
    let held = kind("settings").and_then(|kind| assets.get(kind, SHARED_SETTINGS));
    let shared = held.and_then(|held| held.parsed.typed.downcast_ref::<SharedSettingsDoc>());
    let shared = shared.map(SharedSettingsDoc::sections).unwrap_or_default();
    let (served, default) = (sections(&served), sections(&Settings::default()));
    let section = |section: &'static str| {
        let value = served.get(section).cloned().unwrap_or_default();
        let from = if shared.contains(&section) {
            SettingsSource::Asset
        } else if default.get(section) == Some(&value) {
            SettingsSource::Default
        } else {
            SettingsSource::File
        };
        SettingsSection { section, from, value }
    };
    Ok(Json(Items { items: SharedSettingsDoc::SECTIONS.iter().copied().map(section).collect() }))
}

/// Sections by their keys, also those that are as they would be anyway.
fn sections(settings: &Settings) -> Map<String, Value> {
    let Ok(Value::Object(sections)) = serde_json::to_value(SharedSettingsDoc::of(settings)) else {
        return Map::new();
    };
    sections
}
