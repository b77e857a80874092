//! Requests from the portal: sent by the node to its own listener for clients, and never anywhere else. So the browser
//! talks to nobody but the portal, which a strict Content-Security-Policy asks for, and no API has to let in pages of
//! other origins. What arrives there comes from the node's own address, not from the consumer's.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Extension, Json,
    body::Bytes as BodyBytes,
    extract::State,
    http::{HeaderName, HeaderValue, Method, Request, StatusCode, header::HOST},
    routing,
};
use base64ct::{Base64, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{api_of, bad, find_api, name_of, not_found, portal, read};
use crate::{
    Manager, Who,
    rest::{
        answer::Problem,
        extract::Bytes,
        route::{Right, Route, post},
    },
};

pub(super) const ROUTES: &[Route] = &[post(
    "/portal/try",
    "tryApi",
    "Sends a request to an API of the portal through the gateway, with the consumer's own credentials.",
    Right::Consumer,
    || routing::post(send),
)
.takes::<TryRequest>()
.answers::<TryAnswer>(200)
.changes_nothing()];

/// A request to an API.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TryRequest {
    /// The API, by its name with version or by its id.
    api: String,
    /// In capitals.
    method: String,
    /// Path below the base path of the API, with the query: `/orders/7?full=true`.
    path: String,
    /// Headers, with the consumer's credentials. Those that say where a request comes from or how it is framed are not
    /// taken.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Text of the body, up to 1 MiB.
    body: Option<String>,
}

/// What came back.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TryAnswer {
    status: u16,
    /// Names and values, in the order that they came.
    headers: Vec<(String, String)>,
    /// Text, or base64 where the bytes are no text.
    body: String,
    /// `body` is base64.
    base64: bool,
    /// The body was longer than 1 MiB; the rest is left out.
    truncated: bool,
    millis: u64,
}

const LARGEST: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_HEADERS: usize = 50;
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
/// What only the gateway's neighbours say.
const NOT_TAKEN: [&str; 14] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "forwarded",
    "via",
    "x-real-ip",
    "cookie",
    "proxy-connection",
];

async fn send(
    State(manager): State<Arc<Manager>>,
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<Json<TryAnswer>, Problem> {
    let wanted: TryRequest = read(&body)?;
    let assets = manager.assets();
    if !portal(&assets).try_it {
        let detail = "Requests from the portal are switched off; send them to the gateway.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "try_off", detail));
    }
    let held = find_api(&assets, Some(&who), &wanted.api)?;
    let Some(doc) = api_of(held) else { return Err(not_found("API", &wanted.api)) };
    let version = doc.version.as_deref().unwrap_or("1.0");
    let default_path = || format!("/gateway/{}/{version}", name_of(doc).trim().replace('/', "-"));
    let base = doc.base_path.clone().unwrap_or_else(default_path);
    let host = doc.hosts.iter().find(|host| !host.starts_with('*'));
    let request = request(&wanted, base.trim_end_matches('/'), host.map(String::as_str))?;
    let node = manager.node().ok_or_else(|| unavailable("The gateway is starting or stopping."))?;
    let Ok(_one_of_few) = manager.pace.tries.try_acquire() else {
        return Err(unavailable("Others try APIs at this moment; try again."));
    };
    let began = std::time::Instant::now();
    let answered = tokio::time::timeout(PATIENCE, node.call(request, LARGEST)).await;
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (answer, truncated) = match answered {
        Ok(Ok(answered)) => answered,
        Ok(Err(problem)) => return Err(unavailable(problem)),
        Err(_) => {
            let detail = format!("There was no answer within {} seconds.", PATIENCE.as_secs());
            return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "try_timeout", detail));
        }
    };
    let headers = answer.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    let headers = headers.collect();
    let status = answer.status().as_u16();
    let bytes = answer.into_body();
    let (body, base64) = match std::str::from_utf8(&bytes) {
        Ok(text) => (text.to_owned(), false),
        // A text that was cut within a character is one all the same.
        Err(error) if truncated && bytes.len() - error.valid_up_to() < 4 => {
            (String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned(), false)
        }
        Err(_) => (Base64::encode_string(&bytes), true),
    };
    Ok(Json(TryAnswer { status, headers, body, base64, truncated, millis }))
}

