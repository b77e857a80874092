//! Names of upstreams: looked up again when their answer has had its time, and not before.

use std::net::Ipv4Addr;

use testkit::{Config, Gateway, NameServer, SECOND, Upstream, api, json};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// An address where nobody listens on the port of the upstream.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// An upstream that is known by name, to which each request opens a connection of its own.
fn named(upstream: &Upstream, dns: testkit::Value) -> Config {
    let url = format!("http://orders.example:{}", upstream.address().port());
    let doc = json!({ "endpoints": [{ "url": url }], "keepAlive": { "maxIdle": 0 } });
    Config::from(api("/a", "up")).upstream("up", doc).setting("dns", dns).one_worker()
}

#[tokio::test]
async fn an_address_is_used_for_as_long_as_its_answer_says() {
    let upstream = Upstream::text("ok").start().await;
    let names = NameServer::start(HERE, 30).await;
    let gw = Gateway::serving(named(&upstream, json!({ "servers": [names.address().to_string()] }))).await;
    assert_eq!(gw.get("/a").await.status(), 200);
    names.say(Some((ELSEWHERE, 30)));
    gw.advance(29 * SECOND);
    assert_eq!((gw.get("/a").await.status(), names.asked()), (200, 1), "the answer still holds");
    gw.advance(2 * SECOND);
    assert_eq!((gw.get("/a").await.reason().as_str(), names.asked()), ("upstream_unreachable", 2));
    names.say(Some((HERE, 30)));
    gw.advance(31 * SECOND);
    assert_eq!((gw.get("/a").await.status(), names.asked()), (200, 3));
}

#[tokio::test]
async fn settings_bound_what_name_servers_say() {
    let upstream = Upstream::text("ok").start().await;
    let names = NameServer::start(HERE, 0).await;
    let dns = json!({ "servers": [names.address().to_string()], "minTtl": "10s", "maxTtl": "20s" });
    let gw = Gateway::serving(named(&upstream, dns)).await;
    for (seconds, asked) in [(0, 1), (9, 1), (2, 2)] {
        gw.advance(seconds * SECOND);
        assert_eq!((gw.get("/a").await.status(), names.asked()), (200, asked), "no more often than `minTtl`");
    }
    names.say(Some((HERE, 86_400)));
    for (seconds, asked) in [(11, 3), (19, 3), (2, 4)] {
        gw.advance(seconds * SECOND);
        assert_eq!((gw.get("/a").await.status(), names.asked()), (200, asked), "at least once in `maxTtl`");
    }
}

#[tokio::test]
async fn a_name_server_that_is_away_takes_no_address_away() {
    let upstream = Upstream::text("ok").start().await;
    let names = NameServer::start(HERE, 5).await;
    let gw = Gateway::serving(named(&upstream, json!({ "servers": [names.address().to_string()] }))).await;
    assert_eq!(gw.get("/a").await.status(), 200);
    names.say(None);
    gw.advance(6 * SECOND);
    assert_eq!(gw.get("/a").await.status(), 200);
    let asked = names.asked();
    assert!(asked > 1, "it was asked in vain");
    assert_eq!((gw.get("/a").await.status(), names.asked()), (200, asked), "and not for every connection");
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_an_upstream_that_cannot_be_reached() {
    let upstream = Upstream::text("ok").start().await;
    let names = NameServer::start(HERE, 30).await;
    names.say(None);
    let gw = Gateway::serving(named(&upstream, json!({ "servers": [names.address().to_string()] }))).await;
    let response = gw.get("/a").await;
    assert_eq!((response.status(), response.reason().as_str()), (502, "upstream_unreachable"));
    assert!(!response.text().contains("orders.example"), "{}", response.text());
    let wrong = named(&upstream, json!({ "servers": ["nameserver.example"] }));
    let error = gw.apply(wrong).await.expect_err("it is no address");
    assert!(error.to_string().contains("settings.dns.servers[0]"), "{error}");
}
