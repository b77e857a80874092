//! APIs: a published interface, where it is found, what is behind it and what governs it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, Duration, LifecycleDoc, Percent, PolicyDoc, portal::ApiPortal};

/// Largest icon of an API, in bytes.
pub const LARGEST_ICON: usize = 100 << 10;

/// A published interface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiDoc {
    /// Name, part of the default address. Default: the title in the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version, part of the default address. Default: the version in the definition, else `1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the API is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An inactive API is kept and not served: calls of it are answered as if it were not there, and what it refers to
    /// need not be there yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
    /// Where the API is in its life. Default: published.
    #[serde(default, skip_serializing_if = "LifecycleDoc::is_default")]
    pub lifecycle: LifecycleDoc,
    /// Kind of interface.
    #[serde(rename = "type", default, skip_serializing_if = "ApiType::is_rest")]
    pub kind: ApiType,
    /// Words to find the API by; global policies can ask for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Groups that the API is found under, of those that `settings.apis.apiGroupingPossibleValues` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How far it has come, one of `settings.apis.apiMaturityStatePossibleValues`, such as `Beta`. It tells people, and does
    /// nothing by itself: what calls of it get is up to `lifecycle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maturity: Option<String>,
    /// Picture for lists: `data:image/png;base64,…` of at most 100 KiB, or the same of a JPEG, WebP or SVG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Custom properties: anything else that is worth knowing about the API, at most 100, of at most 4 KiB each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Names of the teams that manage it, when `settings.manager.enableTeamWork` is on. Default: everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Who answers for the API: the name of a user, or anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// OpenAPI document, 2.0, 3.0 or 3.1, JSON or YAML: a path relative to this file, or a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// Operations, written here instead of a definition. Without either, every path and method is passed on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationDoc>,
    /// Path that the API is found under. Default: `/gateway/{name}/{version}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// Host names that the API answers on; `*.example.com` covers one more label. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Name of an upstream, or a URL. Default: the first server of the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// Send some requests to another upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Send a copy of requests to another upstream; its answers are thrown away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// Longest wait for a connection to the upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// Longest wait for the next bytes from the upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_timeout: Option<Duration>,
    /// Largest request body. Default: `settings.limits.bodySize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body_size: Option<ByteSize>,
    /// Names of the plans that new subscriptions can be had by. An API with plans takes requests only of applications
    /// with an active subscription, and within the limits of its plan. Default: none, and no subscription is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
    /// How the API shows in the developer portal. Default: it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portal: Option<ApiPortal>,
    /// Names of policy templates. Their policies are copied into the API, in this order, before its own. Of a policy
    /// that may be there once, the API's own counts, then that of the template named first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<String>,
    /// Policies of this API, in the order that they are written within each stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyDoc>,
    /// Policies of all operations of one path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceDoc>,
    /// Named sets of operations that have policies in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<ScopeDoc>,
    /// Policies of single operations, written here or in the definition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operation_policies: Vec<OperationPoliciesDoc>,
}

impl ApiDoc {
    /// Whether calls may find it.
    pub fn is_served(&self) -> bool {
        !self.inactive && self.lifecycle.state.is_served()
    }
}

/// Kind of interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiType {
    /// Resources and methods over HTTP.
    #[default]
    #[serde(rename = "REST")]
    Rest,
}

impl ApiType {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "REST",
        }
    }

    fn is_rest(&self) -> bool {
        *self == Self::Rest
    }
}

/// Policies of all operations of one path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceDoc {
    /// Path below the base path, as the operations have it: `/orders/{id}`. Paths below it are not meant.
    pub path: String,
    /// The policies.
    pub policies: Vec<PolicyDoc>,
}

/// A named set of operations that have policies in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopeDoc {
    /// Name, unique in the API.
    pub name: String,
    /// What the scope is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Operations, by name (`operationId`) or as `GET /orders/{id}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<String>,
    /// Paths, of which all operations are meant: `/orders/{id}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The policies.
    pub policies: Vec<PolicyDoc>,
}

