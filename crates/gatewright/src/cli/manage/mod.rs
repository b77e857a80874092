//! Commands over the admin API: what the console can do, scripts can do.

mod apply;
mod archive;
mod audit;
mod history;
mod look;
mod secrets;
mod table;

use std::process::ExitCode;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use http::{
    Method, Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::Value;

use super::{fail, print};
use crate::client;

pub use apply::{Apply, Plan};
pub use archive::Archive;
pub use audit::Audit;
pub use history::{History, Rollback};
pub use look::{Delete, Export, Get};
pub use secrets::Secrets;

/// The manager that is asked, and who asks.
#[derive(Debug, Args)]
struct Target {
    /// Admin API of the gateway.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9072", env = "GATEWRIGHT_MANAGER")]
    manager: String,
    /// User of the admin API, whose password is in the environment variable GATEWRIGHT_PASSWORD. With a token in
    /// GATEWRIGHT_TOKEN it does not matter.
    #[arg(long, value_name = "NAME", default_value = "Administrator", env = "GATEWRIGHT_USER")]
    user: String,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Yaml,
    Json,
}

/// What came of a command: its exit code, or what went wrong.
type Outcome = Result<ExitCode, String>;

/// Prints what went wrong.
pub fn exit(outcome: Outcome) -> ExitCode {
    outcome.unwrap_or_else(fail)
}

/// The name and the password of a user (RFC 7617).
fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{user}:{password}").as_bytes()))
}

/// Letters, digits and what is as good in a path.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

/// A query of those parameters that have a value.
fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?))));
    let query = given.collect::<Vec<_>>().join("&");
    if query.is_empty() { query } else { format!("?{query}") }
}

impl Target {
    fn authorization(&self) -> Result<String, String> {
        if let Ok(token) = std::env::var("GATEWRIGHT_TOKEN") {
            return Ok(format!("Bearer {token}"));
        }
        let password = std::env::var("GATEWRIGHT_PASSWORD").map_err(|_| {
            format!(
                "set GATEWRIGHT_TOKEN to a token, or GATEWRIGHT_PASSWORD to the password of the user {}",
                self.user
            )
        })?;
        Ok(basic(&self.user, &password))
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Bytes) -> Result<Value, String> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Value, String> {
        let response = self.send(method, path, body).await?;
        let body = client::whole(response).await.map_err(|error| error.to_string())?;
        Ok(serde_json::from_slice(&body).unwrap_or_default())
    }

    /// An answer that is no problem.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, String> {
        let authorization = self.authorization()?;
        let url = format!("{}/api/v1{path}", self.manager.trim_end_matches('/'));
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| format!("--manager {}: {error}", self.manager))?;
        let response = client::send(request).await.map_err(|error| {
            format!(
                "no manager answers at {}: {error}; is settings.manager.enabled true, and is --manager right?",
                self.manager
            )
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = client::whole(response).await.map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail =
            answer["detail"].as_str().map_or_else(|| format!("the manager answered {status}"), str::to_owned);
        let errors = answer["errors"].as_array().into_iter().flatten().map(problem);
        Err(std::iter::once(detail).chain(errors).collect::<Vec<_>>().join("\n"))
    }
}

/// A problem in a document, in lines for people.
fn problem(error: &Value) -> String {
    let text = |key: &str| error[key].as_str().unwrap_or("");
    let place =
        [text("file"), text("path")].iter().filter(|t| !t.is_empty()).copied().collect::<Vec<_>>().join(": ");
    let help = text("help");
    let help = if help.is_empty() { String::new() } else { format!("\n    {help}") };
    format!("  {place}: {}{help}", text("message"))
}

/// Prints an answer as it was asked for; as a table by `table`.
fn show(output: Output, value: &Value, table: impl FnOnce() -> String) {
    match output {
        Output::Json => print(format_args!("{value:#}")),
        Output::Yaml => print(model::yaml::write(value).trim_end()),
        Output::Table => print(table()),
    }
}
