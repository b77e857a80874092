//! What policies leave for later ones on a request: variables, results of call-outs, who was authenticated. Most
//! requests have nothing of it, and then it is one empty pointer.

use std::{borrow::Cow, sync::Arc};

use http::{Method, StatusCode, Uri, header::ACCEPT, header::CONTENT_TYPE};
use serde_json::Value;

use super::variable::header;
use crate::{
    Exchange, Headers, Payload, Problem, Rejection, calls::CallRecord, exchange::without_parameter,
    fault::Fault, held::Held, reason, signing::SignerRef,
};

/// What policies left on a request.
#[derive(Debug, Default)]
pub struct Extras {
    variables: Vec<(Box<str>, Box<str>)>,
    fields: Vec<(Box<str>, Box<str>)>,
    results: Vec<CallResult>,
    /// Calls that policies made, in the order that they ended.
    pub(crate) calls: Vec<CallRecord>,
    /// Who was authenticated, and by what.
    pub authorization: Authorization,
    /// What the client sent, once a policy changed something of it.
    inbound: Option<Inbound>,
    /// The path that a URL alias led to.
    pub(crate) resolved_path: Option<Box<str>>,
    /// Signs the request whenever it is sent.
    pub signer: Option<SignerRef>,
    /// What waits for the end of the request.
    pub(crate) held: Held,
    /// The error as it was before error handling changed it; there only when it did.
    pub fault: Option<Fault>,
    /// What is wrong with the request, when it was refused for that.
    pub(crate) problems: Vec<Problem>,
}

/// What identification found out about the caller.
#[derive(Debug, Clone, Default)]
pub struct Authorization {
    pub client_id: Option<Arc<str>>,
    pub user_name: Option<Arc<str>>,
    /// Names of the groups that the user is in, as whoever authenticated the user says.
    pub groups: Vec<Box<str>>,
    pub api_key: Option<Box<str>>,
    /// The token as the client sent it.
    pub incoming_token: Option<Box<str>>,
    pub issuer: Option<Arc<str>>,
    pub audience: Option<Arc<str>>,
    /// Claims of a verified token; an object.
    pub claims: Option<Arc<Value>>,
    /// Scopes of a verified token.
    pub scopes: Option<Arc<[Box<str>]>>,
}

impl Authorization {
    /// Adds what another proof of the same request says. What is known already stays; groups stay with their user.
    pub fn add(&mut self, other: Self) {
        if self.user_name.is_none() && (other.user_name.is_some() || self.groups.is_empty()) {
            self.groups = other.groups;
        }
        self.user_name = self.user_name.take().or(other.user_name);
        self.client_id = self.client_id.take().or(other.client_id);
        self.api_key = self.api_key.take().or(other.api_key);
        self.incoming_token = self.incoming_token.take().or(other.incoming_token);
        self.issuer = self.issuer.take().or(other.issuer);
        self.audience = self.audience.take().or(other.audience);
        self.claims = self.claims.take().or(other.claims);
        self.scopes = self.scopes.take().or(other.scopes);
    }
}

/// A call-out that a policy made, with what came back.
#[derive(Debug, Clone, Default)]
pub struct CallResult {
    /// By which templates refer to it, as in `${response[name].statusCode}`.
    pub name: Box<str>,
    pub method: Method,
    pub uri: Uri,
    pub request_headers: Headers,
    pub request_payload: Option<Payload>,
    pub status: StatusCode,
    pub response_headers: Headers,
    pub response_payload: Option<Payload>,
}

/// A request's head before policies changed it.
#[derive(Debug)]
pub(super) struct Inbound {
    pub method: Method,
    pub uri: Uri,
    pub content_type: Option<Box<str>>,
    pub accept: Option<Box<str>>,
}

/// All values of Accept, as one list.
pub(crate) fn accept(headers: &Headers) -> Option<Cow<'_, str>> {
    header(headers, &ACCEPT)
}

fn bad_path(error: &dyn std::fmt::Debug) -> Box<Rejection> {
    Rejection::new(&reason::BAD_PATH).detail(format!("{error:?}"))
}

/// Fields that one event keeps, and bytes of a value; more of a value is cut off. They stay for as long as events do.
const MOST_FIELDS: usize = 16;
const LONGEST_FIELD: usize = 512;

fn set(list: &mut Vec<(Box<str>, Box<str>)>, name: &str, value: Box<str>) {
    match list.iter_mut().find(|(known, _)| **known == *name) {
        Some((_, known)) => *known = value,
        None => list.push((name.into(), value)),
    }
}

fn get<'l>(list: &'l [(Box<str>, Box<str>)], name: &str) -> Option<&'l str> {
    list.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
}

impl Extras {
    /// Fields for the transaction event, in the order in which they were set.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }

