//! Questions to a running gateway: explain, events, status.

use std::process::ExitCode;

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use model::event::{EventType, TransactionEvent};
use serde_json::Value;

use super::{count, fail, print};
use crate::{Explanation, client, ops::Question};

/// The gateway that is asked.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// Operations listener of the gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9080", env = "GATEWRIGHT_GATEWAY")]
    gateway: String,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl Target {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.trim_end_matches('/'))
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Bytes, String> {
        let response = client::send(request).await.map_err(|error| {
            format!("no gateway answers at {}: {error}; is it running, and is --gateway right?", self.gateway)
        })?;
        let status = response.status();
        let body = client::whole(response).await.map_err(|error| error.to_string())?;
        if status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE {
            return Ok(body);
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(problem["detail"]
            .as_str()
            .map_or_else(|| format!("the gateway answered {status}"), str::to_owned))
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Bytes, String> {
        let request = Request::delete(self.url(path)).body(Full::default()).map_err(|e| e.to_string())?;
        self.ask(request).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Bytes, String> {
        let request = Request::get(self.url(path)).body(Full::default()).map_err(|e| e.to_string())?;
        self.ask(request).await
    }

    /// Hands over the lines of an answer as they come, until there are no more.
    pub(super) async fn lines(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let request = Request::get(self.url(path)).body(Full::default()).map_err(|e| e.to_string())?;
        let mut response = client::send(request)
            .await
            .map_err(|error| format!("no gateway answers at {}: {error}", self.gateway))?;
        if !response.status().is_success() {
            let body = client::whole(response).await.map_err(|e| e.to_string())?;
            let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
            return Err(problem["detail"].as_str().unwrap_or("the gateway refused").to_owned());
        }
        let mut rest = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            let Ok(data) = frame.map_err(|e| e.to_string())?.into_data() else { continue };
            rest.extend_from_slice(&data);
            while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                take(&line)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The request id from the header x-request-id of an answer; or, with --dry-run, a method and a URL.
    #[arg(required = true, num_args = 1..=2, value_names = ["ID | METHOD", "URL"])]
    what: Vec<String>,
    /// Say what would happen to a request, without sending or counting anything.
    #[arg(long)]
    dry_run: bool,
    /// Header of the request, as `Name: value`.
    #[arg(short = 'H', long = "header", value_name = "HEADER", requires = "dry_run")]
    headers: Vec<String>,
    /// Address of the client.
    #[arg(long, value_name = "IP", requires = "dry_run")]
    client: Option<std::net::IpAddr>,
    /// Ask about a revision of the assets, as `gatewright history` lists them, and not about what is served.
    #[arg(long, value_name = "REVISION", requires = "dry_run")]
    revision: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Explain {
    pub async fn run(self) -> ExitCode {
        match self.explanation().await {
            Ok(body) if self.target.json => {
                print(String::from_utf8_lossy(&body));
                ExitCode::SUCCESS
            }
            Ok(body) => match serde_json::from_slice::<Explanation>(&body) {
                Ok(explanation) => {
                    print(explanation.to_text());
                    ExitCode::SUCCESS
                }
                Err(error) => fail(format_args!("the gateway's answer is not understood: {error}")),
            },
            Err(error) => fail(error),
        }
    }

    async fn explanation(&self) -> Result<Bytes, String> {
        match (self.what.as_slice(), self.dry_run) {
            ([id], false) => self.target.get(&format!("/explain/{id}")).await,
            ([method, url], true) => {
                let headers =
                    self.headers.iter().map(|header| split_header(header)).collect::<Result<_, _>>()?;
                let question = Question {
                    method: method.clone(),
                    url: url.clone(),
                    headers,
                    client: self.client,
                    revision: self.revision,
                };
                let body = serde_json::to_vec(&question).map_err(|e| e.to_string())?;
                let request = Request::post(self.target.url("/explain"))
                    .header(http::header::CONTENT_TYPE, "application/json")
                    .body(Full::new(body.into()))
                    .map_err(|e| e.to_string())?;
                self.target.ask(request).await
            }
            (_, true) => Err(
                "with --dry-run a method and a URL are needed: gatewright explain --dry-run GET /gateway/…"
                    .to_owned(),
            ),
            (_, false) => Err("one request id is needed; for a method and a URL add --dry-run".to_owned()),
        }
    }
}

fn split_header(header: &str) -> Result<(String, String), String> {
    let (name, value) =
        header.split_once(':').ok_or_else(|| format!("found header `{header}`, expected `Name: value`"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[derive(Debug, Args)]
pub struct Events {
    /// Go on printing events as they come.
    #[arg(short, long)]
    follow: bool,
    /// Transactional for requests, or Monitor for alerts. Default: both.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Name or id of an API.
    #[arg(long)]
    api: Option<String>,
    /// Name of an application.
    #[arg(long)]
    application: Option<String>,
    /// Status of the answers: 404, or 5xx.
    #[arg(long)]
    code: Option<String>,
    /// SUCCESS or FAILURE.
    #[arg(long)]
    status: Option<String>,
    /// HTTP method.
    #[arg(long)]
    method: Option<String>,
    /// Beginning of the path.
    #[arg(long)]
    path: Option<String>,
    /// Address of the client.
    #[arg(long)]
    client: Option<String>,
    /// Code of the reason for a refusal.
    #[arg(long)]
    reason: Option<String>,
    /// Not before this time, in milliseconds since 1970.
    #[arg(long)]
    from: Option<u64>,
    /// Before this time, in milliseconds since 1970.
    #[arg(long)]
    to: Option<u64>,
    /// Most events printed.
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    target: Target,
}

impl Events {
    pub async fn run(self) -> ExitCode {
        let result = if self.follow { self.print_as_they_come().await } else { self.print_page().await };
        result.map_or_else(fail, |()| ExitCode::SUCCESS)
    }

    fn query(&self) -> String {
        let texts = [
            ("type", &self.event_type),
            ("api", &self.api),
            ("application", &self.application),
            ("code", &self.code),
            ("status", &self.status),
            ("method", &self.method),
            ("path", &self.path),
            ("client", &self.client),
            ("reason", &self.reason),
        ];
        let numbers = [("from", self.from), ("to", self.to)];
        let mut query = format!("limit={}", self.limit);
        for (name, value) in texts {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", encode(value)));
            }
        }
        for (name, value) in numbers {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={value}"));
            }
        }
        query
    }

    async fn print_page(&self) -> Result<(), String> {
        let body = self.target.get(&format!("/events?{}", self.query())).await?;
        let page: Value = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
        for event in page["events"].as_array().into_iter().flatten() {
            self.print_event(event)?;
        }
        Ok(())
    }

    async fn print_as_they_come(&self) -> Result<(), String> {
        let path = format!("/events/follow?{}", self.query());
        let print = |line: &[u8]| self.print_event(&serde_json::from_slice(line).map_err(|e| e.to_string())?);
        self.target.lines(&path, print).await
    }

    fn print_event(&self, event: &Value) -> Result<(), String> {
        if self.target.json {
            print(event);
            return Ok(());
        }
        let event: TransactionEvent = serde_json::from_value(event.clone()).map_err(|e| e.to_string())?;
        let time =
            time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(event.creation_date) * 1_000_000)
                .ok()
                .and_then(|t| t.format(EVENT_TIME).ok())
                .unwrap_or_default();
        // A value may be anything, and terminals obey what is written to them.
        let shown = |(name, value): &(String, String)| format!("  {name}={}", value.escape_debug());
        let fields: String = event.custom_fields.iter().map(shown).collect();
        if event.event_type == EventType::Monitor {
            print(format_args!("{time}  alert  {} {}{fields}", event.api_name, event.api_version));
            return Ok(());
        }
        print(format_args!(
            "{time}  {}  {} {:<6} {}  {} {}  {} ms  {}  {}{fields}",
            event.correlation_id,
            event.response_code,
            event.http_method,
            event.request_path,
            event.api_name,
            event.api_version,
            event.total_time,
            event.application_name,
            event.reason_code
        ));
        Ok(())
    }
}

/// RFC 3339, always with milliseconds, so that columns stay in line.
const EVENT_TIME: &[time::format_description::BorrowedFormatItem<'_>] =
    time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

pub(super) fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~/:".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    target: Target,
}

impl Status {
    pub async fn run(self) -> ExitCode {
        let body = match self.target.get("/status").await {
            Ok(body) => body,
            Err(error) => return fail(error),
        };
        if self.target.json {
            print(String::from_utf8_lossy(&body));
            return ExitCode::SUCCESS;
        }
        let Ok(status) = serde_json::from_slice::<Value>(&body) else {
            return fail("the gateway's answer is not understood");
        };
        print_status(&status);
        // Scripts see by the exit code that the latest configuration is not the one that is served.
        if status["configuration"]["failure"].is_null() { ExitCode::SUCCESS } else { ExitCode::from(2) }
    }
}

fn print_status(status: &Value) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let configuration = &status["configuration"];
    print(format_args!("gatewright {}, revision {}", text(&status["version"]), configuration["revision"]));
    let number = |key: &str, noun: &str| {
        count(status[key].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default(), noun)
    };
    print(format_args!(
        "{}, {}, {}, {} in progress",
        number("apis", "API"),
        number("applications", "application"),
        number("connections", "connection"),
        number("requestsInProgress", "request")
    ));
    for listener in status["listeners"].as_array().into_iter().flatten() {
        let scheme = if listener["tls"] == true { "https" } else { "http" };
        print(format_args!(
            "listener  {:<12} {scheme}://{}",
            text(&listener["name"]),
            text(&listener["address"])
        ));
    }
    for upstream in status["upstreams"].as_array().into_iter().flatten() {
        for endpoint in upstream["endpoints"].as_array().into_iter().flatten() {
            let state = match (endpoint["healthy"] == true, endpoint["available"] == true) {
                (true, true) => "available",
                (true, false) => "suspended",
                (false, _) => "unhealthy",
            };
            print(format_args!(
                "upstream  {:<12} {} {state}",
                text(&upstream["name"]),
                text(&endpoint["url"])
            ));
        }
    }
    for store in status["keyMaterial"]["stores"].as_array().into_iter().flatten() {
        if store["loaded"] == false {
            let why = text(&store["problem"]);
            print(format_args!("{:<9} {:<12} not loaded: {why}", text(&store["kind"]), text(&store["name"])));
        } else if let Some(state) = store["acme"]["state"].as_str() {
            let why = store["problem"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
            print(format_args!("{:<9} {:<12} {state}{why}", text(&store["kind"]), text(&store["name"])));
        }
    }
    for one in status["keyMaterial"]["certificates"].as_array().into_iter().flatten() {
        let (name, until) = (text(&one["name"]), text(&one["notAfter"]));
        print(format_args!("expires   {until} {} in {} {name}", text(&one["subject"]), text(&one["kind"])));
    }
    print_nodes(&status["manager"]);
    for warning in configuration["warnings"].as_array().into_iter().flatten() {
        print(format_args!("warning   {}", diagnostic(warning)));
    }
    if let Some(problems) = configuration["failure"]["problems"].as_array() {
        print("\nThe latest configuration is not valid; the one before is still served:");
        for problem in problems {
            print(format_args!("  {}", diagnostic(problem)));
        }
    }
}

/// Which node serves which revision of the assets.
fn print_nodes(manager: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    for node in manager["nodes"].as_array().into_iter().flatten() {
        let state = match (node["live"] == true, node["problem"].as_str()) {
            (false, _) => format!(", not heard of since {}", text(&node["seenAt"])),
            (true, Some(problem)) => format!(", not revision {}: {problem}", node["refused"]),
            (true, None) => String::new(),
        };
        let revision = &node["revision"];
        print(format_args!(
            "node      {:<12} {} serves revision {revision}{state}",
            text(&node["name"]),
            text(&node["address"])
        ));
    }
    if manager["store"]["reachable"] == false {
        print(format_args!(
            "store     away: {}\n          revision {} of the assets is served; nothing can be changed until it is there again",
            text(&manager["store"]["problem"]),
            manager["revision"]
        ));
    }
}

fn diagnostic(value: &Value) -> String {
    let part =
        |key: &str, after: &str| value[key].as_str().map_or(String::new(), |text| format!("{text}{after}"));
    let line = value["line"].as_u64().map_or(String::new(), |line| format!("{line}:"));
    let file = part("file", ":");
    let place = if file.is_empty() { String::new() } else { format!("{file}{line} ") };
    let path = if value["path"] == "" { String::new() } else { part("path", ": ") };
    let help = value["help"].as_str().map_or(String::new(), |help| format!("; {help}"));
    format!("{place}{path}{}{help}", part("message", ""))
}
