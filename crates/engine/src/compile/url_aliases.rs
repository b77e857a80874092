//! URL aliases: what they may be, and what they take away from APIs. How requests meet them is in `route::url_aliases`.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use model::{ConfigDoc, Diagnostic, Diagnostics, Parts, UrlAliasDoc};

use crate::{
    CompiledApi,
    route::{UrlAlias, UrlAliases, decode},
};

/// Compiles all aliases. What is wrong with one leaves it out.
pub(super) fn compile(config: &ConfigDoc, problems: &mut Diagnostics) -> UrlAliases {
    let mut aliases = UrlAliases::default();
    let (mut names, mut paths) = (HashSet::new(), HashSet::new());
    let mut ready = Vec::new();
    for (index, doc) in config.url_aliases.iter().enumerate() {
        let at = format!("urlAliases[{index}]");
        let own = |key: &str, found: &str| {
            Diagnostic::error(
                format!("{at}.{key}"),
                format!("found `{found}` a second time, expected a {key} of its own"),
            )
        };
        if !names.insert(doc.name.as_str()) {
            problems.push(own("name", &doc.name));
        }
        if doc.target.is_none() && doc.listeners.is_empty() {
            problems.push(
                Diagnostic::error(format!("{at}.target"), "missing, and there are no `listeners`")
                    .help("write the path of an API, such as `target: /gateway/Orders/1.0`"),
            );
        }
        for listener in doc.listeners.keys() {
            if !config.listeners.iter().any(|known| known.name == *listener) {
                let known: Vec<&str> = config.listeners.iter().map(|known| known.name.as_str()).collect();
                problems.push(
                    Diagnostic::error(
                        format!("{at}.listeners.{listener}"),
                        format!("found `{listener}`, expected the name of a listener"),
                    )
                    .help(format!("there are {}", known.join(", "))),
                );
            }
        }
        match plain_path(&doc.path) {
            Ok(path) if !paths.insert(path) => problems.push(own("path", &doc.path)),
            Ok(path) => ready.push((at, doc, path)),
            Err(problem) => problems.push(problem.under(&format!("{at}.path"))),
        }
    }
    for (at, doc, path) in &ready {
        let mut alias = UrlAlias { exact: doc.exact, ..UrlAlias::default() };
        for (key, listener, written) in targets(doc) {
            let at = format!("{at}.{key}");
            let target = match plain_path(written) {
                Ok(target) => target,
                Err(problem) => {
                    problems.push(problem.under(&at));
                    continue;
                }
            };
            if let Some((_, other, _)) =
                ready.iter().find(|(_, other, path)| is_under(target, path, other.exact))
            {
                let message = match other.name == doc.name {
                    true => format!("found `{written}`, which the alias itself stands for"),
                    false => {
                        format!("found `{written}`, which is under alias `{}` ({})", other.name, other.path)
                    }
                };
                problems.push(
                    Diagnostic::error(at, message)
                        .help("an alias leads to an API and not to an alias: write the path of the API"),
                );
                continue;
            }
            match listener {
                None => alias.target = Some(target.into()),
                Some(listener) => drop(alias.listeners.insert(listener.into(), target.into())),
            }
        }
        aliases.insert(path, alias);
    }
    aliases
}

/// Tells which aliases hide APIs, and which lead to none.
pub(super) fn compare(docs: &[UrlAliasDoc], apis: &Parts<Arc<CompiledApi>>, problems: &mut Diagnostics) {
    for (index, doc) in docs.iter().enumerate() {
        let at = format!("urlAliases[{index}]");
        let Ok(path) = plain_path(&doc.path) else { continue };
        for api in apis {
            let bases = [Some(&*api.base_path), api.versionless_path.as_deref()];
            for base in bases.into_iter().flatten() {
                let hides = if covers(base, path) {
                    // Calls of the API that begin like the alias.
                    format!("`{path}`, which is at or below the base path of {}", api.names.id)
                } else if !doc.exact && covers(path, base) {
                    format!("`{path}`, which covers the base path {base} of {}", api.names.id)
                } else {
                    continue;
                };
                problems.push(
                    Diagnostic::warning(
                        format!("{at}.path"),
                        format!("found {hides}: the alias comes first"),
                    )
                    .help("requests for this path go to the alias's target and not to that API"),
                );
                break;
            }
        }
        for (key, _, target) in targets(doc) {
            let target = target.trim_end_matches('/');
            let leads = |base: &str| covers(base, target) || (!doc.exact && covers(target, base));
            if !apis
                .iter()
                .any(|api| leads(&api.base_path) || api.versionless_path.as_deref().is_some_and(leads))
            {
                problems.push(Diagnostic::warning(
                    format!("{at}.{key}"),
                    format!("found `{target}`, which is the address of no API; calls are answered with 404"),
                ));
            }
        }
    }
}

/// Keys, listeners and targets as they are written.
fn targets(doc: &UrlAliasDoc) -> impl Iterator<Item = (Cow<'static, str>, Option<&str>, &str)> {
    let target = doc.target.iter().map(|target| ("target".into(), None, target.as_str()));
    target.chain(doc.listeners.iter().map(|(listener, target)| {
        (format!("listeners.{listener}").into(), Some(listener.as_str()), target.as_str())
    }))
}

/// A path that means one thing only, without slashes at its end.
fn plain_path(written: &str) -> Result<&str, Diagnostic> {
    let path = written.trim_end_matches('/');
    let problem = if !written.starts_with('/') {
        "expected a path that starts with `/`"
    } else if written.contains(['%', '?', '#', '*', '{', '}', '\\', '"', '<', '>'])
        || written.contains(char::is_control)
    {
        "expected a path as people read it: without encoding, templates, query or fragment"
    } else if path.contains("//") || decode(path, false).is_err() {
        "expected a path without empty or dot segments"
    } else {
        return Ok(path);
    };
    Err(Diagnostic::error("", format!("found `{written}`, {problem}")))
}

/// Whether a target would be taken for an alias.
fn is_under(target: &str, alias: &str, exact: bool) -> bool {
    if exact { target == alias } else { covers(alias, target) }
}

/// Whether a path is the beginning of another, segment by segment.
fn covers(base: &str, path: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
