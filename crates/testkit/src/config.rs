//! Configuration as a user would write it: a document, with short ways to write its usual parts.

use std::{collections::HashMap, io, net::IpAddr};

use engine::PolicyKind;
use serde_json::{Map, Value, json};

use crate::upstream::Upstream;

/// What is behind an API: an upstream of the test, or the name of one in the document.
pub trait Backend {
    fn target(&self) -> String;
}

impl Backend for &Upstream {
    fn target(&self) -> String {
        self.url()
    }
}

impl Backend for &str {
    fn target(&self) -> String {
        (*self).to_owned()
    }
}

/// One API of the document.
#[derive(Debug, Clone)]
pub struct Api(Map<String, Value>);

/// An API under a base path, named like it.
pub fn api(base_path: &str, upstream: impl Backend) -> Api {
    let name = match base_path.trim_matches('/') {
        "" => "root".to_owned(),
        path => path.replace('/', "-"),
    };
    let doc = json!({ "name": name, "version": "1.0", "basePath": base_path, "upstream": upstream.target() });
    Api(into_object(doc))
}

fn into_object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("expected an object, found {other}"),
    }
}

impl Api {
    /// Another name and version, at the default address.
    #[must_use]
    pub fn at_default_address(mut self, name: &str, version: &str) -> Self {
        self.0.remove("basePath");
        self.with("name", name).with("version", version)
    }

    /// Sets any key of the API.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Adds a policy.
    #[must_use]
    pub fn policy(self, kind: &str, config: Value) -> Self {
        self.append("policies", json!({ "type": kind, "config": config }))
    }

    /// Adds an operation.
    #[must_use]
    pub fn operation(self, method: &str, path: &str) -> Self {
        self.append("operations", json!({ "method": method, "path": path }))
    }

    fn append(mut self, list: &str, item: Value) -> Self {
        append(&mut self.0, list, item);
        self
    }
}

fn append(object: &mut Map<String, Value>, list: &str, item: Value) {
    let entry = object.entry(list).or_insert_with(|| json!([]));
    entry.as_array_mut().expect("a list").push(item);
}

/// The whole document, and the files beside it.
#[derive(Clone)]
pub struct Config {
    doc: Map<String, Value>,
    pub(crate) files: Vec<(String, String)>,
    pub(crate) kinds: &'static [PolicyKind],
    pub(crate) watch: bool,
    pub(crate) names: Names,
}

/// A name service that answers from a table, so that no test asks anybody else.
#[derive(Debug, Clone, Default)]
pub struct Names {
    names: HashMap<IpAddr, String>,
    addresses: HashMap<String, Vec<IpAddr>>,
}

impl proxy::NameService for Names {
    fn name_of(&self, address: IpAddr) -> io::Result<String> {
        self.names.get(&address).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn addresses_of(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.addresses.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Default for Config {
    fn default() -> Self {
        let doc = json!({
            "listeners": [{ "name": "default", "address": "127.0.0.1:0" }],
            "settings": { "workers": 2, "operations": { "address": "127.0.0.1:0" } },
        });
        Self {
            doc: into_object(doc),
            files: Vec::new(),
            kinds: policies::POLICIES,
            watch: false,
            names: Names::default(),
        }
    }
}

impl From<Api> for Config {
    fn from(api: Api) -> Self {
        Self::new().api(api)
    }
}

impl Config {
    /// Two workers, one listener, no API.
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn api(self, api: Api) -> Self {
        self.append("apis", Value::Object(api.0))
    }

    /// Adds an upstream with its name and everything else in `rest`.
    #[must_use]
    pub fn upstream(self, name: &str, rest: Value) -> Self {
        let mut doc = into_object(rest);
        doc.insert("name".to_owned(), name.into());
        self.append("upstreams", Value::Object(doc))
    }

    /// Adds an upstream of several endpoints.
    #[must_use]
    pub fn balanced(self, name: &str, endpoints: &[&Upstream], rest: Value) -> Self {
        let urls: Vec<Value> = endpoints.iter().map(|upstream| json!({ "url": upstream.url() })).collect();
        let mut doc = into_object(rest);
        doc.insert("endpoints".to_owned(), urls.into());
        self.upstream(name, Value::Object(doc))
    }

    /// Adds an application with one key that never expires.
    #[must_use]
    pub fn application(self, name: &str, key: &str, apis: &[&str]) -> Self {
        self.append("applications", json!({ "name": name, "apis": apis, "apiKeys": [{ "hash": hash(key) }] }))
    }

    /// Adds an entry to any list of the document.
    #[must_use]
    pub fn append(mut self, list: &str, item: Value) -> Self {
        append(&mut self.doc, list, item);
        self
    }

    /// Replaces the listeners.
    #[must_use]
    pub fn listeners(mut self, listeners: Value) -> Self {
        self.doc.insert("listeners".to_owned(), listeners);
        self
    }

    /// Sets a key of the settings, such as `limits.headerTimeout`.
    #[must_use]
    pub fn setting(mut self, path: &str, value: impl Into<Value>) -> Self {
        let mut at = self.doc.entry("settings").or_insert_with(|| json!({}));
        for key in path.split('.') {
            at = at.as_object_mut().expect("settings are objects").entry(key).or_insert_with(|| json!({}));
        }
        *at = value.into();
        self
    }

    /// One worker, where the order of things matters.
    #[must_use]
    pub fn one_worker(self) -> Self {
        self.setting("workers", 1)
    }

    /// Puts a file beside the document.
    #[must_use]
    pub fn file(mut self, name: &str, text: impl Into<String>) -> Self {
        self.files.push((name.to_owned(), text.into()));
        self
    }

    /// Changes of the files are taken up without being told.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.watch = true;
        self
    }

    /// What an address is called, and the address that this name leads to.
    ///
    /// # Panics
    ///
    /// When one of them is no address.
    #[must_use]
    pub fn host_name(mut self, address: &str, name: &str, leads_to: &str) -> Self {
        let parse = |text: &str| text.parse::<IpAddr>().expect("the test names an address");
        self.names.names.insert(parse(address), name.to_owned());
        self.names.addresses.entry(name.to_ascii_lowercase()).or_default().push(parse(leads_to));
        self
    }

    /// Other policies than the usual ones.
    #[must_use]
    pub fn policy_kinds(mut self, kinds: &'static [PolicyKind]) -> Self {
        self.kinds = kinds;
        self
    }

    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(&self.doc).expect("a document is JSON")
    }
}

/// The hash of an API key, as it is written in a configuration.
pub fn hash(key: &str) -> String {
    let digits =
        engine::compile::applications::sha256(key.as_bytes()).into_iter().map(|b| format!("{b:02x}"));
    format!("sha256:{}", digits.collect::<String>())
}
