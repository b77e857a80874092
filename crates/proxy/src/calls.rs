//! What policies ask of the network. Calls are sent like requests to upstreams: the same pools, health, time limits and
//! retries. Names are left to `host_names`.

use std::{
    net::IpAddr,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use engine::{
    Call, CallAnswer, Destination, Exchange, Headers, Rejection, RequestHead,
    calls::{Behalf, Called, Caller, Calling, HostName},
    reason,
};
use http::{Uri, Version};

use crate::{
    answer::id_value,
    body::RequestBody,
    forward::{self, Outgoing},
    headers::X_REQUEST_ID,
    payload,
    worker::Worker,
};

/// Sends calls over a worker's connections. Weak, since the worker holds it.
pub struct WorkerCaller(pub Weak<Worker>);

impl Caller for WorkerCaller {
    fn call(&self, behalf: Behalf, call: Call) -> Calling {
        let worker = self.0.upgrade();
        Box::pin(async move {
            let name = Arc::clone(&call.name);
            let Some(worker) = worker else {
                let outcome = Err(Rejection::new(&reason::CALL_NOT_POSSIBLE));
                return Called::new(name, behalf.started, Duration::ZERO, outcome);
            };
            let started = worker.now();
            if let Some(stand_in) = &worker.stand_in {
                let outcome = stand_in.call(&worker, call);
                return Called::new(name, started, worker.now().since(started), outcome);
            }
            let patience = call.timeout;
            let sent = worker.shared.clock.within(patience, send(&worker, behalf, call));
            let outcome = match sent.await {
                Some(answered) => answered,
                None => Err(Rejection::new(&reason::CALL_TIMEOUT)
                    .detail(format!("no whole answer within {} ms", patience.as_millis()))),
            };
            Called::new(name, started, worker.now().since(started), outcome)
        })
    }

    fn host_name(&self, address: IpAddr) -> HostName {
        match self.0.upgrade() {
            Some(worker) => worker.host_names.of(address, &worker.shared.names, worker.now()),
            None => HostName::Now(None),
        }
    }
}

async fn send(worker: &Rc<Worker>, behalf: Behalf, call: Call) -> Result<CallAnswer, Box<Rejection>> {
    let position =
        behalf.snapshot.upstream(&call.upstream).ok_or_else(|| Rejection::new(&reason::NO_UPSTREAM))?;
    let head = RequestHead {
        method: call.method,
        uri: Uri::from(call.target),
        version: Version::HTTP_11,
        headers: call.headers,
    };
    let mut exchange = Exchange::new(behalf.id, behalf.started, behalf.client, behalf.snapshot, head);
    let mut extra = Headers::new();
    extra.append(&X_REQUEST_ID, id_value(behalf.id));
    let body = call.body.map(|bytes| RequestBody::whole(bytes, &worker.ticker));
    let mut outgoing = Outgoing {
        destination: Destination::Upstream(position),
        extra,
        has_body: body.is_some(),
        body,
        upgrade: None,
        expect_continue: false,
        trailers_welcome: false,
        interim: None,
    };
    let answer = forward::forward(worker, &mut exchange, &mut outgoing).await?;
    let body = payload::collect(answer.source, call.most).await?;
    Ok(CallAnswer { status: answer.status, headers: answer.headers, body })
}
