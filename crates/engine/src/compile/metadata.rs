//! What APIs say about themselves, for people: the gateway does nothing with it, and looks whether it can be shown and
//! found.

use model::{
    ApiDoc, Diagnostic, Diagnostics, Picture, api::LARGEST_ICON, diagnostic::nearest, settings::ApiSettings,
};

/// Most custom properties of an API.
const MOST_ATTRIBUTES: usize = 100;
/// Longest name of one, in bytes.
const LONGEST_NAME: usize = 100;
/// Longest value of one, in bytes.
const LONGEST_VALUE: usize = 4 << 10;

/// What the settings say that there is to choose from.
pub fn check_settings(settings: &ApiSettings, problems: &mut Diagnostics) {
    for (list, values) in [
        ("apiGroupingPossibleValues", &settings.api_grouping_possible_values),
        ("apiMaturityStatePossibleValues", &settings.api_maturity_state_possible_values),
    ] {
        for (index, value) in values.iter().enumerate() {
            // Lists are filtered by texts with commas between them.
            if value.trim() != value || value.is_empty() || value.contains(',') {
                let message =
                    format!("found `{value}`, expected a text without commas, and no space at either end");
                problems.push(Diagnostic::error(format!("settings.apis.{list}[{index}]"), message));
            }
        }
    }
}

/// What one API says; paths are in its document.
pub fn check(api: &ApiDoc, settings: &ApiSettings, found: &mut Diagnostics) {
    for (place, group) in api.groups.iter().enumerate() {
        let path = format!("groups[{place}]");
        if api.groups[..place].contains(group) {
            found.push(Diagnostic::error(path, format!("found `{group}` a second time")));
        } else {
            let known = &settings.api_grouping_possible_values;
            found.0.extend(unknown(path, group, known, "apiGroupingPossibleValues"));
        }
    }
    if let Some(maturity) = &api.maturity {
        let known = &settings.api_maturity_state_possible_values;
        found.0.extend(unknown("maturity".to_owned(), maturity, known, "apiMaturityStatePossibleValues"));
    }
    if api.icon.as_ref().is_some_and(|icon| Picture::parse(icon, LARGEST_ICON).is_none()) {
        let message = format!("expected {}", Picture::expected(LARGEST_ICON));
        found.push(Diagnostic::error("icon", message));
    }
    if api.attributes.len() > MOST_ATTRIBUTES {
        let message = format!("found {}, expected at most {MOST_ATTRIBUTES}", api.attributes.len());
        found.push(Diagnostic::error("attributes", message));
    }
    for (name, value) in &api.attributes {
        if name.trim() != name || name.is_empty() || name.len() > LONGEST_NAME || value.len() > LONGEST_VALUE
        {
            let message = format!(
                "expected a name of 1 to {LONGEST_NAME} bytes without space at either end, and a value of at most {LONGEST_VALUE}"
            );
            found.push(Diagnostic::error(format!("attributes.{}", name.escape_debug()), message));
        }
    }
}

fn unknown(path: String, value: &str, known: &[String], setting: &str) -> Option<Diagnostic> {
    if known.iter().any(|known| known == value) {
        return None;
    }
    let problem =
        Diagnostic::error(path, format!("found `{value}`, which is none of settings.apis.{setting}"));
    Some(match nearest(value, known.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => problem.help("the setting names none"),
        None => problem.help(format!("expected one of {}, or add it to the setting", known.join(", "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(api: &str, settings: &str) -> String {
        let settings: model::Settings = serde_json::from_str(settings).unwrap();
        let mut problems = Diagnostics::default();
        check_settings(&settings.apis, &mut problems);
        check(&serde_json::from_str(api).unwrap(), &settings.apis, &mut problems);
        problems.to_string()
    }

    #[test]
    fn what_cannot_be_found_or_shown_is_told_with_its_place() {
        let many: Vec<_> = (0..101).map(|n| format!(r#""a{n}": "x""#)).collect();
        let many = format!(r#"{{"attributes": {{{}}}}}"#, many.join(","));
        let long = format!(r#"{{"attributes": {{"a": "{}"}}}}"#, "x".repeat(4097));
        let icon = format!(r#"{{"icon": "data:image/png;base64,{}"}}"#, "A".repeat(140_000));
        let mine =
            r#"{"apis": {"apiGroupingPossibleValues": ["Mine"], "apiMaturityStatePossibleValues": []}}"#;
        for (api, settings, path, said) in [
            (r#"{"groups": ["Serch"]}"#, "{}", "groups[0]", "did you mean `Search`?"),
            (r#"{"groups": ["Search", "Search"]}"#, "{}", "groups[1]", "a second time"),
            (r#"{"groups": ["Search"]}"#, mine, "groups[0]", "expected one of Mine"),
            (r#"{"maturity": "Alpha"}"#, "{}", "maturity", "apiMaturityStatePossibleValues"),
            (r#"{"maturity": "Beta"}"#, mine, "maturity", "names none"),
            (r#"{"icon": "data:text/html;base64,AAAA"}"#, "{}", "icon", "expected `data:image/png"),
            (&icon, "{}", "icon", "at most 100 KiB"),
            (&many, "{}", "attributes", "at most 100"),
            (&long, "{}", "attributes.a", "at most 4096"),
            (r#"{"attributes": {" a": "x"}}"#, "{}", "attributes. a", "space"),
            (
                "{}",
                r#"{"apis": {"apiGroupingPossibleValues": ["a,b"]}}"#,
                "settings.apis.apiGroupingPossibleValues[0]",
                "commas",
            ),
        ] {
            let found = problems(api, settings);
            assert!(found.contains(path) && found.contains(said), "{api}: {found}");
        }
        let good = r#"{"groups": ["Search"], "maturity": "Beta", "icon": "data:image/png;base64,AAAA", "attributes": {"a": "x"}}"#;
        assert_eq!(problems(good, "{}"), "");
    }
}
