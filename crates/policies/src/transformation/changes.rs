//! Changes to a message, compiled: what is set, added and removed. Values are made first and written then, so that no
//! value depends on what another change of the same policy left.

use std::{borrow::Cow, collections::BTreeMap};

use engine::{
    CompileCx, Exchange, Needs, Side,
    language::{Condition, Escape, SetError, Target, Template},
};
use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use model::{ConditionDoc, Diagnostic, diagnostic::join};

use super::docs::{
    TransformationHeaders, TransformationPayload, TransformationQuery, TransformationSet,
    TransformationStatus,
};
use crate::media::{self, FORM, Kind};

/// Changes, ready to be made.
#[derive(Debug)]
pub struct Changes {
    side: Side,
    /// One after the other, each seeing what the one before did.
    first: Vec<Change>,
    /// With values of before any of them was made.
    then: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    /// A header that is always the same, which needs no preparation.
    Header(HeaderName, HeaderValue),
    Set(Target, Value),
    Add(Target, Value),
    Payload(Value, HeaderValue),
    Remove(Target),
}

#[derive(Debug)]
struct Value {
    template: Template,
    escape: Escape,
}

impl Changes {
    pub fn apply(&self, exchange: &mut Exchange) -> Result<(), SetError> {
        for change in &self.first {
            let value = change.variable_value(exchange);
            self.write(change, exchange, value)?;
        }
        let values = self.prepare(exchange);
        self.write_all(exchange, values)
    }

    /// The values of everything but what comes first. Nothing is allocated when all are constants.
    pub fn prepare(&self, exchange: &Exchange) -> Vec<String> {
        self.then.iter().filter_map(|change| change.variable_value(exchange)).collect()
    }

    /// Makes these changes, with values that were prepared.
    pub fn write_all(&self, exchange: &mut Exchange, values: Vec<String>) -> Result<(), SetError> {
        let mut values = values.into_iter();
        for change in &self.then {
            let value = if change.varies() { values.next() } else { None };
            self.write(change, exchange, value)?;
        }
        Ok(())
    }

    pub fn needs(&self) -> Needs {
        self.first.iter().chain(&self.then).fold(Needs::default(), |needs, change| {
            needs
                | match change {
                    Change::Header(..) => Needs::default(),
                    Change::Set(target, value) | Change::Add(target, value) => {
                        target.needs() | value.template.needs()
                    }
                    Change::Payload(value, _) => body_of(self.side) | value.template.needs(),
                    Change::Remove(target) => target.needs(),
                }
        })
    }

    /// Writes a change, with its value where that is not the same for every request.
    fn write(&self, change: &Change, exchange: &mut Exchange, value: Option<String>) -> Result<(), SetError> {
        let constant = || change.value().and_then(|value| value.template.constant()).unwrap_or_default();
        let text = value.map_or_else(|| Cow::Borrowed(constant()), Cow::Owned);
        match change {
            Change::Header(name, value) if self.side == Side::Request => {
                exchange.headers.insert(name, value);
            }
            Change::Header(name, value) => exchange.response_headers.insert(name, value),
            Change::Set(target, _) => {
                target.set(exchange, &text)?;
                self.describe_body(target, exchange);
            }
            Change::Add(target, _) => target.add(exchange, &text)?,
            Change::Payload(_, content_type) => {
                let (headers, payload) = match self.side {
                    Side::Request => {
                        exchange.keep_inbound();
                        (&mut exchange.headers, &mut exchange.request_payload)
                    }
                    Side::Response => (&mut exchange.response_headers, &mut exchange.response_payload),
                };
                headers.remove_of_body();
                headers.insert(CONTENT_TYPE, content_type);
                payload.get_or_insert_default().replace(text.into_owned());
            }
            Change::Remove(target) => {
                target.remove(exchange)?;
                self.describe_body(target, exchange);
            }
        }
        Ok(())
    }

    /// Headers that were computed from a body do not outlive it.
    fn describe_body(&self, target: &Target, exchange: &mut Exchange) {
        if target.needs() != Needs::default() {
            match self.side {
                Side::Request => exchange.headers.remove_of_body(),
                Side::Response => exchange.response_headers.remove_of_body(),
            }
        }
    }
}

impl Change {
    fn value(&self) -> Option<&Value> {
        match self {
            Self::Set(_, value) | Self::Add(_, value) | Self::Payload(value, _) => Some(value),
            Self::Header(..) | Self::Remove(_) => None,
        }
    }

    fn varies(&self) -> bool {
        self.value().is_some_and(|value| !value.template.is_constant())
    }

    fn variable_value(&self, exchange: &Exchange) -> Option<String> {
        let value = self.value().filter(|value| !value.template.is_constant())?;
        Some(value.template.render(exchange, value.escape).into_owned())
    }
}

fn body_of(side: Side) -> Needs {
    Needs { request_body: side == Side::Request, response_body: side == Side::Response, ..Needs::default() }
}

/// Collects changes from documents, and says where one is wrong.
pub struct Builder<'b, 'a> {
    cx: &'b mut CompileCx<'a>,
    changes: Changes,
}

