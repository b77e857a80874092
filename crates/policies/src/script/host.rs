//! What the gateway offers to a script: the functions behind the objects that `prelude.js` makes. Values that a script
//! writes go through the same targets as those of transformations.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bytes::Bytes;
use engine::{
    Clock, Exchange, Headers, RequestHead,
    language::{Escape, LanguageCx, OWN_HEADERS, Target, Variable},
};
use http::{HeaderName, StatusCode};
use rquickjs::{Ctx, Exception, Function, Object};
use serde_json::json;

/// Most characters of a decision record that one call can fill.
const MOST_LOG: usize = 2_000;
/// Longest value of a header.
const MOST_HEADER: usize = 64 << 10;
const MOST_MESSAGE: usize = 500;
const FIELDS: &str = "customTransactionFields.";

/// How a script ended the request.
#[derive(Debug)]
pub enum Decision {
    Reject { status: StatusCode, code: Option<String>, message: String },
    Respond { status: StatusCode, headers: Headers, body: Bytes },
}

/// One virtual machine's way to the request that it works on.
pub struct Host {
    exchange: RefCell<Option<Exchange>>,
    pub on_response: bool,
    /// Whether the body of its message is there.
    pub body: bool,
    clock: Clock,
    path: Option<Variable>,
    log: RefCell<String>,
    decision: RefCell<Option<Decision>>,
    changed: Cell<bool>,
    /// Bytes that may still be written.
    budget: Cell<usize>,
}

/// What a script left behind.
pub struct Left {
    pub log: String,
    pub decision: Option<Decision>,
    pub changed: bool,
}

impl Host {
    pub fn new(on_response: bool, body: bool, clock: Clock) -> Self {
        Self {
            exchange: RefCell::default(),
            on_response,
            body,
            clock,
            path: Variable::compile("${request.path}", &mut LanguageCx::default()).ok(),
            log: RefCell::default(),
            decision: RefCell::default(),
            changed: Cell::new(false),
            budget: Cell::new(0),
        }
    }

    /// Has the exchange while `run` runs. A script can then write `budget` bytes.
    pub fn lend<T>(&self, exchange: &mut Exchange, budget: usize, run: impl FnOnce() -> T) -> (T, Left) {
        self.budget.set(budget);
        self.changed.set(false);
        self.log.borrow_mut().clear();
        self.decision.take();
        let loan = Loan::new(self, exchange);
        let result = run();
        drop(loan);
        let (log, decision) = (self.log.take(), self.decision.take());
        (result, Left { log, decision, changed: self.changed.get() })
    }

    pub fn has_decided(&self) -> bool {
        self.decision.borrow().is_some()
    }

    /// Reads or changes the exchange; between requests there is none.
    fn with<T>(&self, ctx: &Ctx<'_>, then: impl FnOnce(&mut Exchange) -> T) -> rquickjs::Result<T> {
        match self.exchange.borrow_mut().as_mut() {
            Some(exchange) => Ok(then(exchange)),
            None => Err(refused(ctx, "there is no request")),
        }
    }

    fn spend(&self, ctx: &Ctx<'_>, bytes: usize) -> rquickjs::Result<()> {
        let left = self.budget.get().checked_sub(bytes);
        self.budget.set(left.ok_or_else(|| refused(ctx, "more is written than `limits.memory`"))?);
        self.changed.set(true);
        Ok(())
    }

    /// Does something to `request.…` or `response.…`.
    fn target(
        &self,
        ctx: &Ctx<'_>,
        (response, place, bytes): (bool, &str, usize),
        then: impl FnOnce(&Target, &mut Exchange) -> Result<(), engine::language::SetError>,
    ) -> rquickjs::Result<()> {
        if response != self.on_response {
            return Err(refused(ctx, "the request has been sent; only the response can be changed"));
        }
        if bytes > MOST_HEADER && place.starts_with("headers.") {
            return Err(refused(ctx, "a header of more than 64 KiB"));
        }
        self.spend(ctx, bytes + place.len())?;
        let name = format!("{}.{place}", if response { "response" } else { "request" });
        let target = Target::compile(&name, &mut LanguageCx::default())
            .map_err(|problem| refused(ctx, &problem.message))?;
        self.with(ctx, |exchange| then(&target, exchange))?.map_err(|problem| refused(ctx, &problem.0))
    }

    /// Does something to a variable of its own, or to a field of the transaction event.
    fn variable(
        &self,
        ctx: &Ctx<'_>,
        name: &str,
        bytes: usize,
        then: impl FnOnce(&Target, &mut Exchange) -> Result<(), engine::language::SetError>,
    ) -> rquickjs::Result<()> {
        self.spend(ctx, bytes + name.len())?;
        let target = Target::compile(name, &mut LanguageCx::default()).ok();
        let Some(target) = target.filter(|target| target.side().is_none()) else {
            return Err(refused(ctx, "not the name of a variable of one's own"));
        };
        self.with(ctx, |exchange| then(&target, exchange))?.map_err(|problem| refused(ctx, &problem.0))
    }

