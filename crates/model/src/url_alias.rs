//! URL aliases: other addresses of APIs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Another address of an API: a request for the alias is taken as one for its target, before APIs are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UrlAliasDoc {
    /// Unique name.
    pub name: String,
    /// Path that clients call, such as `/shop`. Of several aliases that fit, the longest counts.
    pub path: String,
    /// Path that it stands for, such as `/gateway/Orders/1.0`. It leads to an API, never to another alias. May be
    /// missing when `listeners` says where the alias leads; it then exists on these listeners only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Other targets for requests that came in by certain listeners, by the name of the listener.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub listeners: BTreeMap<String, String>,
    /// With `true` the alias stands for its target and nothing below it. By default what follows the alias is appended
    /// to the target, segment by segment: `/shop/7` is `/gateway/Orders/1.0/7`, and `/shopping` is something else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// What the alias is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
