//! Which APIs and operations a global policy is for: conditions, and groups of them. How they are evaluated is left to
//! the engine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which APIs and operations a global policy is for. Without any condition: all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AppliesTo {
    /// Whether all conditions must hold, or one of them is enough.
    #[serde(rename = "match")]
    pub connector: AppliesToMatch,
    /// Conditions, and groups of conditions. A group without any holds for everything, as an empty filter does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<AppliesToCondition>,
}

/// How conditions are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AppliesToMatch {
    /// All of them must hold.
    #[default]
    All,
    /// One of them is enough.
    Any,
}

/// One condition, or a group with a connector of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AppliesToCondition {
    Api(ApiCondition),
    Operation(OperationCondition),
    Group(AppliesTo),
}

/// A condition on the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiCondition {
    /// Property of the API that is compared. Of several tags, one that fits is enough.
    pub api: ApiProperty,
    /// How it is compared.
    #[serde(default)]
    pub operator: AppliesToOperator,
    /// What it is compared with. Upper and lower case are the same; there are no wildcards.
    pub value: String,
}

/// A condition on the operation. The policy then applies to the operations that fulfil it, and to no others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationCondition {
    /// Property of the operation that is compared. Of several tags, one that fits is enough.
    pub operation: OperationProperty,
    /// How it is compared.
    #[serde(default)]
    pub operator: AppliesToOperator,
    /// What it is compared with. Upper and lower case are the same; there are no wildcards.
    pub value: String,
}

/// Property of an API that a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApiProperty {
    Name,
    Version,
    Description,
    /// Kind of interface, such as `REST`.
    Type,
    /// One of the API's `tags`.
    Tag,
}

/// Property of an operation that a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OperationProperty {
    /// HTTP method. Where an operation takes every method, and where an API has no operations, the method of the
    /// request decides. HEAD answered by the operation for GET counts as GET.
    Method,
    /// One of the operation's tags, from the definition or from `operations`.
    Tag,
    /// `operationId`, or method and path.
    Name,
    /// Path below the base path, as a template.
    Path,
}

/// How a property is compared. Those with `not` hold exactly when the one without it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AppliesToOperator {
    #[default]
    Equals,
    NotEquals,
    Contains,
    NotContains,
    StartsWith,
    NotStartsWith,
    EndsWith,
    NotEndsWith,
    /// Comes before, as versions do: digits by their value, so that `1.9` is less than `1.10`.
    LessThan,
    /// Comes after, as versions do.
    GreaterThan,
}