fn unavailable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "try_failed", detail)
}

/// The request as it goes to the gateway.
fn request(wanted: &TryRequest, base: &str, host: Option<&str>) -> Result<Request<BodyBytes>, Problem> {
    let method: Method = wanted.method.parse().map_err(|_| bad("`method`: expected a method such as GET"))?;
    if !METHODS.contains(&method) {
        return Err(bad(format!("`method`: found {method}, expected one that APIs have")));
    }
    let (path, query) =
        wanted.path.split_once('?').map_or((&*wanted.path, None), |(path, q)| (path, Some(q)));
    // What leads out of the API is no path below it.
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if !(path.is_empty() || path.starts_with('/')) || path.split(['/', '\\']).any(dots) {
        return Err(bad("`path`: expected a path below the API that begins with `/`, without `.` and `..`"));
    }
    let body = wanted.body.clone().unwrap_or_default();
    if body.len() > LARGEST || wanted.path.len() > 8_000 || wanted.headers.len() > MOST_HEADERS {
        let detail = "A request from the portal has a body of at most 1 MiB, a path of at most 8000 bytes and 50 headers.";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
    }
    let path = if base.is_empty() && path.is_empty() { "/" } else { path };
    let target = match query {
        Some(query) => format!("{base}{path}?{query}"),
        None => format!("{base}{path}"),
    };
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in &wanted.headers {
        let lower = name.to_ascii_lowercase();
        if NOT_TAKEN.contains(&lower.as_str()) || lower.starts_with("x-forwarded-") {
            return Err(bad(format!(
                "`headers`: found `{}`, which the portal does not send",
                lower.escape_debug()
            )));
        }
        let name = HeaderName::from_bytes(lower.as_bytes());
        let name = name.map_err(|_| {
            bad(format!("`headers`: found `{}`, which is no name of a header", lower.escape_debug()))
        })?;
        let value = HeaderValue::from_str(value);
        let value =
            value.map_err(|_| bad(format!("`headers.{name}`: found a value that no header can have")))?;
        request = request.header(name, value);
    }
    if let Some(host) = host {
        request = request.header(HOST, host);
    }
    request
        .body(body.into())
        .map_err(|_| bad("`path`: expected a path as it stands in a URL, percent-encoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(method: &str, path: &str, headers: &[(&str, &str)]) -> Result<String, ()> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let wanted =
            TryRequest { api: String::new(), method: method.into(), path: path.into(), headers, body: None };
        request(&wanted, "/a", None).map(|request| request.uri().to_string()).map_err(|_| ())
    }

    #[test]
    fn a_request_stays_within_its_api_and_says_nothing_of_where_it_comes_from() {
        for (path, expected) in [
            ("/x", Ok("/a/x")),
            ("", Ok("/a")),
            ("/x?y=../..", Ok("/a/x?y=../..")),
            ("/x/../../b", Err(())),
            ("/%2e%2E/b", Err(())),
            ("/.%2e/b", Err(())),
            ("/x\\..\\b", Err(())),
            ("http://elsewhere/", Err(())),
            ("//elsewhere/", Ok("/a//elsewhere/")),
            ("/x y", Err(())),
            ("/x\r\nHost: y", Err(())),
        ] {
            assert_eq!(outcome("GET", path, &[]), expected.map(str::to_owned), "{path}");
        }
        for name in ["Host", "X-Forwarded-For", "forwarded", "Transfer-Encoding", "Cookie", "a b", ""] {
            assert!(outcome("GET", "/", &[(name, "x")]).is_err(), "{name}");
        }
        assert!(outcome("GET", "/", &[("x", "a\r\nb")]).is_err() && outcome("CONNECT", "/", &[]).is_err());
        assert!(outcome("PATCH", "/", &[("authorization", "Bearer x")]).is_ok());
    }
}
