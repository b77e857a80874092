//! Messages in events: what `logInvocation` keeps of requests and answers, and what it never shows.

use serde_json::Value;
use testkit::{Api, Config, Gateway, Upstream, api, get, json, post};

fn logging(upstream: &Upstream, config: Value) -> Api {
    api("/a", upstream).policy("logInvocation", config)
}

fn everything() -> Value {
    json!({ "requestHeaders": true, "requestPayload": true, "responseHeaders": true, "responsePayload": true })
}

async fn event(gw: &Gateway, id: &str) -> Value {
    let mut events = gw.events(&format!("id={id}")).await;
    assert_eq!(events.len(), 1, "{id}");
    events.remove(0)
}

const FIELDS: [&str; 8] = [
    "requestHeaders",
    "reqPayload",
    "nativeRequestHeaders",
    "nativeReqPayload",
    "nativeResponseHeaders",
    "nativeResPayload",
    "responseHeaders",
    "resPayload",
];

fn fields(event: &Value) -> Vec<&str> {
    FIELDS.into_iter().filter(|field| event.get(field).is_some()).collect()
}

/// Checklist 18.
#[tokio::test]
async fn headers_and_payloads_are_kept_without_credentials() {
    let upstream = Upstream::text("answer").start().await;
    let mut config = everything();
    config["maskHeaders"] = json!(["x-session"]);
    let governed = logging(&upstream, config)
        .policy("apiKey", json!({ "header": "x-own-key" }))
        .policy("requestTransformation", json!({ "headers": { "set": { "x-added": "1" } } }))
        .policy(
            "responseTransformation",
            json!({ "headers": { "set": { "x-late": "2", "set-cookie": "c=secret-4" } } }),
        );
    let gw = Gateway::serving(Config::from(governed).application("app", "secret-1", &["a"])).await;
    let request = post("/a/x", "hello")
        .header("x-own-key", "secret-1")
        .header("authorization", "Bearer secret-2")
        .header("x-session", "secret-3")
        .header("x-plain", "seen");
    let answer = gw.send(request).await;
    assert_eq!(answer.status(), 200);
    let event = event(&gw, answer.request_id()).await;
    let hidden = "**************";
    let request = &event["requestHeaders"];
    for (name, value) in
        [("x-own-key", hidden), ("authorization", hidden), ("x-session", hidden), ("x-plain", "seen")]
    {
        assert_eq!(request[name], value, "{name} in {request}");
    }
    let native = &event["nativeRequestHeaders"];
    assert_eq!((native["x-added"].as_str(), native["authorization"].as_str()), (Some("1"), Some(hidden)));
    assert!(native.get("x-own-key").is_none() && native["x-request-id"] == answer.request_id(), "{native}");
    assert!(event["nativeResponseHeaders"].get("x-late").is_none());
    assert_eq!(
        (event["responseHeaders"]["x-late"].as_str(), event["responseHeaders"]["set-cookie"].as_str()),
        (Some("2"), Some(hidden))
    );
    assert_eq!((event["reqPayload"].as_str(), event["resPayload"].as_str()), (Some("hello"), Some("answer")));
    assert!(
        event.get("nativeReqPayload").is_none() && event.get("nativeResPayload").is_none(),
        "nothing changed them"
    );
    assert!(!event.to_string().contains("secret-"), "{event}");

    let explanation = gw.explain(&answer).await;
    let text = explanation.to_text();
    for part in [
        "Headers of the request\n",
        "  x-plain: seen\n",
        "Body of the request\n  hello\n",
        "Body of the response\n  answer\n",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains("secret-"));
}

#[tokio::test]
async fn without_the_policy_nothing_is_kept() {
    let upstream = Upstream::text("answer").start().await;
    let gw = Gateway::serving(api("/a", &upstream)).await;
    let answer = gw.send(post("/a/x", "hello")).await;
    assert_eq!(fields(&event(&gw, answer.request_id()).await), [""; 0]);
}

