//! What a global policy applies to: conditions on API and operation, evaluated once, when an API is compiled.

use std::cmp::Ordering;

use model::applies_to::{
    ApiProperty, AppliesTo, AppliesToCondition, AppliesToMatch, AppliesToOperator, OperationProperty,
};

use crate::route::compare_versions;

/// What conditions can ask about an API.
pub(super) struct ApiFacts<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub description: &'a str,
    pub kind: &'a str,
    pub tags: &'a [String],
}

/// What conditions can ask about an operation.
#[derive(Clone, Copy)]
pub(super) struct OperationFacts<'a> {
    pub method: &'a str,
    pub name: &'a str,
    pub path: &'a str,
    pub tags: &'a [String],
}

/// Whether a filter selects an operation of an API. Without an operation `None`, where that depends on the operation.
pub(super) fn selects(
    filter: &AppliesTo,
    api: &ApiFacts<'_>,
    operation: Option<&OperationFacts<'_>>,
) -> Option<bool> {
    if filter.conditions.is_empty() {
        return Some(true);
    }
    // The answer that settles it, whatever the other conditions say.
    let decisive = filter.connector == AppliesToMatch::Any;
    let mut open = false;
    for condition in &filter.conditions {
        let holds = match condition {
            AppliesToCondition::Api(condition) => {
                Some(compare_api(condition.api, condition.operator, &condition.value, api))
            }
            AppliesToCondition::Operation(condition) => operation.map(|operation| {
                compare_operation(condition.operation, condition.operator, &condition.value, operation)
            }),
            AppliesToCondition::Group(group) => selects(group, api, operation),
        };
        match holds {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => open = true,
        }
    }
    if open { None } else { Some(!decisive) }
}

fn compare_api(property: ApiProperty, operator: AppliesToOperator, value: &str, api: &ApiFacts<'_>) -> bool {
    match property {
        ApiProperty::Name => compare(operator, value, [api.name]),
        ApiProperty::Version => compare(operator, value, [api.version]),
        ApiProperty::Description => compare(operator, value, [api.description]),
        ApiProperty::Type => compare(operator, value, [api.kind]),
        ApiProperty::Tag => compare(operator, value, api.tags.iter().map(String::as_str)),
    }
}

fn compare_operation(
    property: OperationProperty,
    operator: AppliesToOperator,
    value: &str,
    operation: &OperationFacts<'_>,
) -> bool {
    match property {
        OperationProperty::Method => compare(operator, value, [operation.method]),
        OperationProperty::Name => compare(operator, value, [operation.name]),
        OperationProperty::Path => compare(operator, value, [operation.path]),
        OperationProperty::Tag => compare(operator, value, operation.tags.iter().map(String::as_str)),
    }
}

/// Whether one of the texts fits; for an operator with `not`, whether none does.
fn compare<'a>(operator: AppliesToOperator, value: &str, texts: impl IntoIterator<Item = &'a str>) -> bool {
    use AppliesToOperator as Op;
    let value = value.to_lowercase();
    let any = |fits: fn(&str, &str) -> bool| texts.into_iter().any(|text| fits(&text.to_lowercase(), &value));
    match operator {
        Op::Equals => any(|text, value| text == value),
        Op::NotEquals => !any(|text, value| text == value),
        Op::Contains => any(|text, value| text.contains(value)),
        Op::NotContains => !any(|text, value| text.contains(value)),
        Op::StartsWith => any(|text, value| text.starts_with(value)),
        Op::NotStartsWith => !any(|text, value| text.starts_with(value)),
        Op::EndsWith => any(|text, value| text.ends_with(value)),
        Op::NotEndsWith => !any(|text, value| text.ends_with(value)),
        Op::LessThan => any(|text, value| compare_versions(text, value) == Ordering::Less),
        Op::GreaterThan => any(|text, value| compare_versions(text, value) == Ordering::Greater),
    }
}

