//! Commands over the admin API: what the console can do, scripts can do.

mod apply;
mod archive;
mod audit;
mod diff;
mod history;
mod login;
mod look;
mod profile;
mod secrets;
mod table;
mod user;

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

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
use profile::Profile;

pub use apply::{Apply, Diff, Plan};
pub use archive::Archive;
pub use audit::Audit;
pub use history::{History, Rollback};
pub use login::{Login, Logout};
pub use look::{Delete, Export, Get};
pub use secrets::Secrets;
pub use user::User;

/// The manager that is asked, and who asks.
#[derive(Debug, Args)]
struct Target {
    /// Admin API of the gateway. Default: where `gatewright login` was, else http://127.0.0.1:9072.
    #[arg(long, value_name = "URL", env = "GATEWRIGHT_MANAGER")]
    manager: Option<String>,
    /// User of the admin API, whose password is in the environment variable GATEWRIGHT_PASSWORD. With a token in
    /// GATEWRIGHT_TOKEN, or after `gatewright login`, it does not matter.
    #[arg(long, value_name = "NAME", default_value = "Administrator", env = "GATEWRIGHT_USER")]
    user: String,
    /// PEM file of the authorities that the certificate of the admin API is verified against. Default: those of the
    /// system.
    #[arg(long, value_name = "FILE", env = "GATEWRIGHT_CA")]
    ca: Option<PathBuf>,
    /// The login that is meant, when there are several.
    #[arg(long, value_name = "NAME", env = "GATEWRIGHT_PROFILE")]
    profile: Option<String>,
}

/// Where the admin API is when nobody says anything.
const USUAL_MANAGER: &str = "http://127.0.0.1:9072";

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

/// Asks somebody in front of a terminal for a password, which is not shown.
fn ask_password(question: &str) -> Result<String, String> {
    if !std::io::stdin().is_terminal() {
        return Err("there is no terminal to ask for a password; set GATEWRIGHT_PASSWORD, or use --stdin where there is one".to_owned());
    }
    rpassword::prompt_password(question).map_err(|error| error.to_string())
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
    /// The manager of a profile.
    fn of(profile: &Profile) -> Self {
        Self {
            manager: Some(profile.manager.clone()),
            user: profile.user.clone(),
            ca: profile.ca.clone(),
            profile: None,
        }
    }

    /// The login that is meant, if there is one.
    fn login(&self) -> Result<Option<Profile>, String> {
        let name = self.profile.as_deref().unwrap_or(profile::USUAL);
        // Where no file can be, nobody has logged in.
        let mut profiles = match (profile::read(), &self.profile) {
            (Err(_), None) => return Ok(None),
            (read, _) => read?,
        };
        match (profiles.remove(name), &self.profile) {
            (None, Some(_)) => Err(format!(
                "nobody is logged in as profile {name}; `gatewright login --profile {name}` does"
            )),
            (found, _) => Ok(found),
        }
    }

    /// The address, without a slash at its end.
    fn manager(&self) -> Result<String, String> {
        let address = match &self.manager {
            Some(address) => address.clone(),
            None => {
                self.login().ok().flatten().map_or_else(|| USUAL_MANAGER.to_owned(), |login| login.manager)
            }
        };
        Ok(address.trim_end_matches('/').to_owned())
    }

    fn ca(&self) -> Result<Option<PathBuf>, String> {
        if self.ca.is_some() {
            return Ok(self.ca.clone());
        }
        let manager = self.manager()?;
        Ok(self.login().ok().flatten().filter(|login| login.manager == manager).and_then(|login| login.ca))
    }

    fn authorization(&self) -> Result<String, String> {
        if let Ok(token) = std::env::var("GATEWRIGHT_TOKEN") {
            return Ok(format!("Bearer {token}"));
        }
        if let Ok(password) = std::env::var("GATEWRIGHT_PASSWORD") {
            return Ok(basic(&self.user, &password));
        }
        // A token goes to the manager that it is for, and to nobody else.
        let manager = self.manager()?;
        match self.login()?.filter(|login| login.manager == manager) {
            Some(login) => Ok(format!("Bearer {}", login.token)),
            None => Err(format!(
                "nobody is logged in at {manager}: run `gatewright login`, or set GATEWRIGHT_TOKEN to a token, or \
                 GATEWRIGHT_PASSWORD to the password of the user {}",
                self.user
            )),
        }
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Bytes) -> Result<Value, String> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Value, String> {
        let authorization = self.authorization()?;
        self.ask_as(&authorization, method, path, body).await
    }

    async fn ask_as(
        &self,
        authorization: &str,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Value, String> {
        let response = self.send_as(authorization, method, path, body).await?;
        json(response).await
    }

    /// An answer that is no problem.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, String> {
        let authorization = self.authorization()?;
        self.send_as(&authorization, method, path, body).await
    }

    async fn send_as(
        &self,
        authorization: &str,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response<Incoming>, String> {
        self.try_send(authorization, None, method, path, body).await?.map_err(|refusal| refusal.text)
    }

    /// The answer, or what the manager says against it; `code` is of a second factor.
    async fn try_send(
        &self,
        authorization: &str,
        code: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Result<Response<Incoming>, Refusal>, String> {
        let manager = self.manager()?;
        let tls = self.ca()?.map(|file| client::trusting(&file)).transpose();
        let tls = tls.map_err(|error| format!("--ca {error}"))?;
        let url = format!("{manager}/api/v1{path}");
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json");
        if let Some(code) = code {
            request = request.header("X-Second-Factor", code);
        }
        let request = request
            .body(Full::new(body.unwrap_or_default()))
            .map_err(|error| format!("--manager {manager}: {error}"))?;
        let response = client::send_trusting(request, tls).await.map_err(|error| {
            let hint = "is settings.manager.enabled true, and is --manager right? With a certificate of an authority of your own, name its file with --ca";
            format!("no manager answers at {manager}: {error}; {hint}")
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(Ok(response));
        }
        let answer = json(response).await?;
        let detail =
            answer["detail"].as_str().map_or_else(|| format!("the manager answered {status}"), str::to_owned);
        let errors = answer["errors"].as_array().into_iter().flatten().map(problem);
        let text = std::iter::once(detail).chain(errors).collect::<Vec<_>>().join("\n");
        Ok(Err(Refusal { code: answer["code"].as_str().unwrap_or_default().to_owned(), text }))
    }
}

/// What a manager says against a request.
struct Refusal {
    /// Stable.
    code: String,
    /// For people.
    text: String,
}

async fn json(response: Response<Incoming>) -> Result<Value, String> {
    let body = client::whole(response).await.map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&body).unwrap_or_default())
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
