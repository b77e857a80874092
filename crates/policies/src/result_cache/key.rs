//! What two requests have to have in common to get the same answer.

use engine::{
    Exchange, HeaderText, Needs,
    compile::applications::sha256,
    language::{Authorization, LanguageCx, Selector, SelectorKind},
    route::decode_query,
};
use http::{
    HeaderName, Method,
    header::{AUTHORIZATION, COOKIE, HOST},
};
use model::Diagnostic;

use super::{ResultCacheCallers, ResultCacheKey};

/// SHA-256 over everything that counts, each part with its length, so that no two requests are taken for the same.
pub type Digest = [u8; 32];

/// What counts.
pub struct Criteria {
    /// `None` for all of them.
    query: Option<Vec<String>>,
    headers: Vec<HeaderName>,
    callers: ResultCacheCallers,
    selectors: Vec<Selector>,
}

impl Criteria {
    pub fn compile(doc: ResultCacheKey, cx: &mut LanguageCx) -> Result<Self, Diagnostic> {
        let mut headers = Vec::new();
        for (index, name) in doc.headers.iter().enumerate() {
            headers.push(HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                Diagnostic::error(
                    format!("key.headers[{index}]"),
                    format!("found `{name}`, expected the name of a header"),
                )
            })?);
        }
        for (prefix, uri) in doc.namespaces {
            cx.namespace(prefix, uri);
        }
        let mut selectors = Vec::new();
        let lists =
            [(SelectorKind::JsonPath, "jsonPath", doc.json_path), (SelectorKind::XPath, "xPath", doc.x_path)];
        for (kind, field, texts) in lists {
            for (index, text) in texts.iter().enumerate() {
                let compiled = Selector::compile(kind, text, cx.namespaces());
                selectors.push(compiled.map_err(|problem| problem.under(&format!("key.{field}[{index}]")))?);
            }
        }
        Ok(Self { query: doc.query, headers, callers: doc.callers, selectors })
    }

    pub fn needs(&self) -> Needs {
        Needs { request_body: self.looks_into_bodies(), response: true, ..Needs::default() }
    }

    /// Whether parts of the body tell requests apart, so that a POST can be answered.
    pub fn looks_into_bodies(&self) -> bool {
        !self.selectors.is_empty()
    }

    /// Whether different callers may get the same answer.
    pub fn shares_between_users(&self) -> bool {
        self.callers != ResultCacheCallers::Apart
    }

    /// The key of a request; `None` when its body has nothing that would tell it from others.
    pub fn digest(&self, exchange: &Exchange) -> Option<Digest> {
        let mut text = Parts::default();
        // HEAD is answered from what GET got.
        let method = if exchange.method == Method::HEAD { &Method::GET } else { &exchange.method };
        text.add(method.as_str().as_bytes());
        text.add(if exchange.client.secure { b"https" } else { b"http" });
        // Also for APIs of one host: a native service may write it into its answers.
        text.add(exchange.headers.get(HOST).map_or(&b""[..], HeaderText::as_bytes));
        text.add(exchange.uri.path().as_bytes());
        self.add_query(exchange.uri.query().unwrap_or(""), &mut text);
        for name in &self.headers {
            text.add_all(exchange, name);
        }
        self.add_caller(exchange, &mut text);
        if self.looks_into_bodies() && exchange.method == Method::POST {
            let payload = exchange.request_payload.as_ref()?;
            let mut found = false;
            for selector in &self.selectors {
                let texts = selector.texts(payload);
                found |= !texts.is_empty();
                text.count(texts.len());
                texts.iter().for_each(|part| text.add(part.as_bytes()));
            }
            if !found {
                return None;
            }
        }
        Some(sha256(&text.0))
    }

    /// Parameters by name; those of one name keep their order, which may mean something.
    fn add_query(&self, query: &str, text: &mut Parts) {
        let name = |pair: &str| pair.split_once('=').map_or(pair.len(), |(name, _)| name.len());
        let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
        if let Some(chosen) = &self.query {
            pairs.retain(|pair| {
                let name = decode_query(&pair[..name(pair)]);
                chosen.iter().any(|chosen| *chosen == *name)
            });
        }
        pairs.sort_by(|one, other| one[..name(one)].cmp(&other[..name(other)]));
        text.count(pairs.len());
        pairs.iter().for_each(|pair| text.add(pair.as_bytes()));
    }

    fn add_caller(&self, exchange: &Exchange, text: &mut Parts) {
        if self.callers == ResultCacheCallers::Together {
            return;
        }
        text.add(exchange.application().map_or(&b""[..], |application| application.name.as_bytes()));
        if self.callers == ResultCacheCallers::Application {
            return;
        }
        text.add_all(exchange, &AUTHORIZATION);
        text.add_all(exchange, &COOKIE);
        // Credentials may have been taken off the request once they were checked. Nothing known and something known of
        // nobody are the same.
        let nobody = Authorization::default();
        let known = exchange.authorization().unwrap_or(&nobody);
        for part in [
            known.client_id.as_deref(),
            known.user_name.as_deref(),
            known.api_key.as_deref(),
            known.incoming_token.as_deref(),
            known.issuer.as_deref(),
        ] {
            text.add(part.unwrap_or("").as_bytes());
        }
        text.add(known.claims.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
    }
}

/// Parts of a key, one after the other.
#[derive(Default)]
struct Parts(Vec<u8>);

impl Parts {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn add(&mut self, part: &[u8]) {
        self.count(part.len());
        self.0.extend_from_slice(part);
    }

    fn add_all(&mut self, exchange: &Exchange, name: &HeaderName) {
        self.count(exchange.headers.get_all(name).count());
        exchange.headers.get_all(name).for_each(|value| self.add(value.as_bytes()));
    }
}
