//! What rules in Rego are asked, and what they answer, wherever they run.

use engine::{
    Exchange, Needs, Reason, Rejection,
    route::{decode_query, decode_text},
};
use http::HeaderName;
use model::Diagnostic;
use serde_json::{Map, Value, json};

/// What rules see of a request.
pub(crate) struct RulesInput {
    headers: Vec<HeaderName>,
    body: bool,
}

impl RulesInput {
    pub fn new(headers: &[String], body: bool) -> Result<Self, Diagnostic> {
        let headers = headers.iter().enumerate().map(|(index, name)| {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                let found = format!("found `{name}`, expected the name of a header");
                Diagnostic::error(format!("headers[{index}]"), found)
            })
        });
        Ok(Self { headers: headers.collect::<Result<_, _>>()?, body })
    }

    pub fn needs(&self) -> Needs {
        Needs { request_body: self.body, ..Needs::default() }
    }

    /// What the rules can look at.
    pub fn of(&self, exchange: &Exchange) -> Value {
        let mut input = Map::new();
        input.insert("request".to_owned(), self.request(exchange));
        input.insert("time".to_owned(), exchange.started.0.into());
        if let Some(api) = exchange.api() {
            input.insert("api".to_owned(), json!({ "name": *api.names.name, "version": *api.names.version }));
            if let Some(operation) = api.operation_names(exchange.operation) {
                let (name, method, path) = (&*operation.name, &*operation.method, &*operation.path);
                input.insert("operation".to_owned(), json!({ "name": name, "method": method, "path": path }));
            }
        }
        if let Some(application) = exchange.application() {
            let (name, attributes) = (&*application.name, &application.attributes);
            input.insert("application".to_owned(), json!({ "name": name, "attributes": attributes }));
        }
        if let Some(known) = exchange.authorization() {
            if let Some(name) = &known.user_name {
                input.insert("user".to_owned(), json!({ "name": **name, "groups": known.groups }));
            }
            if let Some(claims) = &known.claims {
                input.insert("claims".to_owned(), Value::clone(claims));
            }
            if let Some(scopes) = &known.scopes {
                input.insert("scopes".to_owned(), json!(**scopes));
            }
        }
        Value::Object(input)
    }

    fn request(&self, exchange: &Exchange) -> Value {
        let decoded = |text: &str| decode_query(text).into_owned();
        // Empty segments stay: who leaves them out sees another path than the upstream.
        let path = exchange.resource_path().strip_prefix('/').filter(|path| !path.is_empty());
        let path: Vec<_> = path.iter().flat_map(|path| path.split('/')).map(decode_text).collect();
        let mut query: Map<String, Value> = Map::new();
        for pair in exchange.uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let values = query.entry(decoded(name)).or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(decoded(value).into());
            }
        }
        let host = match exchange.uri.authority() {
            Some(authority) => Some(authority.to_string()),
            None => exchange.headers.get(http::header::HOST).map(|host| host.to_text().into_owned()),
        };
        let mut request = json!({
            "method": exchange.method.as_str(),
            "path": path,
            "query": query,
            "host": host,
            "scheme": if exchange.client.secure { "https" } else { "http" },
            "ip": exchange.client.ip.to_canonical().to_string(),
        });
        let headers = self.headers.iter().filter_map(|name| {
            let values: Vec<Value> =
                exchange.headers.get_all(name).map(|value| value.to_text().into_owned().into()).collect();
            (!values.is_empty()).then(|| (name.as_str().to_owned(), Value::Array(values)))
        });
        let headers: Map<String, Value> = headers.collect();
        if !headers.is_empty() {
            request["headers"] = Value::Object(headers);
        }
        let body = exchange.request_payload.as_ref().filter(|_| self.body).and_then(|body| body.json());
        if let Some(body) = body {
            request["body"] = body.clone();
        }
        request
    }
}

/// What rules say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    /// And why, where they say so.
    Refused(Option<String>),
}

impl Decision {
    /// Only what says so allows anything.
    pub fn of(result: Option<Value>) -> Self {
        match result {
            Some(Value::Bool(true)) => Self::Allowed,
            Some(Value::Object(result)) if result.get("allow") == Some(&Value::Bool(true)) => Self::Allowed,
            Some(Value::Object(mut result)) => Self::Refused(match result.remove("reason") {
                Some(Value::String(reason)) => Some(reason),
                _ => None,
            }),
            _ => Self::Refused(None),
        }
    }
}

/// A request that rules refuse. Why they do is for the decision record, and not for the caller.
pub(crate) fn refusal(reason: &'static Reason, why: Option<String>) -> Box<Rejection> {
    let rejection = Rejection::new(reason);
    match why {
        Some(why) => rejection.detail(why),
        None => rejection,
    }
}