#[tokio::test]
async fn when_and_what_are_as_configured() {
    let upstream = Upstream::text("answer").start().await;
    let governed = logging(&upstream, json!({ "requestHeaders": true, "when": "onSuccess" }))
        .policy("logInvocation", json!({ "responsePayload": true, "when": "onFailure" }))
        .policy("logInvocation", json!({ "requestPayload": true }))
        .policy("apiKey", json!({}));
    let gw = Gateway::serving(Config::from(governed).application("app", "k", &["a"])).await;
    let good = gw.send(post("/a", "body").header("x-gateway-apikey", "k")).await;
    assert_eq!(
        fields(&event(&gw, good.request_id()).await),
        ["requestHeaders", "reqPayload", "nativeRequestHeaders"]
    );
    // Refused before anybody read a body.
    let refused = gw.send(get("/a")).await;
    assert_eq!(refused.status(), 401);
    let event = event(&gw, refused.request_id()).await;
    assert_eq!(fields(&event), ["resPayload"]);
    assert!(event["resPayload"].as_str().is_some_and(|body| body.contains("api_key_missing")), "{event}");
}

#[tokio::test]
async fn payloads_that_policies_change_are_kept_on_both_sides() {
    let upstream = Upstream::respond(|_| {
        let mut response = hyper::Response::new(testkit::body::full("{\"b\":2}"));
        response
            .headers_mut()
            .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
        response
    });
    let upstream = upstream.start().await;
    let governed = logging(&upstream, everything())
        .policy("requestConversion", json!({ "to": "xml" }))
        .policy("responseConversion", json!({ "to": "xml" }));
    let gw = Gateway::serving(governed).await;
    let answer = gw.send(post("/a", "{\"a\":1}").header("content-type", "application/json")).await;
    let event = event(&gw, answer.request_id()).await;
    assert_eq!(event["reqPayload"], "{\"a\":1}");
    assert!(event["nativeReqPayload"].as_str().is_some_and(|body| body.ends_with("<a>1</a>")), "{event}");
    assert_eq!(event["nativeResPayload"], "{\"b\":2}");
    assert!(event["resPayload"].as_str().is_some_and(|body| body.ends_with("<b>2</b>")), "{event}");
}

#[tokio::test]
async fn long_payloads_are_cut_off_and_bytes_are_no_text() {
    let upstream = Upstream::text("x".repeat(300_000).leak()).start().await;
    let mut config = everything();
    config["maxPayload"] = json!("1KiB");
    config["compress"] = json!(true);
    let gw = Gateway::serving(logging(&upstream, config)).await;
    let answer = gw.send(post("/a", vec![0xff_u8, 0xfe])).await;
    assert_eq!(answer.bytes().len(), 300_000);
    let event = event(&gw, answer.request_id()).await;
    assert_eq!(event["reqPayload"], "data:application/octet-stream;base64,//4=");
    let kept = event["resPayload"].as_str().unwrap_or_default();
    assert_eq!(kept, format!("{} … [cut off: 1024 of 300000 bytes were kept]", "x".repeat(1_024)));
}

#[tokio::test]
async fn masks_hide_parts_of_what_is_written_down_and_nothing_of_what_is_sent() {
    let upstream = Upstream::respond(|seen| {
        let mut response = hyper::Response::new(testkit::body::full(seen.body.clone()));
        response
            .headers_mut()
            .insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
        response
    });
    let upstream = upstream.start().await;
    let mask = json!({ "masks": [{ "type": "jsonPath", "expression": "$.card" }], "applyTo": "log" });
    let mut config = everything();
    config["maxPayload"] = json!("1KiB");
    let governed =
        logging(&upstream, config).policy("requestMasking", mask.clone()).policy("responseMasking", mask);
    let gw = Gateway::serving(governed).await;
    let sent = r#"{"card":"4111","name":"Ann"}"#;
    let answer = gw.send(post("/a", sent).header("content-type", "application/json")).await;
    assert_eq!((answer.text().as_str(), &*upstream.last().body), (sent, sent.as_bytes()));
    let kept = event(&gw, answer.request_id()).await;
    for field in ["reqPayload", "resPayload"] {
        assert_eq!(kept[field], r#"{"card":"********","name":"Ann"}"#, "{field}");
    }
    // Of the beginning of a body nobody knows what is in it.
    let long = format!(r#"{{"card":"4111","name":"{}"}}"#, "x".repeat(2_000));
    let answer = gw.send(post("/a", long).header("content-type", "application/json")).await;
    let kept = event(&gw, answer.request_id()).await.to_string();
    assert!(!kept.contains("4111"), "{kept}");
}
