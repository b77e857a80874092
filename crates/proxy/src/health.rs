//! Active health checks, on a thread of their own: a slow endpoint under check never holds up traffic.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::BytesMut;
use engine::Headers;
use engine::upstream::{CompiledUpstream, Endpoint};
use http::{Method, Request};
use http_body_util::{Either, Empty};
use model::upstream::{HealthCheck, UpstreamProtocol};
use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    h1::{self, Conn, Framing},
    pool::{Connected, Pool, Pools, Wanted},
    worker::{Live, Shared},
};

/// Checks what the served snapshot wants checked. Upstreams that another snapshot has taken over go on being checked as they were.
pub async fn run(shared: Arc<Shared>, mut published: tokio::sync::watch::Receiver<u64>) {
    let mut running: Vec<(Arc<CompiledUpstream>, JoinSet<()>)> = Vec::new();
    loop {
        let live = shared.live.load_full();
        let mut before: HashMap<*const CompiledUpstream, _> = running
            .drain(..)
            .map(|(upstream, checks)| (Arc::as_ptr(&upstream), (upstream, checks)))
            .collect();
        for upstream in live.snapshot.upstreams_with_checks() {
            let known = before.remove(&Arc::as_ptr(upstream));
            running.push(known.unwrap_or_else(|| (Arc::clone(upstream), checks(&shared, upstream))));
        }
        // The others end with their tasks.
        drop((live, before));
        if published.changed().await.is_err() {
            return;
        }
    }
}

fn checks(shared: &Arc<Shared>, upstream: &Arc<CompiledUpstream>) -> JoinSet<()> {
    let mut checks = JoinSet::new();
    for index in 0..upstream.endpoints.len() {
        checks.spawn_local(watch(Arc::clone(shared), Arc::clone(upstream), index));
    }
    checks
}

async fn watch(shared: Arc<Shared>, upstream: Arc<CompiledUpstream>, index: usize) {
    let Some(check) = &upstream.doc.health_check else { return };
    let mut ticks = interval(check.interval.get().max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pools = Pools::default();
    let endpoint = &upstream.endpoints[index];
    loop {
        ticks.tick().await;
        // Certificates and name servers may be others by now.
        let live = shared.live.load_full();
        let answered =
            timeout(check.timeout.get(), ask(&shared, &live, &pools, &upstream, endpoint, check)).await;
        drop(live);
        let good = answered == Ok(true);
        if let Some(healthy) = endpoint.state.health_checked(check, good) {
            tracing::info!(upstream = %upstream.name, endpoint = %endpoint.url, healthy, "the health of an endpoint changed");
        }
    }
}

async fn ask(
    shared: &Shared,
    live: &Live,
    pools: &Pools,
    upstream: &CompiledUpstream,
    endpoint: &Endpoint,
    check: &HealthCheck,
) -> bool {
    let wanted = Wanted {
        upstream,
        endpoint,
        tls: &live.tls,
        timeout: check.timeout.get(),
        now: shared.clock.now(),
        grpc: false,
        fresh: true,
        http1: upstream.protocol() != UpstreamProtocol::Http2,
        private_addresses: &live.snapshot.settings.private_addresses,
        dns: &live.snapshot.settings.dns,
    };
    match pools.connect(&Pool::default(), &wanted).await {
        Ok(Connected::H1(conn)) => is_good(get(conn, endpoint, &check.path).await),
        Ok(Connected::H2 { mut handle, .. }) => {
            let scheme = if endpoint.tls { "https" } else { "http" };
            let uri = format!("{scheme}://{}{}{}", endpoint.authority, endpoint.base_path, check.path);
            let Ok(request) = Request::get(uri).body(Either::Right(Empty::new())) else { return false };
            is_good(handle.send(request).await.ok().map(|response| response.status().as_u16()))
        }
        Err(_) => false,
    }
}

fn is_good(status: Option<u16>) -> bool {
    status.is_some_and(|status| (200..400).contains(&status))
}

async fn get(mut conn: Conn, endpoint: &Endpoint, path: &str) -> Option<u16> {
    let mut out = BytesMut::new();
    h1::encode_head(
        &mut out,
        &h1::Head {
            method: &Method::GET,
            path: [&endpoint.base_path, path],
            query: None,
            host: endpoint.authority.as_str(),
            headers: &Headers::new(),
            extra: &Headers::new(),
            framing: Framing::None,
            upgrade: None,
            expect_continue: false,
        },
    );
    conn.io.write_all(&out).await.ok()?;
    conn.io.flush().await.ok()?;
    loop {
        if std::future::poll_fn(|cx| conn.poll_fill(cx, 1024)).await.ok()? == 0 {
            return None;
        }
        if let Some(response) = h1::parse(&mut conn.read, false).ok()?
            && !response.status.is_informational()
        {
            return Some(response.status.as_u16());
        }
    }
}
