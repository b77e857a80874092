//! Taps: whoever watches sees requests as they end, and nobody else notices.

use http_body_util::BodyExt;
use testkit::{Config, Gateway, Upstream, api, get, json};

fn governed(upstream: &Upstream) -> Config {
    let api = api("/a", upstream).policy("apiKey", json!({ "allowAnonymous": true }));
    Config::from(api).application("app", "the-key", &["a"])
}

/// Lines of a tap as they come.
struct Watch {
    response: hyper::Response<hyper::body::Incoming>,
    rest: Vec<u8>,
}

impl Watch {
    async fn open(gw: &Gateway, query: &str) -> Self {
        let address = gw.inner().operations();
        let stream = tokio::net::TcpStream::connect(address).await.expect("the operations listener");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        let request = http::Request::get(format!("/tap?{query}")).header("host", address.to_string());
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        Self { response, rest: Vec::new() }
    }

    async fn line(&mut self) -> serde_json::Value {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).expect("a line of JSON");
            }
            let frame = self.response.body_mut().frame().await.expect("more to come").expect("a frame");
            self.rest.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
    }
}

#[tokio::test]
async fn a_tap_shows_requests_as_they_end() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(governed(&upstream)).await;
    let mut all = Watch::open(&gw, "explain=true").await;
    let mut refused =
        Watch::open(&gw, "status=4xx&code=api_key_unknown&policy=apiKey&api=a:1.0&path=/a/").await;
    let mut known = Watch::open(&gw, "application=app").await;
    let answers = [
        gw.send(get("/a/1")).await,
        gw.send(get("/a/2").header("x-gateway-apikey", "wrong")).await,
        gw.send(get("/a/3").header("x-gateway-apikey", "the-key")).await,
    ];
    for answer in &answers {
        let line = all.line().await;
        assert_eq!(line["candidates"][0]["chosen"], true, "{line}");
        assert!(answers.iter().any(|answer| answer.request_id() == line["requestId"]), "{line}");
        assert!(answer.status() == 200 || answer.status() == 401);
    }
    let line = refused.line().await;
    assert_eq!(
        (line["requestId"].as_str(), line["status"].as_u64()),
        (Some(answers[1].request_id()), Some(401))
    );
    let line = known.line().await;
    assert_eq!(
        (line["requestId"].as_str(), line["application"].as_str()),
        (Some(answers[2].request_id()), Some("app"))
    );
    assert!(line.get("candidates").is_none(), "{line}");
}

#[tokio::test]
async fn a_wrong_filter_is_refused() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(governed(&upstream)).await;
    for (query, detail) in
        [("status=9xx", "found code `9xx`"), ("sttus=1", "unknown field"), ("slow=1", "found `1`")]
    {
        let answer = gw.ops(&*format!("/tap?{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
        assert!(answer.text().contains(detail), "{query}: {}", answer.text());
    }
}
