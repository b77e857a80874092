//! Servers of OpenAPI 3, their variables filled in.

use crate::format::clip;
use crate::node::Node;
use crate::report::Report;

/// Longest URL that is built; variables in variables could make it any length.
const LONGEST: usize = 8192;

/// URLs of the servers, absolute or relative.
pub(crate) fn servers(root: &Node<'_>, report: &mut Report) -> Vec<String> {
    let Some(list) = root.get("servers") else { return Vec::new() };
    let mut servers = Vec::new();
    for server in list.items(report) {
        // A URL without the mapping around it is a frequent slip.
        let Some(url) = server.get("url").unwrap_or_else(|| server.clone()).as_str() else {
            report.warn(&server, "", "a server needs a `url`; it is left out");
            continue;
        };
        servers.extend(fill_in(url.trim(), &server, report));
    }
    servers
}

fn fill_in(url: &str, server: &Node<'_>, report: &mut Report) -> Option<String> {
    let variables = server.get("variables");
    let mut filled = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            report.warn(server, "url", "the braces do not fit together; the server is left out");
            return None;
        };
        let variable = variables.as_ref().and_then(|variables| variables.get(name));
        let Some(value) = variable.and_then(|variable| default_of(&variable, report)) else {
            let message = format!("the variable `{}` has no default; the server is left out", clip(name));
            report.warn(server, "url", message);
            return None;
        };
        filled.push_str(before);
        filled.push_str(&value);
        if filled.len() > LONGEST {
            break;
        }
        rest = behind;
    }
    filled.push_str(rest);
    if filled.len() > LONGEST {
        report.warn(server, "url", "the URL is longer than 8192 bytes; the server is left out");
        return None;
    }
    Some(filled)
}

fn default_of(variable: &Node<'_>, report: &mut Report) -> Option<String> {
    match variable.value.get("default") {
        // An empty text is a value: `https://{prefix}example.com`.
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(_) => variable.get("default")?.text(),
        None => {
            let first = variable.get("enum")?.items(report).first()?.text()?;
            report.warn(variable, "default", "the default is missing; the first value of `enum` is used");
            Some(first)
        }
    }
}
