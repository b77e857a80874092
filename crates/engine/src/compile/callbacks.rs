//! Callbacks: whether the settings say enough to seal callback URLs. How they are sealed is in `callbacks`.

use model::{ConfigDoc, Diagnostic, Diagnostics};

use crate::callbacks::{CallbackUrl, Callbacks, KEY_LENGTH, derive_key};

const KEY_HELP: &str =
    "`openssl rand -hex 32` makes one; put it into a file or the environment of every node";

/// `None` where there are no callbacks, or something is wrong with them.
pub(super) fn compile(config: &ConfigDoc, problems: &mut Diagnostics) -> Option<Callbacks> {
    let settings = &config.settings.callbacks;
    let mut keys = Vec::with_capacity(settings.keys.len());
    for (index, key) in settings.keys.iter().enumerate() {
        // Where a configuration is only looked at, secrets have no values.
        let Some(text) = key.expose() else { continue };
        match parse_key(text).and_then(|bytes| derive_key(&bytes)) {
            Some(key) => keys.push(key),
            None => problems.push(
                Diagnostic::error(
                    format!("settings.callbacks.keys[{index}]"),
                    "the key is not usable, expected 64 hexadecimal digits",
                )
                .help(KEY_HELP),
            ),
        }
    }
    let Some(written) = &settings.url else {
        if !settings.keys.is_empty() {
            problems.push(
                Diagnostic::error("settings.callbacks.url", "missing, but there are `keys`")
                    .help("say where upstreams reach the gateway, as in https://gateway.example/callbacks"),
            );
        }
        return None;
    };
    let mut wrong = |problem: &str, help: &str| {
        let problem = format!("found `{written}`, {problem}");
        problems.push(Diagnostic::error("settings.callbacks.url", problem).help(help));
    };
    let url = match CallbackUrl::parse(written) {
        Ok(url) => url,
        Err(problem) => {
            wrong(problem, "write it like https://gateway.example/callbacks");
            return None;
        }
    };
    if settings.https_only && !url.endpoint.tls {
        wrong("but `httpsOnly` is on", "write https://, or set `httpsOnly: false` where the network is safe");
    }
    if !url.has_plain_path() {
        wrong(
            "expected a path below which nothing else is, and no query",
            "write it like https://gateway.example/callbacks",
        );
        return None;
    }
    if settings.keys.is_empty() {
        problems.push(
            Diagnostic::error("settings.callbacks.keys", "missing, and callback URLs are sealed under a key")
                .help(KEY_HELP),
        );
    }
    (!keys.is_empty()).then(|| Callbacks::new(settings, &url, keys))
}

fn parse_key(text: &str) -> Option<[u8; KEY_LENGTH]> {
    let text = text.trim().as_bytes();
    let mut key = [0; KEY_LENGTH];
    if text.len() != 2 * KEY_LENGTH {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| (digits[at] as char).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(key)
}

/// Refuses APIs that callbacks would hide.
pub(super) fn compare<'a>(
    callbacks: &Callbacks,
    base_paths: impl Iterator<Item = &'a str>,
    problems: &mut Diagnostics,
) {
    let path = callbacks.path();
    for (index, base_path) in base_paths.enumerate() {
        let below = base_path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if below {
            problems.push(
                Diagnostic::error(
                    format!("apis[{index}].basePath"),
                    format!("found `{base_path}`, which is where callbacks come in"),
                )
                .help("give the API another path, or `settings.callbacks.url`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Secret;
    use serde_json::json;

    use super::*;

    fn problems(settings: serde_json::Value, key: Option<&str>) -> Vec<String> {
        let document = json!({ "settings": { "callbacks": settings } });
        let mut config: ConfigDoc = serde_json::from_value(document).unwrap();
        if let Some(key) = key {
            let secret: Secret = serde_json::from_value(json!("${env:KEY}")).unwrap();
            config.settings.callbacks.keys = vec![secret.resolved(key)];
        }
        let mut problems = Diagnostics::default();
        let compiled = compile(&config, &mut problems);
        assert!(compiled.is_none() || problems.0.is_empty() || key.is_some());
        problems.0.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_where_it_is() {
        let key = "0123456789abcdefABCDEF0123456789".repeat(2);
        let good = "https://gw.example/callbacks";
        for (settings, key, expect) in [
            (json!({}), None, None),
            (json!({ "url": good }), Some(&*key), None),
            (json!({ "url": "http://gw.example/cb/", "httpsOnly": false }), Some(&*key), None),
            (json!({ "url": good }), None, Some("settings.callbacks.keys: missing")),
            (json!({}), Some(&*key), Some("settings.callbacks.url: missing")),
            (json!({ "url": good }), Some("hunter2"), Some("settings.callbacks.keys[0]: the key is not")),
            (
                json!({ "url": "http://gw.example/cb" }),
                Some(&*key),
                Some("settings.callbacks.url: found `http://gw.example/cb`, but `httpsOnly`"),
            ),
            (
                json!({ "url": "https://gw.example" }),
                Some(&*key),
                Some("settings.callbacks.url: found `https://gw.example`, expected a path"),
            ),
            (json!({ "url": "https://gw.example/cb?x" }), Some(&*key), Some("expected a path")),
            (json!({ "url": "https://gw.example/a%20b" }), Some(&*key), Some("expected a path")),
            (json!({ "url": "https://u@gw.example/cb" }), Some(&*key), Some("settings.callbacks.url: found")),
        ] {
            let found = problems(settings.clone(), key);
            match expect {
                None => assert!(found.is_empty(), "{settings}: {found:?}"),
                Some(expect) => {
                    assert_eq!(found.len(), 1, "{settings}: {found:?}");
                    assert!(
                        found[0].contains(expect) && !found[0].contains("hunter2"),
                        "{settings}: {found:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_api_is_where_callbacks_come_in() {
        let key = derive_key(&[1; KEY_LENGTH]).unwrap();
        let url = CallbackUrl::parse("https://gw.example/callbacks").unwrap();
        let callbacks = Callbacks::new(&Default::default(), &url, vec![key]);
        for (path, taken) in
            [("/callbacks", true), ("/callbacks/a", true), ("/callbacks-a", false), ("", false)]
        {
            let mut problems = Diagnostics::default();
            compare(&callbacks, ["/orders", path].into_iter(), &mut problems);
            let paths: Vec<&str> = problems.0.iter().map(|problem| &*problem.path).collect();
            assert_eq!(paths, if taken { vec!["apis[1].basePath"] } else { vec![] }, "{path}");
        }
    }
}