    fn check_body(&self, ctx: &Ctx<'_>, response: bool) -> rquickjs::Result<()> {
        if response != self.on_response {
            return Err(refused(ctx, "the body of the request has been sent"));
        }
        if !self.body {
            return Err(refused(ctx, "the body is not there without `body: true` in the policy"));
        }
        Ok(())
    }
}

/// An exchange in the hands of a host; whatever happens, it goes back.
struct Loan<'a> {
    host: &'a Host,
    exchange: &'a mut Exchange,
}

impl<'a> Loan<'a> {
    fn new(host: &'a Host, exchange: &'a mut Exchange) -> Self {
        let empty = Exchange::new(
            exchange.id,
            exchange.started,
            exchange.client.clone(),
            exchange.snapshot.clone(),
            RequestHead::default(),
        );
        host.exchange.replace(Some(std::mem::replace(exchange, empty)));
        Self { host, exchange }
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if let Some(exchange) = self.host.exchange.take() {
            *self.exchange = exchange;
        }
    }
}

fn refused(ctx: &Ctx<'_>, problem: &str) -> rquickjs::Error {
    Exception::throw_type(ctx, problem)
}

fn status(ctx: &Ctx<'_>, number: f64, least: u16) -> rquickjs::Result<StatusCode> {
    let whole = number as u16;
    let valid = f64::from(whole) == number && (least..600).contains(&whole);
    StatusCode::from_u16(whole)
        .ok()
        .filter(|_| valid)
        .ok_or_else(|| refused(ctx, &format!("found {number}, expected a status from {least} to 599")))
}