    pub(super) fn inbound(&self) -> Option<&Inbound> {
        self.inbound.as_ref()
    }

    /// Credentials do not stay in what is remembered of the request.
    pub(crate) fn remove_inbound_parameter(&mut self, name: &str) {
        if let Some(inbound) = &mut self.inbound
            && let Some(uri) = without_parameter(&inbound.uri, name)
        {
            inbound.uri = uri;
        }
    }
}

impl Exchange {
    /// The value of a custom variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        get(&self.extras()?.variables, name)
    }

    /// Sets a custom variable, for every policy after this one.
    pub fn set_variable(&mut self, name: &str, value: impl Into<Box<str>>) {
        set(&mut self.extras_mut().variables, name, value.into());
    }

    pub fn remove_variable(&mut self, name: &str) {
        if self.extras().is_some() {
            self.extras_mut().variables.retain(|(known, _)| **known != *name);
        }
    }

    /// The value of a field of the transaction event.
    pub fn transaction_field(&self, name: &str) -> Option<&str> {
        get(&self.extras()?.fields, name)
    }

    /// Adds a field to the transaction event, unless it has as many as it may have.
    pub fn set_transaction_field(&mut self, name: &str, value: &str) {
        let fields = &mut self.extras_mut().fields;
        if fields.len() < MOST_FIELDS || get(fields, name).is_some() {
            set(fields, name, value[..value.floor_char_boundary(LONGEST_FIELD)].into());
        }
    }

    pub fn remove_transaction_field(&mut self, name: &str) {
        if self.extras().is_some() {
            self.extras_mut().fields.retain(|(known, _)| **known != *name);
        }
    }

    /// The result of the call-out with this name; of several, the last.
    pub fn result(&self, name: &str) -> Option<&CallResult> {
        self.extras()?.results.iter().rfind(|result| *result.name == *name)
    }

    /// Keeps the result of a call-out for later policies.
    pub fn add_result(&mut self, result: CallResult) {
        self.extras_mut().results.push(result);
    }

    /// What identification found out; `None` when nothing did.
    pub fn authorization(&self) -> Option<&Authorization> {
        self.extras().map(|extras| &extras.authorization)
    }

    /// Remembers what the client sent, for the variables that tell of it. To be called before a policy changes
    /// method, path, query, Content-Type or Accept of the request; `Target` does it itself.
    pub fn keep_inbound(&mut self) {
        if self.extras().is_some_and(|extras| extras.inbound.is_some()) {
            return;
        }
        let inbound = Inbound {
            method: self.method.clone(),
            uri: self.uri.clone(),
            content_type: self.headers.get(CONTENT_TYPE).map(|value| value.to_text().into()),
            accept: accept(&self.headers).map(Into::into),
        };
        self.extras_mut().inbound = Some(inbound);
    }

    /// Takes a request for a URL alias as one for what the alias stands for. What the client called stays known as such.
    pub fn resolve_url_alias(&mut self, listener: &str) -> Result<(), Box<Rejection>> {
        let snapshot = self.snapshot.clone();
        let matching = &snapshot.settings.matching;
        let (all, strict) =
            (matching.decode_all_delimiters_in_uri, matching.strict_trailing_slash_validation);
        let resolved = snapshot.url_aliases.resolve(self.uri.path(), listener, all, strict);
        let Some(path) = resolved.map_err(|error| bad_path(&error))? else { return Ok(()) };
        let target = match self.uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        };
        self.keep_inbound();
        // It can only be longer than a URI may be: an encoded target and the rest of a valid path are a path.
        self.uri = Uri::try_from(target).map_err(|error| bad_path(&error))?;
        self.extras_mut().resolved_path = Some(path.into());
        Ok(())
    }

    /// The method that the client sent, whatever policies made of it.
    pub fn inbound_method(&self) -> &Method {
        self.inbound().map_or(&self.method, |inbound| &inbound.method)
    }

    /// Path and query that the client sent, without credentials that were taken out.
    pub fn inbound_uri(&self) -> &Uri {
        self.inbound().map_or(&self.uri, |inbound| &inbound.uri)
    }

    /// What the client accepts, whatever the upstream is asked for.
    pub fn inbound_accept(&self) -> Option<Cow<'_, str>> {
        match self.inbound() {
            Some(inbound) => inbound.accept.as_deref().map(Cow::Borrowed),
            None => accept(&self.headers),
        }
    }

    fn inbound(&self) -> Option<&Inbound> {
        self.extras()?.inbound()
    }

    /// The path of the request below the API's base path.
    pub fn resource_path(&self) -> &str {
        match self.uri.path().get(self.base_length..) {
            Some(path) if !path.is_empty() => path,
            Some(_) => "/",
            None => self.uri.path(),
        }
    }
}
