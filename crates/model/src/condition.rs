//! Conditions: what must hold for something to happen, over variables or as a CEL expression.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A condition: exactly one of `variable`, `all`, `any`, `not` and `cel`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionDoc {
    /// The variable that is looked at, such as `${request.headers.X-Channel}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// How the variable is compared with `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<ConditionOperator>,
    /// What the variable is compared with; may have variables in it. `exists` and `notExists` take none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Every one of these holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Vec<ConditionDoc>>,
    /// At least one of these holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub any: Option<Vec<ConditionDoc>>,
    /// This does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<ConditionDoc>>,
    /// An expression in the Common Expression Language that is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cel: Option<String>,
}

/// How a variable is compared. Each `not…` holds exactly when the other one does not, also without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConditionOperator {
    /// The same text.
    Equals,
    NotEquals,
    /// The same text, but for capitals.
    EqualsIgnoreCase,
    NotEqualsIgnoreCase,
    /// The value is somewhere in it.
    Contains,
    NotContains,
    /// The variable has a value, if only an empty one.
    Exists,
    NotExists,
    /// An address or number within one of the ranges: `10.0.0.0/8, 192.168.0.1-192.168.0.9` or `1-5`.
    Range,
    NotRange,
    /// A greater number.
    GreaterThan,
    NotGreaterThan,
    /// A smaller number.
    LessThan,
    NotLessThan,
    /// The value is its beginning.
    StartsWith,
    NotStartsWith,
    /// The value is its end.
    EndsWith,
    NotEndsWith,
    /// A regular expression finds something in it.
    Matches,
    NotMatches,
}

impl ConditionOperator {
    /// All of them, each after the one that it negates or is negated by.
    pub const ALL: [Self; 20] = [
        Self::Equals,
        Self::NotEquals,
        Self::EqualsIgnoreCase,
        Self::NotEqualsIgnoreCase,
        Self::Contains,
        Self::NotContains,
        Self::Exists,
        Self::NotExists,
        Self::Range,
        Self::NotRange,
        Self::GreaterThan,
        Self::NotGreaterThan,
        Self::LessThan,
        Self::NotLessThan,
        Self::StartsWith,
        Self::NotStartsWith,
        Self::EndsWith,
        Self::NotEndsWith,
        Self::Matches,
        Self::NotMatches,
    ];

    /// The operator without its negation, and whether it was negated.
    pub const fn positive(self) -> (Self, bool) {
        match self {
            Self::NotEquals => (Self::Equals, true),
            Self::NotEqualsIgnoreCase => (Self::EqualsIgnoreCase, true),
            Self::NotContains => (Self::Contains, true),
            Self::NotExists => (Self::Exists, true),
            Self::NotRange => (Self::Range, true),
            Self::NotGreaterThan => (Self::GreaterThan, true),
            Self::NotLessThan => (Self::LessThan, true),
            Self::NotStartsWith => (Self::StartsWith, true),
            Self::NotEndsWith => (Self::EndsWith, true),
            Self::NotMatches => (Self::Matches, true),
            positive => (positive, false),
        }
    }

    /// The operator as it is read in an explanation.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::NotEquals => "does not equal",
            Self::EqualsIgnoreCase => "equals, but for capitals,",
            Self::NotEqualsIgnoreCase => "does not equal, even but for capitals,",
            Self::Contains => "contains",
            Self::NotContains => "does not contain",
            Self::Exists => "exists",
            Self::NotExists => "does not exist",
            Self::Range => "is within",
            Self::NotRange => "is not within",
            Self::GreaterThan => "is greater than",
            Self::NotGreaterThan => "is not greater than",
            Self::LessThan => "is less than",
            Self::NotLessThan => "is not less than",
            Self::StartsWith => "starts with",
            Self::NotStartsWith => "does not start with",
            Self::EndsWith => "ends with",
            Self::NotEndsWith => "does not end with",
            Self::Matches => "matches",
            Self::NotMatches => "does not match",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check, yaml};

    #[test]
    fn every_second_operator_negates_the_one_before() {
        for pair in ConditionOperator::ALL.chunks_exact(2) {
            assert_eq!(pair[0].positive(), (pair[0], false));
            assert_eq!(pair[1].positive(), (pair[0], true));
        }
    }

    #[test]
    fn documents_are_checked_with_their_paths() {
        let parse = |text: &str| check::parse::<ConditionDoc>(yaml::parse(text).unwrap().value);
        let doc =
            parse("any: [{variable: '${user}', operator: notEquals, value: ann}, {not: {cel: 'true'}}]")
                .unwrap();
        assert_eq!(doc.any.unwrap()[0].operator, Some(ConditionOperator::NotEquals));
        let problem = parse("all: [{variable: a, operator: eqals}]").unwrap_err().0.remove(0);
        assert_eq!(problem.path, "all[0].operator");
        assert_eq!(problem.help.as_deref(), Some("did you mean `equals`?"));
        assert_eq!(parse("not: {varable: a}").unwrap_err().0[0].path, "not.varable");
    }
}