fn bounded(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

fn headers_of(exchange: &Exchange, response: bool) -> &Headers {
    if response { &exchange.response_headers } else { &exchange.headers }
}

/// The object that the prelude gets.
pub fn object<'js>(ctx: &Ctx<'js>, host: &Rc<Host>) -> rquickjs::Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("onResponse", host.on_response)?;
    macro_rules! offer {
        ($name:literal, |$host:ident, $ctx:ident $(, $arg:ident: $type:ty)*| -> $result:ty { $($body:tt)* }) => {{
            let $host = Rc::clone(host);
            let function = move |$ctx: Ctx<'js> $(, $arg: $type)*| -> rquickjs::Result<$result> { $($body)* };
            object.set($name, Function::new(ctx.clone(), function)?)?;
        }};
    }
    offer!("method", |host, ctx| -> String { host.with(&ctx, |exchange| exchange.method.to_string()) });
    offer!("path", |host, ctx| -> Option<String> {
        host.with(&ctx, |exchange| Some(host.path.as_ref()?.value(exchange)?.into_owned()))
    });
    offer!("query", |host, ctx, name: String| -> Vec<String> {
        host.with(&ctx, |exchange| {
            let pairs = exchange.uri.query().unwrap_or_default().split('&');
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            let found = pairs.filter(|(key, _)| engine::route::decode_query(key) == name);
            found.map(|(_, value)| engine::route::decode_query(value).into_owned()).collect()
        })
    });
    offer!("header", |host, ctx, response: bool, name: String| -> Option<String> {
        let value = |exchange: &mut Exchange| {
            headers_of(exchange, response).get(&name).map(|value| value.to_text().into_owned())
        };
        host.with(&ctx, value)
    });
    offer!("headers", |host, ctx, response: bool, name: String| -> Vec<String> {
        host.with(&ctx, |exchange| {
            let values = headers_of(exchange, response).get_all(&name);
            values.map(|value| value.to_text().into_owned()).collect()
        })
    });
    offer!("headerNames", |host, ctx, response: bool| -> Vec<String> {
        host.with(&ctx, |exchange| {
            let mut names: Vec<String> =
                headers_of(exchange, response).iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            names.sort_unstable();
            names.dedup();
            names
        })
    });
    offer!("text", |host, ctx, response: bool| -> Option<String> {
        host.check_body(&ctx, response)?;
        host.with(&ctx, |exchange| {
            let payload = if response { &exchange.response_payload } else { &exchange.request_payload };
            let bytes = payload.as_ref().map(engine::Payload::bytes).filter(|bytes| !bytes.is_empty())?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        })
    });
    offer!("setBody", |host, ctx, response: bool, body: String, is_json: bool| -> () {
        host.check_body(&ctx, response)?;
        if is_json {
            host.target(&ctx, (response, "headers.content-type", 0), |target, exchange| {
                target.set(exchange, "application/json")
            })?;
        }
        host.target(&ctx, (response, "payload", body.len()), |target, exchange| {
            target.set(exchange, &body)?;
            // What was computed from the body before does not outlive it.
            let headers = if response { &mut exchange.response_headers } else { &mut exchange.headers };
            headers.remove_of_body();
            Ok(())
        })
    });
    offer!("write", |host, ctx, response: bool, place: String, value: String| -> () {
        host.target(&ctx, (response, &place, value.len()), |target, exchange| target.set(exchange, &value))
    });
    offer!("append", |host, ctx, response: bool, place: String, value: String| -> () {
        host.target(&ctx, (response, &place, value.len()), |target, exchange| target.add(exchange, &value))
    });
    offer!("remove", |host, ctx, response: bool, place: String| -> () {
        host.target(&ctx, (response, &place, 0), |target, exchange| target.remove(exchange))
    });
    offer!("status", |host, ctx| -> u16 { host.with(&ctx, |exchange| exchange.status.as_u16()) });
    offer!("about", |host, ctx, what: String| -> Option<String> {
        host.with(&ctx, |exchange| about(exchange, &what).map(|value| value.to_string()))
    });
    offer!("requestId", |host, ctx| -> String { host.with(&ctx, |exchange| exchange.id.to_string()) });
    offer!("error", |host, ctx| -> Option<String> {
        host.with(&ctx, |exchange| exchange.reason.map(|reason| reason.code.to_owned()))
    });
    offer!("variable", |host, ctx, name: String| -> Option<String> {
        host.with(&ctx, |exchange| {
            let value = match name.strip_prefix(FIELDS) {
                Some(field) => exchange.transaction_field(field),
                None => exchange.variable(&name),
            };
            value.map(str::to_owned)
        })
    });
    offer!("setVariable", |host, ctx, name: String, value: String| -> () {
        host.variable(&ctx, &name, value.len(), |target, exchange| target.set(exchange, &value))
    });
    offer!("removeVariable", |host, ctx, name: String| -> () {
        host.variable(&ctx, &name, 0, |target, exchange| target.remove(exchange))
    });
    offer!("log", |host, _ctx, text: String| -> () {
        let mut log = host.log.borrow_mut();
        let separator = if log.is_empty() { "" } else { "; " };
        if log.len() < MOST_LOG {
            let text = bounded(text, MOST_LOG - log.len());
            log.push_str(separator);
            log.push_str(&Escape::Text.apply(text.into()));
        }
        Ok(())
    });
    offer!("reject", |host, ctx, number: f64, code: Option<String>, message: String| -> () {
        let status = status(&ctx, number, 400)?;
        let code = code.map(|code| bounded(code, 100));
        let decision = Decision::Reject { status, code, message: bounded(message, MOST_MESSAGE) };
        host.decision.borrow_mut().get_or_insert(decision);
        Ok(())
    });
    offer!("respond", |host, ctx, number: f64, lines: Vec<Vec<String>>, body: String| -> () {
        let status = status(&ctx, number, 200)?;
        host.spend(&ctx, body.len() + lines.iter().flatten().map(String::len).sum::<usize>())?;
        let mut headers = Headers::new();
        for line in &lines {
            let [name, value] = &line[..] else { continue };
            let known = HeaderName::from_bytes(name.as_bytes()).ok();
            let known = known.filter(|name| !OWN_HEADERS.contains(&name.as_str()));
            let Some(name) = known else {
                return Err(refused(&ctx, &format!("found `{name}`, expected a header that can be set")));
            };
            let value = Escape::Header.apply(value.into());
            headers.append_bytes(&name, value.trim().as_bytes());
        }
        let decision = Decision::Respond { status, headers, body: body.into() };
        host.decision.borrow_mut().get_or_insert(decision);
        Ok(())
    });
    offer!("now", |host, _ctx| -> f64 { Ok(host.clock.now().millis() as f64) });
    Ok(object)
}

fn about(exchange: &Exchange, what: &str) -> Option<serde_json::Value> {
    Some(match what {
        "application" => {
            let application = exchange.application()?;
            json!({ "name": application.name, "description": application.description })
        }
        "api" => {
            let names = &exchange.api()?.names;
            json!({ "id": names.id, "name": names.name, "version": names.version })
        }
        "operation" => {
            let operation = exchange.api()?.operation_names(exchange.operation)?;
            json!({ "name": operation.name, "method": operation.method, "path": operation.path })
        }
        _ => json!({ "ip": exchange.client.ip.to_string(), "secure": exchange.client.secure }),
    })
}
