//! Tables for people.

use comfy_table::{Table, presets::NOTHING};
use serde_json::Value;

/// Rows of these keys; a path of keys is written with dots.
pub(super) fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|(title, _)| *title));
    for row in rows {
        table.add_row(columns.iter().map(|(_, path)| cell(row, path)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn cell(row: &Value, path: &str) -> String {
    match path.split('.').try_fold(row, |value, key| value.get(key)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