/// Policies of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationPoliciesDoc {
    /// The operation, by name (`operationId`) or as `GET /orders/{id}`.
    pub operation: String,
    /// The policies.
    pub policies: Vec<PolicyDoc>,
}

/// One operation, written by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationDoc {
    /// HTTP method in capitals; `*` stands for every method.
    pub method: String,
    /// Path below the base path: `/orders/{id}`; a last segment `*` takes the rest.
    pub path: String,
    /// Name of the operation. Default: method and path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Words to find the operation by; global policies can ask for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Requests that go to another upstream: those with the header, and a share of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// Name of the upstream.
    pub upstream: String,
    /// Share of the requests.
    #[serde(default = "none")]
    pub share: Percent,
    /// Requests with this header always go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderMatch>,
}

/// A header that a request must carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderMatch {
    /// Name of the header.
    pub name: String,
    /// Value it must have. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A copy of requests for another upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// Name of the upstream.
    pub upstream: String,
    /// Share of the requests.
    #[serde(default = "all")]
    pub share: Percent,
}

fn none() -> Percent {
    Percent::whole(0)
}
fn all() -> Percent {
    Percent::ALL
}

/// One operation of an API, whatever document it came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// `operationId`, or method and path.
    pub name: String,
    /// HTTP method in capitals; `*` stands for every method.
    pub method: String,
    /// Path below the API's base path, with `{templates}`.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Request bodies by media type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_bodies: Vec<Body>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub request_body_required: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub responses: Vec<Response>,
    /// Where the URLs of its callbacks come from, as the definition says it: `{$request.body#/callbackUrl}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callbacks: Vec<String>,
    /// Alternatives, each a set of schemes with scopes that apply together. `None`: nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<Vec<Vec<SecurityRequirement>>>,
}

impl Operation {
    /// An operation of which only method and path are known.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        let (method, path) = (method.into(), path.into());
        Self {
            name: format!("{method} {path}"),
            method,
            path,
            summary: None,
            tags: Vec::new(),
            deprecated: false,
            parameters: Vec::new(),
            request_bodies: Vec::new(),
            request_body_required: false,
            responses: Vec::new(),
            callbacks: Vec::new(),
            security: None,
        }
    }
}

/// A parameter. Its schema stays in the definition and is found there by `schema`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "in")]
    pub location: ParameterLocation,
    #[serde(default)]
    pub required: bool,
    /// JSON pointer to the schema (in OpenAPI 2.0: to the parameter), after the file for another document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// How lists and objects are written as text.
    #[serde(default)]
    pub style: ParameterStyle,
    /// Each item of a list, or property of an object, is a parameter or a part of its own.
    #[serde(default)]
    pub explode: bool,
}

/// How the value of a parameter is written, in the words of OpenAPI 3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ParameterStyle {
    /// `3,4,5` in paths and headers.
    #[default]
    Simple,
    /// `id=3&id=4`, or `id=3,4` when not exploded.
    Form,
    /// `.3.4.5` in paths.
    Label,
    /// `;id=3;id=4` in paths.
    Matrix,
    /// `id=3%204`.
    SpaceDelimited,
    /// `id=3|4`.
    PipeDelimited,
    /// `id=3%094`, of OpenAPI 2.0.
    TabDelimited,
    /// `id[name]=3`.
    DeepObject,
    /// A JSON text.
    Json,
    /// Text of a media type that nothing is known about.
    Opaque,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterLocation {
    Path,
    Query,
    Header,
    Cookie,
    /// OpenAPI 2.0 form fields.
    Form,
}

/// A body of one media type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    pub media_type: String,
    /// JSON pointer to the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// JSON pointer to the first example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Content types that parts of a form may have, by the name of the part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub encodings: Vec<(String, String)>,
}

/// A documented response: `200`, `4XX` or `default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    pub status: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bodies: Vec<Body>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Parameter>,
}

/// A security scheme that an operation asks for, and the scopes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityRequirement {
    pub scheme: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}
