//! Callbacks: what an upstream sends to a URL that stands for a client's. Who may call, what is sealed in the URL, the
//! API's own say, and then on to the client. How URLs are sealed is in `engine::callbacks`.

use engine::{Destination, Exchange, Rejection, callbacks::Callbacks, reason};
use http::StatusCode;

use crate::{
    headers::{self, Seen},
    payload::Unread,
    request::Decided,
    steps::run_callback,
    upgrade::Asked,
    worker::Worker,
};

/// Everything before the client. Neither identification nor what APIs do with requests has a part in it: it is the
/// upstream that calls, and the seal that says who may.
pub(crate) async fn decide(
    worker: &Worker,
    exchange: &mut Exchange,
    callbacks: &Callbacks,
    asked: Option<Asked>,
    body: &mut Unread<'_>,
) -> Result<Decided, Box<Rejection>> {
    let taken = callbacks.take_sealed(exchange)?;
    Callbacks::refuse_circle(exchange)?;
    callbacks.admit(&exchange.client)?;
    if asked.is_some() {
        return Err(Rejection::new(&reason::CALLBACK_UPGRADE));
    }
    let endpoint = callbacks.open(&taken, exchange.started)?.take(exchange)?;
    let snapshot = exchange.snapshot.clone();
    // It was found there.
    let Some(api) = exchange.api.and_then(|api| snapshot.apis.get(api as usize)) else {
        return Err(Rejection::new(&reason::CALLBACK_UNKNOWN));
    };
    if let Some(standing) = &api.standing {
        standing.admit(exchange)?;
    }
    body.limit = api.max_body_size;
    let chain = api.chain(exchange.operation);
    if chain.needs.log {
        *body.progress.kept.borrow_mut() = exchange.begin_log(chain);
    }
    if chain.needs.callback {
        run_callback(worker, exchange, chain).await?;
    }
    Ok(Decided::Forward(Destination::Dynamic(Box::new(endpoint))))
}

/// What the client is told beside what the upstream sends: nothing of where that is, but that this is a callback.
pub(crate) fn extra_headers(exchange: &mut Exchange, seen: Seen) -> engine::Headers {
    if seen.of_client {
        exchange.headers.retain(|name| headers::Kind::of(name) != headers::Kind::OfClient);
    }
    let mut extra = engine::Headers::new();
    extra.append(&engine::callbacks::LOOP_MARK, http::HeaderValue::from_static("1"));
    extra
}

/// An upstream that followed a redirection would go where no seal and no guard of addresses has been.
pub(crate) fn check_answer(exchange: &Exchange, status: StatusCode) -> Result<(), Box<Rejection>> {
    if exchange.callback && status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        return Err(Rejection::new(&reason::CALLBACK_REDIRECTED).detail(format!("{status}")));
    }
    Ok(())
}
