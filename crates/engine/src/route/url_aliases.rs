//! URL aliases: from the path that a client called to the one that it stands for. What may be an alias is decided where
//! they are compiled.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::{PathError, decode, encode_path, raw_length};

/// One alias, ready.
#[derive(Debug, Clone, Default)]
pub struct UrlAlias {
    /// Decoded, without a slash at the end.
    pub target: Option<Box<str>>,
    /// The same for requests that came in by a listener, by its name.
    pub listeners: BTreeMap<Box<str>, Box<str>>,
    /// It stands for nothing below it.
    pub exact: bool,
}

impl UrlAlias {
    fn target(&self, listener: &str) -> Option<&str> {
        self.listeners.get(listener).or(self.target.as_ref()).map(|target| &**target)
    }
}

/// All aliases of a snapshot.
#[derive(Debug, Default)]
pub struct UrlAliases {
    /// By decoded path, without a slash at the end; empty for the root.
    by_path: HashMap<Box<str>, UrlAlias, RandomState>,
    /// Segments of the longest one: no request is looked at any further.
    deepest: usize,
}

impl UrlAliases {
    pub fn insert(&mut self, path: &str, alias: UrlAlias) {
        self.deepest = self.deepest.max(path.bytes().filter(|b| *b == b'/').count());
        self.by_path.insert(path.into(), alias);
    }

    pub fn is_empty(&self) -> bool {
        self.by_path.is_empty()
    }

    /// The path that a path stands for, when an alias covers it. Neither has a query; what follows the alias stays as
    /// the client wrote it.
    pub fn resolve(
        &self,
        path: &str,
        listener: &str,
        all_delimiters: bool,
        strict_trailing_slash: bool,
    ) -> Result<Option<String>, PathError> {
        let decoded = decode(path, all_delimiters)?;
        let Some((target, exact, length)) = self.find(&decoded, listener, strict_trailing_slash) else {
            return Ok(None);
        };
        let rest = &path[raw_length(path, &decoded[..length], all_delimiters)..];
        let mut resolved = encode_path(target).into_owned();
        // The slash that may follow an exact alias is no part of what it stands for.
        resolved.push_str(if exact { "" } else { rest });
        if resolved.is_empty() {
            resolved.push('/');
        }
        Ok(Some(resolved))
    }

    /// The target of the longest alias that covers a decoded path, whether it is exact, and how many bytes of the path
    /// it takes.
    fn find(&self, path: &str, listener: &str, strict_trailing_slash: bool) -> Option<(&str, bool, usize)> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut found = None;
        for end in ends.take(self.deepest + 1) {
            let Some(alias) = self.by_path.get(&path[..end]) else { continue };
            let rest = &path[end..];
            let whole = rest.is_empty() || (rest == "/" && (end == 0 || !strict_trailing_slash));
            if (whole || !alias.exact)
                && let Some(target) = alias.target(listener)
            {
                found = Some((target, alias.exact, end));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(target: &str, exact: bool) -> UrlAlias {
        UrlAlias { target: Some(target.into()), exact, ..UrlAlias::default() }
    }

    fn aliases() -> UrlAliases {
        let mut aliases = UrlAliases::default();
        aliases.insert("/shop", alias("/gateway/Orders/1.0", false));
        aliases.insert("/shop/new", alias("/gateway/Orders/2.0", false));
        aliases.insert("/shop/status", alias("/gateway/Health/1.0/live", true));
        aliases.insert("/a b", alias("/gateway/A B/1.0", false));
        aliases.insert("", alias("/gateway/Start/1.0", true));
        let listeners = [("internal".into(), "/gateway/Inner/1.0".into())].into();
        aliases.insert("/shop/in", UrlAlias { listeners, ..UrlAlias::default() });
        aliases
    }

    #[test]
    fn the_longest_alias_that_applies_counts_and_the_rest_stays_as_it_was_written() {
        let aliases = aliases();
        for (path, listener, expected) in [
            ("/shop", "public", Some("/gateway/Orders/1.0")),
            ("/shop/", "public", Some("/gateway/Orders/1.0/")),
            ("/shop/7/a%2Fb%20c", "public", Some("/gateway/Orders/1.0/7/a%2Fb%20c")),
            ("/sh%6Fp/7", "public", Some("/gateway/Orders/1.0/7")),
            ("/shop/new/7", "public", Some("/gateway/Orders/2.0/7")),
            ("/shop/newer", "public", Some("/gateway/Orders/1.0/newer")),
            ("/shop/status", "public", Some("/gateway/Health/1.0/live")),
            ("/shop/status/", "public", Some("/gateway/Health/1.0/live")),
            ("/shop/status/x", "public", Some("/gateway/Orders/1.0/status/x")),
            ("/shop/in/x", "internal", Some("/gateway/Inner/1.0/x")),
            ("/shop/in/x", "public", Some("/gateway/Orders/1.0/in/x")),
            ("/a%20b/x", "public", Some("/gateway/A%20B/1.0/x")),
            ("/", "public", Some("/gateway/Start/1.0")),
            ("/shopping", "public", None),
            ("/Shop", "public", None),
            ("//shop", "public", None),
            ("/shop%2F7", "public", None),
            ("/x/shop", "public", None),
        ] {
            let found = aliases.resolve(path, listener, false, false);
            assert_eq!(found.as_ref().map(Option::as_deref), Ok(expected), "{path} by {listener}");
        }
    }

    #[test]
    fn a_slash_at_the_end_and_encoded_slashes_mean_what_the_settings_say() {
        let aliases = aliases();
        let strict = |path| aliases.resolve(path, "public", false, true).map(Option::unwrap_or_default);
        assert_eq!(strict("/shop/status/").as_deref(), Ok("/gateway/Orders/1.0/status/"));
        assert_eq!(strict("/").as_deref(), Ok("/gateway/Start/1.0"));
        let all = aliases.resolve("/shop%2Fnew/7", "public", true, false);
        assert_eq!(all, Ok(Some("/gateway/Orders/2.0/7".to_owned())));
    }

    #[test]
    fn what_is_no_path_is_no_alias() {
        for path in ["/shop/../x", "/shop/%2e%2e/x", "/shop/%00", "/shop/%zz", "/shop/%FF"] {
            assert!(aliases().resolve(path, "public", false, false).is_err(), "{path}");
        }
    }

    #[test]
    fn a_path_of_slashes_is_looked_at_only_as_deep_as_aliases_are() {
        let path = "/".repeat(60_000);
        assert_eq!(aliases().resolve(&path, "public", false, false), Ok(None));
        assert_eq!(aliases().deepest, 2);
    }
}
