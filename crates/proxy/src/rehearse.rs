//! Rehearsals: requests through the whole data plane but for its sockets, with answers of upstreams that are given.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use engine::{Clock, RequestHead, Snapshot, journal::Batch};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use ipnet::IpNet;
use tokio::{sync::watch, task::LocalSet};

use crate::{
    body::Inbound,
    conn_state::ConnState,
    connection::ConnInfo,
    downstream::Interim,
    event_queue::{EventReceiver, event_queue},
    forward::{Played, Sent, StandIn},
    headers::{ForwardedBy, address_value},
    host_names::SystemNames,
    request,
    tls::TlsContexts,
    worker::{Live, Load, Shared, Worker},
};

/// A request that nobody sends over a network.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    pub head: RequestHead,
    pub body: Bytes,
    pub client: IpAddr,
    /// It counts as one that came over TLS.
    pub secure: bool,
    /// Position of the application that calls, when nothing has to find that out.
    pub application: Option<u32>,
    /// What its native service does.
    pub upstream: Played,
    /// What services do that policies call, by the name of the call or of the upstream.
    pub calls: HashMap<String, Played>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What native services would have got, one for each try.
    pub sent: Vec<Sent>,
    /// What policies would have sent, with the names of their calls.
    pub calls: Vec<(Arc<str>, Sent)>,
    /// The decision record; empty only if the request left none.
    pub batch: Batch,
}

/// A worker without listeners and upstreams. Requests share its state, as they do in a server.
pub struct Rehearsal {
    worker: Rc<Worker>,
    batches: EventReceiver,
    tasks: LocalSet,
    trusted_proxies: Rc<[IpNet]>,
    /// Name of the listener that requests seem to come in by.
    listener: Arc<str>,
}

/// Ids and shares of traffic come out the same in every run.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

impl Rehearsal {
    pub fn new(snapshot: Arc<Snapshot>, clock: Clock) -> Self {
        let (events, batches) = event_queue(u32::MAX, Arc::default());
        let (forced, _) = watch::channel(false);
        let trusted_proxies = snapshot.listeners.iter().flat_map(|l| l.trusted_proxies.iter().copied());
        let trusted_proxies = trusted_proxies.collect();
        let listener = snapshot.listeners.first().map_or("", |listener| &listener.name).into();
        let shared = Shared {
            live: Arc::new(ArcSwap::from_pointee(Live { snapshot, tls: TlsContexts::default() })),
            clock,
            events,
            names: Arc::new(SystemNames),
            loads: [Load::default()].into(),
            release_memory: None,
            forced,
        };
        Self {
            worker: Worker::rehearsing(Arc::new(shared), SEED, StandIn::default()),
            batches,
            tasks: LocalSet::new(),
            trusted_proxies,
            listener,
        }
    }

    /// Takes a request from its head to the end of its answer.
    pub async fn play(&mut self, request: Rehearsed) -> Outcome {
        let Self { worker, batches, tasks, trusted_proxies, listener } = self;
        let Rehearsed { head, body, client, secure, application, upstream, calls } = request;
        if let Some(stand_in) = &worker.stand_in {
            stand_in.prepare(upstream, calls, application.is_some());
        }
        let conn = Rc::new(ConnInfo {
            peer: SocketAddr::new(client, 0),
            listener: Arc::clone(listener),
            proxied: None,
            secure,
            certificate: None,
            forwarded_by: ForwardedBy {
                trusted: trusted_proxies.iter().any(|net| net.contains(&client)),
                peer: address_value(client),
            },
            trusted_proxies: Rc::clone(trusted_proxies),
            state: Arc::new(ConnState::default()),
            interim: Interim::default(),
        });
        let (status, headers, body) = tasks
            .run_until(async {
                let mut begun = request::begin(worker, &conn, head, Inbound::Given(body), None);
                let exchange = &mut begun.finish.exchange;
                exchange.recording = true;
                exchange.application = application;
                let reply = request::reply(begun).await;
                // What broke off is in the record.
                let body = reply.body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                (reply.status, HeaderMap::from(&reply.headers), body)
            })
            .await;
        worker.flush();
        Outcome {
            status,
            headers,
            body,
            sent: worker.stand_in.as_ref().map(|stand_in| stand_in.take_sent()).unwrap_or_default(),
            calls: worker.stand_in.as_ref().map(|stand_in| stand_in.take_calls()).unwrap_or_default(),
            batch: batches.try_recv().unwrap_or_default(),
        }
    }
}
