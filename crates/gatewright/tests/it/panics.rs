//! A panic is the trouble of one request.

use engine::{CompileCx, Compiled, Exchange, Filter, Needs, Policy, PolicyKind, Reason, Stage, Step};
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testkit::{Config, Gateway, Protocol, Upstream, api, get, json};

/// Panics when a request asks for it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Panics {}

impl Policy for Panics {
    const TYPE: &'static str = "panics";
    const STAGE: Stage = Stage::RequestProcessing;
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "{}";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(PanicFilter))
    }
}

struct PanicFilter;

impl Filter for PanicFilter {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        assert!(exchange.uri.path() != "/a/now", "asked for at once");
        let later = exchange.uri.path() == "/a/later";
        Step::Later(Box::pin(async move {
            tokio::task::yield_now().await;
            assert!(!later, "asked for later");
            Ok(engine::Outcome::Passed)
        }))
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        assert!(exchange.uri.path() != "/a/response", "asked for with the response");
        Step::Done(Ok(engine::Outcome::Passed))
    }

    fn needs(&self) -> Needs {
        Needs::RESPONSE
    }
}

static KINDS: &[PolicyKind] = &[PolicyKind::of::<Panics>()];

async fn panicking(upstream: &Upstream) -> Gateway {
    // The gateway's threads panic on purpose here; everybody else is heard.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !std::thread::current().name().is_some_and(|name| name.starts_with("worker-")) {
            usual(info);
        }
    }));
    let config =
        Config::from(api("/a", upstream).policy("panics", json!({}))).policy_kinds(KINDS).one_worker();
    Gateway::serving(config).await
}

#[tokio::test]
async fn a_panic_in_a_policy_is_a_500_for_that_request_only() {
    let upstream = Upstream::text("ok").start().await;
    let gw = panicking(&upstream).await;
    let mut bystander = gw.http1().await;
    assert_eq!(bystander.send("/a").await.text(), "ok");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        for path in ["/a/now", "/a/later", "/a/response"] {
            let response = client.send(get(path).header("accept", "application/json")).await;
            assert_eq!(
                (response.status(), response.reason().as_str()),
                (500, "internal_error"),
                "{path} over {protocol:?}"
            );
            assert!(!response.text().contains("asked for"), "{}", response.text());
            assert_eq!(response.json()["requestId"], response.request_id());
            assert_eq!(client.send("/a").await.text(), "ok", "the connection goes on");
        }
    }
    assert_eq!(bystander.send("/a").await.text(), "ok");
    let status = gw.ops("/status").await.json();
    assert_eq!(status["requestsInProgress"], 0, "nothing is left behind");
}

#[tokio::test]
async fn a_request_that_panicked_leaves_a_record_an_event_and_a_count() {
    let upstream = Upstream::text("ok").start().await;
    let gw = panicking(&upstream).await;
    let response = gw.get("/a/now").await;
    let events = gw.events("reason=internal_error").await;
    let metrics = gw.ops("/metrics").await.text();
    let counted = metrics.contains("gatewright_requests_total{api=\"a\",version=\"1.0\",status=\"5xx\"} 1");
    let record = gw.inner().explain(response.request_id()).await;
    assert_eq!((events.len(), counted, record.is_some()), (1, true, true), "(events, counted, explained)");
}
