//! Origins, preflights and actual requests, as tables.

use engine::{Exchange, Outcome};

use crate::testing::{Served, told, try_serve};

const APPLICATIONS: &str = "operations: [{method: GET, path: /x}]";

fn sharing(config: &str) -> Served {
    try_serve("", &format!("[{{type: cors, config: {config}}}]"), APPLICATIONS)
        .unwrap_or_else(|e| panic!("{e}"))
}

/// What becomes of a request, and the headers that it is answered with.
fn ask(served: &Served, line: &str, headers: &str) -> (String, String) {
    let mut exchange = served.exchange(line, headers, "");
    let verdict = match served.request(&mut exchange) {
        Ok(Outcome::Answered) => exchange.status.as_u16().to_string(),
        Ok(outcome) => {
            served.response(&mut exchange, 200, "Access-Control-Allow-Origin: *\nX-Own: 1", "").unwrap();
            assert_eq!(exchange.response_headers.len(), 1, "what the upstream says does not count");
            format!("{outcome:?}")
        }
        Err(rejection) => told(&rejection),
    };
    (verdict, answer(&exchange))
}

fn answer(exchange: &Exchange) -> String {
    let lines = exchange.answer_headers.iter().map(|(name, value)| {
        format!("{}: {}", name.trim_start_matches("access-control-"), value.to_str().unwrap())
    });
    lines.collect::<Vec<_>>().join("; ")
}

#[test]
fn actual_requests_are_let_in_by_their_origin() {
    let named = "{allowedOrigins: [https://a.example, 'regex:https://[a-z]+\\.b\\.example'], exposedHeaders: [X-One], allowCredentials: true}";
    let open = "{allowedOrigins: ['*']}";
    let refused = "403 origin_not_allowed";
    for (config, headers, verdict, answer) in [
        (named, "", "Skipped", "vary: Origin"),
        (
            named,
            "Origin: https://A.example",
            "Passed",
            "vary: Origin; allow-origin: https://a.example; allow-credentials: true; expose-headers: x-one",
        ),
        (
            named,
            "Origin: https://x.b.example",
            "Passed",
            "vary: Origin; allow-origin: https://x.b.example; allow-credentials: true; expose-headers: x-one",
        ),
        (named, "Origin: https://x.b.example.evil", refused, ""),
        (named, "Origin: https://evil/https://x.b.example", refused, ""),
        (named, "Origin: null", refused, ""),
        (named, "Origin: https://a.example\nOrigin: https://a.example", refused, ""),
        (
            named,
            "Host: own.example:81\nOrigin: http://own.example:81",
            "Passed",
            "vary: Origin; allow-origin: http://own.example:81; allow-credentials: true; expose-headers: x-one",
        ),
        (named, "Host: own.example\nOrigin: https://own.example", refused, ""),
        (open, "Origin: https://any.example", "Passed", "allow-origin: *"),
        (open, "", "Skipped", ""),
    ] {
        let found = ask(&sharing(config), "GET /x", headers);
        assert_eq!((found.0.as_str(), found.1.as_str()), (verdict, answer), "{config} {headers}");
    }
}

#[test]
fn preflights_are_answered_here() {
    let some = "{allowedOrigins: [https://a.example], allowedMethods: [GET, PUT], allowedHeaders: [X-One], maxAge: 10m}";
    let any = "{allowedOrigins: ['*'], allowedHeaders: ['*']}";
    const VARY: &str = "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    for (config, headers, verdict, answer) in [
        (
            some,
            "Origin: https://a.example\nAccess-Control-Request-Method: PUT\nAccess-Control-Request-Headers: x-one,content-type",
            "204",
            format!(
                "{VARY}; allow-methods: GET, PUT; allow-headers: x-one, content-type; max-age: 600; allow-origin: https://a.example"
            ),
        ),
        (
            some,
            "Origin: https://b.example\nAccess-Control-Request-Method: PUT",
            "403 origin_not_allowed",
            VARY.to_owned(),
        ),
        (
            some,
            "Origin: https://a.example\nAccess-Control-Request-Method: DELETE",
            "405 cors_method_not_allowed",
            VARY.to_owned(),
        ),
        (
            some,
            "Origin: https://a.example\nAccess-Control-Request-Method: GET\nAccess-Control-Request-Headers: x-two",
            "403 cors_header_not_allowed",
            VARY.to_owned(),
        ),
        (
            any,
            "Origin: https://a.example\nAccess-Control-Request-Method: GET\nAccess-Control-Request-Headers: Authorization, X-Any",
            "204",
            format!(
                "{VARY}; allow-methods: GET, HEAD, POST, PUT, PATCH, DELETE; allow-headers: authorization, x-any; allow-origin: *"
            ),
        ),
        (
            any,
            "Origin: https://a.example\nAccess-Control-Request-Method: GET\nAccess-Control-Request-Headers: a b",
            "403 cors_header_not_allowed",
            VARY.to_owned(),
        ),
    ] {
        // Without operations every path and method is passed on, as the requests of these tests need it.
        let served = try_serve("", &format!("[{{type: cors, config: {config}}}]"), "")
            .unwrap_or_else(|e| panic!("{e}"));
        let found = ask(&served, "OPTIONS /x", headers);
        assert_eq!(found, (verdict.to_owned(), answer), "{config} {headers}");
    }
}

#[test]
fn wrong_fields_have_a_path() {
    for (config, path) in [
        ("{allowedOrigins: ['*'], allowCredentials: true}", "allowedOrigins[0]"),
        ("{allowedOrigins: ['null'], allowCredentials: true}", "allowedOrigins[0]"),
        ("{allowedOrigins: ['https://a', 'regex:.*'], allowCredentials: true}", "allowedOrigins[1]"),
        ("{allowedOrigins: ['regex:https://.+'], allowCredentials: true}", "allowedOrigins[0]"),
        ("{allowedOrigins: ['regex:(']}", "allowedOrigins[0]"),
        ("{allowedOrigins: ['https://a.example/']}", "allowedOrigins[0]"),
        ("{allowedOrigins: ['a.example']}", "allowedOrigins[0]"),
        ("{allowedMethods: []}", "allowedMethods"),
        ("{allowedMethods: [PUT, get]}", "allowedMethods[1]"),
        ("{allowedMethods: ['*']}", "allowedMethods[0]"),
        ("{allowedHeaders: ['*', X-One]}", "allowedHeaders"),
        ("{allowedHeaders: [X One]}", "allowedHeaders[0]"),
        ("{exposedHeaders: ['*']}", "exposedHeaders[0]"),
        ("{maxAge: 10}", "maxAge"),
    ] {
        let problems = try_serve("", &format!("[{{type: cors, config: {config}}}]"), "");
        let problem = problems.err().unwrap_or_else(|| panic!("{config} is accepted")).0.remove(0);
        assert_eq!(problem.path, format!("apis[0].policies[0].config.{path}"), "{config}");
    }
}