/// The methods that conditions of a filter name.
pub(super) fn named_methods(filter: &AppliesTo, names: &mut Vec<http::Method>) {
    for condition in &filter.conditions {
        match condition {
            AppliesToCondition::Operation(condition) if condition.operation == OperationProperty::Method => {
                let method = http::Method::from_bytes(condition.value.to_ascii_uppercase().as_bytes());
                names.extend(method.ok().filter(|method| !names.contains(method)));
            }
            AppliesToCondition::Group(group) => named_methods(group, names),
            AppliesToCondition::Operation(_) | AppliesToCondition::Api(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, operation: Option<(&str, &[String])>) -> Option<bool> {
        let value = model::yaml::parse(filter).unwrap().value;
        let filter: AppliesTo = model::check::parse(value).unwrap();
        let tags = ["Public".to_owned(), "retail".to_owned()];
        let api = ApiFacts { name: "Orders", version: "1.10", description: "", kind: "REST", tags: &tags };
        let operation =
            operation.map(|(method, tags)| OperationFacts { method, name: "list", path: "/orders", tags });
        selects(&filter, &api, operation.as_ref())
    }

    #[test]
    fn conditions_on_the_api_need_no_operation() {
        for (filter, expect) in [
            ("{}", true),
            ("{match: any}", true),
            ("{conditions: [{api: name, value: ORDERS}]}", true),
            ("{conditions: [{api: name, operator: equals, value: Order}]}", false),
            ("{conditions: [{api: name, operator: notEquals, value: orders}]}", false),
            ("{conditions: [{api: name, operator: contains, value: RDER}]}", true),
            ("{conditions: [{api: name, operator: notContains, value: x}]}", true),
            ("{conditions: [{api: name, operator: startsWith, value: ord}]}", true),
            ("{conditions: [{api: name, operator: notStartsWith, value: ord}]}", false),
            ("{conditions: [{api: name, operator: endsWith, value: ERS}]}", true),
            ("{conditions: [{api: name, operator: notEndsWith, value: ers}]}", false),
            ("{conditions: [{api: version, operator: greaterThan, value: '1.9'}]}", true),
            ("{conditions: [{api: version, operator: lessThan, value: '1.9'}]}", false),
            ("{conditions: [{api: type, value: rest}]}", true),
            ("{conditions: [{api: description, value: ''}]}", true),
            ("{conditions: [{api: tag, value: public}]}", true),
            ("{conditions: [{api: tag, operator: notEquals, value: public}]}", false),
            ("{conditions: [{api: tag, operator: notEquals, value: beta}]}", true),
            ("{conditions: [{api: name, value: orders}, {api: tag, value: beta}]}", false),
            ("{match: any, conditions: [{api: name, value: orders}, {api: tag, value: beta}]}", true),
            (
                "{match: any, conditions: [{api: name, value: x}, {conditions: [{api: tag, value: retail}, {api: type, value: rest}]}]}",
                true,
            ),
            (
                "{conditions: [{api: name, value: orders}, {match: any, conditions: [{api: tag, value: x}, {api: tag, value: y}]}]}",
                false,
            ),
            ("{match: any, conditions: [{}]}", true),
        ] {
            assert_eq!(check(filter, None), Some(expect), "{filter}");
        }
    }

    #[test]
    fn conditions_on_the_operation_are_open_until_there_is_one() {
        let tags = ["Writes".to_owned()];
        for (filter, without, with) in [
            ("{conditions: [{operation: method, value: post}]}", None, true),
            ("{conditions: [{operation: method, operator: notEquals, value: post}]}", None, false),
            ("{conditions: [{operation: tag, value: writes}]}", None, true),
            ("{conditions: [{operation: path, operator: startsWith, value: /ord}]}", None, true),
            ("{conditions: [{operation: name, value: other}]}", None, false),
            ("{conditions: [{operation: method, value: POST}, {api: name, value: x}]}", Some(false), false),
            (
                "{match: any, conditions: [{operation: method, value: GET}, {api: name, value: orders}]}",
                Some(true),
                true,
            ),
            (
                "{match: any, conditions: [{operation: method, value: GET}, {api: name, value: x}]}",
                None,
                false,
            ),
        ] {
            assert_eq!(check(filter, None), without, "{filter}");
            assert_eq!(check(filter, Some(("POST", &tags))), Some(with), "{filter}");
        }
    }
}