impl<'b, 'a> Builder<'b, 'a> {
    pub fn new(cx: &'b mut CompileCx<'a>, side: Side, namespaces: BTreeMap<String, String>) -> Self {
        for (prefix, uri) in namespaces {
            cx.language().namespace(prefix, uri);
        }
        Self { cx, changes: Changes { side, first: Vec::new(), then: Vec::new() } }
    }

    /// The changes; none at all are a mistake.
    pub fn finish(self) -> Result<Changes, Diagnostic> {
        if self.changes.first.is_empty() && self.changes.then.is_empty() {
            let keys = match self.changes.side {
                Side::Request => "set, method, path, query, headers, payload and remove",
                Side::Response => "set, status, headers, payload and remove",
            };
            return Err(Diagnostic::error("", format!("found no change, expected at least one of {keys}")));
        }
        Ok(self.changes)
    }

    /// The changes, also when there are none.
    pub fn finish_any(self) -> Changes {
        self.changes
    }

    pub fn condition(
        &mut self,
        path: &str,
        doc: Option<&ConditionDoc>,
    ) -> Result<Option<Condition>, Diagnostic> {
        doc.map(|doc| Condition::compile(doc, self.cx.language()))
            .transpose()
            .map_err(|problem| problem.under(path))
    }

    /// Variables that are set one after the other, before everything else.
    pub fn set_first(&mut self, path: &str, list: &[TransformationSet]) -> Result<(), Diagnostic> {
        for (index, entry) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            // The value does not see the variable that it is for.
            let template = self.template(&join(&path, "value"), &entry.value)?;
            let target = self.target(&join(&path, "variable"), &entry.variable)?;
            let escape = if target.is_payload() { escape_of(guess(&entry.value)) } else { Escape::None };
            self.changes.first.push(Change::Set(target, Value { template, escape }));
        }
        Ok(())
    }

    /// A variable with a name of its own in the document.
    pub fn value(&mut self, path: &str, variable: &str, text: Option<&str>) -> Result<(), Diagnostic> {
        let Some(text) = text else { return Ok(()) };
        let template = self.template(path, text)?;
        let target = self.target(path, variable)?;
        let constant = template.constant();
        let problem = match (variable, constant) {
            ("request.httpMethod", Some(method)) => {
                let is_method = Method::from_bytes(method.as_bytes()).is_ok_and(|it| it != Method::CONNECT)
                    && !method.bytes().any(|byte| byte.is_ascii_lowercase());
                (!is_method).then_some("expected a method in capitals, such as PUT")
            }
            ("request.path", Some(path)) => {
                let valid = path.starts_with('/') && !path.contains(['?', '#']);
                let valid = valid && engine::route::decode(path, false).is_ok();
                (!valid).then_some(
                    "expected a path that begins with `/`, without dot segments, query and fragment",
                )
            }
            ("response.statusCode", Some(status)) => {
                let valid = status.parse::<u16>().is_ok_and(|status| (200..600).contains(&status));
                (!valid).then_some("expected a status from 200 to 599")
            }
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Diagnostic::error(path, format!("found `{text}`, {problem}")));
        }
        let escape = if variable == "request.path" { Escape::UrlPath } else { Escape::None };
        self.changes.then.push(Change::Set(target, Value { template, escape }));
        Ok(())
    }

    pub fn status(&mut self, path: &str, doc: Option<&TransformationStatus>) -> Result<(), Diagnostic> {
        self.value(path, "response.statusCode", doc.map(TransformationStatus::text).as_deref())
    }

    pub fn headers(&mut self, path: &str, doc: &TransformationHeaders) -> Result<(), Diagnostic> {
        let (removed, set, added) = (join(path, "remove"), join(path, "set"), join(path, "add"));
        for (index, name) in doc.remove.iter().enumerate() {
            let target = self.header(&format!("{removed}[{index}]"), name)?;
            self.changes.then.push(Change::Remove(target));
        }
        self.set_headers(&set, &doc.set)?;
        for (name, value) in &doc.add {
            let path = join(&added, name);
            let target = self.header(&path, name)?;
            let value = self.header_value(&path, value)?;
            self.changes.then.push(Change::Add(target, value));
        }
        Ok(())
    }

    pub fn set_headers(&mut self, path: &str, headers: &BTreeMap<String, String>) -> Result<(), Diagnostic> {
        for (name, text) in headers {
            let path = join(path, name);
            let target = self.header(&path, name)?;
            let value = self.header_value(&path, text)?;
            // What the client sent of these two has to be remembered, which a target does.
            let remembered = ["content-type", "accept"].iter().any(|known| name.eq_ignore_ascii_case(known));
            let constant = value.template.constant().filter(|_| !remembered).and_then(|text| {
                let value = HeaderValue::from_bytes(text.trim().as_bytes()).ok()?;
                Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
            });
            self.changes.then.push(match constant {
                Some((name, value)) => Change::Header(name, value),
                None => Change::Set(target, value),
            });
        }
        Ok(())
    }

    pub fn query(&mut self, path: &str, doc: &TransformationQuery) -> Result<(), Diagnostic> {
        let parameter = |build: &mut Self, path: &str, name: &str| {
            if name.is_empty() {
                return Err(Diagnostic::error(path, "found ``, expected the name of a query parameter"));
            }
            build.target(path, &format!("request.query.{name}"))
        };
        for (index, name) in doc.remove.iter().enumerate() {
            let target = parameter(self, &format!("{path}.remove[{index}]"), name)?;
            self.changes.then.push(Change::Remove(target));
        }
        for (name, text) in &doc.set {
            let path = format!("{path}.set.{name}");
            let target = parameter(self, &path, name)?;
            let template = self.template(&path, text)?;
            self.changes.then.push(Change::Set(target, Value { template, escape: Escape::None }));
        }
        for (name, text) in &doc.add {
            let path = format!("{path}.add.{name}");
            let target = parameter(self, &path, name)?;
            let template = self.template(&path, text)?;
            self.changes.then.push(Change::Add(target, Value { template, escape: Escape::None }));
        }
        Ok(())
    }

    pub fn payload(&mut self, path: &str, doc: Option<&TransformationPayload>) -> Result<(), Diagnostic> {
        let Some(doc) = doc else { return Ok(()) };
        let template = self.template(&join(path, "template"), &doc.template)?;
        let (content_type, escape) = match &doc.content_type {
            None => (
                HeaderValue::from_static(guessed_type(guess(&doc.template))),
                escape_of(guess(&doc.template)),
            ),
            Some(written) => {
                let essence = media::essence(written);
                let value = HeaderValue::from_str(written).ok();
                let value = value.filter(|_| media::is_range(&essence) && !essence.contains('*'));
                let value = value.ok_or_else(|| {
                    Diagnostic::error(
                        join(path, "contentType"),
                        format!("found `{written}`, expected a content type such as `application/json`"),
                    )
                })?;
                let escape = match media::kind(self.cx.content_types(), &essence) {
                    _ if essence == FORM => Escape::UrlQuery,
                    kind => escape_of(kind),
                };
                (value, escape)
            }
        };
        self.changes.then.push(Change::Payload(Value { template, escape }, content_type));
        Ok(())
    }

    pub fn remove(&mut self, path: &str, variables: &[String]) -> Result<(), Diagnostic> {
        for (index, variable) in variables.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let target = self.target(&path, variable)?;
            if !target.is_removable() {
                return Err(Diagnostic::error(
                    path,
                    format!("found `{variable}`, which every message has and which cannot be removed"),
                )
                .help("give it another value with `set`"));
            }
            self.changes.then.push(Change::Remove(target));
        }
        Ok(())
    }

    fn template(&mut self, path: &str, text: &str) -> Result<Template, Diagnostic> {
        Template::compile(text, self.cx.language()).map_err(|problem| problem.under(path))
    }

    fn target(&mut self, path: &str, variable: &str) -> Result<Target, Diagnostic> {
        let target = Target::compile(variable, self.cx.language()).map_err(|problem| problem.under(path))?;
        match target.side() {
            Some(side) if side != self.changes.side => {
                let why = match side {
                    Side::Request => "belongs to the request, which has been sent by then",
                    Side::Response => "belongs to the response, which is not there yet",
                };
                let help = match side {
                    Side::Request => "set it with requestTransformation",
                    Side::Response => "set it with responseTransformation",
                };
                Err(Diagnostic::error(path, format!("found `{variable}`, which {why}")).help(help))
            }
            _ => Ok(target),
        }
    }

    fn header(&mut self, path: &str, name: &str) -> Result<Target, Diagnostic> {
        let side = match self.changes.side {
            Side::Request => "request",
            Side::Response => "response",
        };
        if name.is_empty() {
            return Err(Diagnostic::error(path, "found ``, expected the name of a header"));
        }
        self.target(path, &format!("{side}.headers.{name}"))
    }

    fn header_value(&mut self, path: &str, text: &str) -> Result<Value, Diagnostic> {
        if text.chars().any(char::is_control) {
            return Err(Diagnostic::error(
                path,
                "found a line break or control character, expected a value without",
            ));
        }
        Ok(Value { template: self.template(path, text)?, escape: Escape::Header })
    }
}

/// What a template makes, by how it begins. The request does not decide it: whoever sends it would choose how its
/// values are escaped.
fn guess(text: &str) -> Option<Kind> {
    match text.trim_start().bytes().next() {
        Some(b'{' | b'[') => Some(Kind::Json),
        Some(b'<') => Some(Kind::Xml),
        _ => None,
    }
}

pub fn escape_of(kind: Option<Kind>) -> Escape {
    match kind {
        Some(Kind::Json) => Escape::Json,
        Some(Kind::Xml) => Escape::Xml,
        Some(Kind::Text) | None => Escape::None,
    }
}

fn guessed_type(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Json) => "application/json",
        Some(Kind::Xml) => "application/xml",
        Some(Kind::Text) | None => "text/plain; charset=utf-8",
    }
}
