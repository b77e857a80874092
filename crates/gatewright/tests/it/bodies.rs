//! Policies that look at bodies: they are read whole, once, with a limit, and go on as the policy left them.

use engine::{
    CompileCx, Compiled, Exchange, Filter, Needs, Outcome, Policy, PolicyKind, Reason, Stage, Step,
};
use http::StatusCode;
use model::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testkit::{Config, Gateway, Protocol, Upstream, api, json, post};

/// Turns bodies into capitals, and answers what asks for it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Capitals {}

impl Policy for Capitals {
    const TYPE: &'static str = "capitals";
    const STAGE: Stage = Stage::RequestProcessing;
    const REASONS: &'static [&'static Reason] = &[];
    const EXAMPLE: &'static str = "{}";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        Ok(Compiled::filter(CapitalsFilter))
    }
}

struct CapitalsFilter;

impl Filter for CapitalsFilter {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if exchange.uri.path().ends_with("/here") {
            return Step::Done(Ok(exchange.answer_with(
                StatusCode::ACCEPTED,
                engine::Headers::new(),
                "made here",
            )));
        }
        let payload = exchange.request_payload.as_mut().expect("it was asked for");
        payload.replace(payload.bytes().to_ascii_uppercase());
        Step::Done(Ok(Outcome::Changed))
    }

    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        if exchange.reason.is_none()
            && let Some(payload) = &mut exchange.response_payload
        {
            let text = [b"<", &payload.bytes()[..], b">"].concat();
            payload.replace(text);
        }
        Step::Done(Ok(Outcome::Changed))
    }

    fn needs(&self) -> Needs {
        Needs { request_body: true, response: true, response_body: true, ..Needs::default() }
    }
}

static KINDS: &[PolicyKind] = &[PolicyKind::of::<Capitals>()];

async fn shouting(upstream: &Upstream) -> Gateway {
    let config = Config::from(api("/a", upstream).policy("capitals", json!({})))
        .setting("limits.bufferedBodySize", "64KiB")
        .policy_kinds(KINDS);
    Gateway::serving(config).await
}

#[tokio::test]
async fn a_policy_sees_whole_bodies_and_may_change_them() {
    let upstream = Upstream::echo_body().start().await;
    let gw = shouting(&upstream).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = gw.client(protocol).await;
        let answer = client.send(post("/a", "hello")).await;
        assert_eq!((answer.status(), answer.text()), (200, "<HELLO>".into()));
        assert_eq!(answer.header("content-length"), "7");
        let large = "x".repeat(60_000);
        assert_eq!(client.send(post("/a", large)).await.text().len(), 60_002);
        assert_eq!(client.send("/a").await.text(), "<>");
    }
}

#[tokio::test]
async fn a_policy_may_answer_by_itself() {
    let upstream = Upstream::echo_body().start().await;
    let gw = shouting(&upstream).await;
    let answer = gw.get("/a/here").await;
    assert_eq!((answer.status(), answer.text()), (202, "<made here>".into()));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn a_body_too_large_to_look_at_is_refused_and_not_sent() {
    let upstream = Upstream::echo_body().start().await;
    let gw = shouting(&upstream).await;
    let answer = gw.send(post("/a", "x".repeat(70_000))).await;
    assert_eq!((answer.status(), answer.reason().as_str()), (413, "body_too_large"));
    assert_eq!(upstream.count(), 0);
}

#[tokio::test]
async fn an_answer_too_large_to_look_at_is_502() {
    let upstream = Upstream::text(Box::leak("x".repeat(70_000).into_boxed_str())).start().await;
    let gw = shouting(&upstream).await;
    let answer = gw.get("/a").await;
    assert_eq!((answer.status(), answer.reason().as_str()), (502, "response_too_large"));
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_send_and_the_upstream_is_not_asked_again() {
    let upstream = Upstream::echo_body().start().await;
    let gw = shouting(&upstream).await;
    let mut conn = gw.connect().await;
    conn.write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(conn.head().await.status, 100);
    conn.write("hello").await;
    assert_eq!(conn.response().await.text(), "<HELLO>");
    assert_eq!(upstream.last().header("expect"), "");
}
