//! Aliases: values with a name, written once and used in many places.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value with a name: wherever a text takes variables, `${name}` stands for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AliasDoc {
    /// Unique name: letters, digits, `_` and `-`, with a letter or `_` first, and none that a system variable has.
    pub name: String,
    /// What the name stands for, at most 64 KiB. It is taken as it is: variables in it are not replaced. It is no place
    /// for secrets, which are references.
    pub value: String,
    /// What the alias is for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}
