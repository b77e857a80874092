//! An exchange with something of everything, for the tests of the language.

use std::{net::IpAddr, rc::Rc, sync::Arc};

use http::{HeaderValue, StatusCode};
use model::{ConfigDoc, check, yaml};

use crate::{
    Clock, Exchange, Payload, RequestId, Timestamp,
    compile::{Environment, Input, compile},
    exchange::{Attempt, Client},
    language::CallResult,
    route::OperationMatch,
    state::StateRegistry,
};

const CONFIG: &str = "
apis:
  - name: Orders
    version: '2.1'
    basePath: /shop
    upstream: http://orders.internal/v1
    operations:
      - {method: POST, path: '/orders/{id}', name: placeOrder}
applications:
  - {name: mobile, description: The app, version: '3', attributes: {cost.centre: '4711', team: red}}
";

pub(super) const BODY: &str =
    r#"{"items":[{"name":"pen","n":2},{"name":"ink","n":5}],"total":12.5,"odd":["]}"],"note":"a\"b"}"#;

pub(crate) fn exchange() -> Exchange {
    let config: ConfigDoc = check::parse(yaml::parse(CONFIG).unwrap().value).unwrap();
    let input = Input { config, definitions: model::Parts::default() };
    let registry = StateRegistry::default();
    let environment = Environment {
        kinds: &[],
        registry: &registry,
        workers: 1,
        clock: Clock::system(),
        alerts: Default::default(),
    };
    let (snapshot, _) = compile(&input, &environment, None, 1).unwrap();
    let request = http::Request::post("/shop/orders/7%20a?q=a%20b&r=%26x&q=2")
        .header("X-One", "1")
        .header("X-Two", "2")
        .header("X-Two", "3")
        .header("X-Empty", "")
        .header("X-Latin", HeaderValue::from_bytes(b"caf\xe9").unwrap())
        .header("X-Number", "42.5")
        .header("Content-Type", "application/json")
        .header("Accept", "text/plain")
        .body(())
        .unwrap();
    let ip: IpAddr = "10.1.2.3".parse().unwrap();
    let client = Client { ip, peer: (ip, 1).into(), secure: true };
    let started = Timestamp::from_millis(1_784_862_245_000);
    let mut exchange = Exchange::new(
        RequestId::new(1, 2),
        started,
        client,
        Rc::new(Arc::new(snapshot)),
        request.into_parts().0.into(),
    );
    exchange.api = Some(0);
    exchange.base_length = "/shop".len();
    let found = exchange.api().unwrap().operation(&exchange.method, "/orders/7 a", true);
    assert_eq!(found, OperationMatch::Found(0));
    exchange.operation = Some(0);
    exchange.application = Some(0);
    exchange.request_payload = Some(Payload::new(BODY));
    exchange.status = StatusCode::NOT_FOUND;
    exchange
        .response_headers
        .insert(http::HeaderName::from_static("x-answer"), HeaderValue::from_static("yes"));
    exchange.response_payload = Some(Payload::new("<r xmlns='urn:r'><a t='x'>1</a><a>2</a></r>"));
    exchange.attempts.push(Attempt {
        endpoint: 0,
        url: None,
        started,
        took: Default::default(),
        status: 404,
        failure: None,
        reused: false,
    });
    let authorization = &mut exchange.extras_mut().authorization;
    authorization.user_name = Some("ann".into());
    authorization.groups = vec!["ops".into(), "a,b".into()];
    authorization.client_id = Some("c1".into());
    authorization.api_key = Some("k".into());
    authorization.incoming_token = Some("t.o.k".into());
    authorization.issuer = Some("https://idp".into());
    authorization.audience = Some("orders".into());
    authorization.claims = Some(std::sync::Arc::new(serde_json::json!({
        "sub": "ann", "n": 3, "roles": ["a", "b"], "realm": {"level": 2}, "https://x.y/z": "url"
    })));
    exchange.add_result(CallResult {
        name: "stock".into(),
        uri: "http://stock.internal/check?sku=p%201".parse().unwrap(),
        status: StatusCode::ACCEPTED,
        response_headers: [(http::header::ETAG, HeaderValue::from_static("e1"))].into_iter().collect(),
        request_payload: Some(Payload::new("ask")),
        response_payload: Some(Payload::new("{\"left\":3}")),
        ..CallResult::default()
    });
    exchange
}
