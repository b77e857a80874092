//! `gatewright run`: serves a configuration.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{count, fail, print};
use crate::{Gateway, Source, StartError, StartOptions};

#[derive(Debug, Args)]
pub struct Run {
    /// Configuration file, or a folder of them.
    #[arg(short, long, value_name = "FILE", default_value = "gatewright.yaml", env = "GATEWRIGHT_CONFIG")]
    config: PathBuf,
}

impl Run {
    pub async fn run(self, release_memory: Option<fn()>) -> ExitCode {
        if !self.config.exists() {
            let hint = "`gatewright start` needs no file, `gatewright up` only an OpenAPI document";
            return fail(format_args!("{}: there is no such file; {hint}", self.config.display()));
        }
        let mut options = StartOptions::new(Source::Path(self.config));
        options.watch = true;
        options.release_memory = release_memory;
        serve(options).await
    }
}

/// Starts a gateway, says where everything is, and serves until it is told to stop.
pub async fn serve(options: StartOptions) -> ExitCode {
    let gateway = match Gateway::start(options).await {
        Ok(gateway) => gateway,
        Err(error) => return fail_to_start(&error),
    };
    for listener in gateway.listeners() {
        let scheme = if listener.tls { "https" } else { "http" };
        print(format_args!("listening on {scheme}://{} ({})", listener.address, listener.name));
    }
    print(format_args!("operations on http://{}", gateway.operations()));
    if let Some(admin) = gateway.admin() {
        let scheme = if gateway.admin_has_tls() { "https" } else { "http" };
        print(format_args!("console on {scheme}://{admin}/console/"));
        print(format_args!("admin API on {scheme}://{admin}/api/v1"));
    }
    if let Some(address) = gateway.authorization_server() {
        let scheme = if gateway.authorization_server_has_tls() { "https" } else { "http" };
        print(format_args!("authorization server on {scheme}://{address}"));
    }
    if let Some(password) = gateway.first_password() {
        print(format_args!("user Administrator has the password {password}"));
        print(
            "  it is shown this once: change it in the console, or with PUT /api/v1/users/Administrator/password",
        );
    }
    let served = gateway.snapshot().map_or(0, |snapshot| snapshot.apis.len());
    print(format_args!("{} served", count(served, "API")));
    until_stopped(gateway).await
}

pub fn fail_to_start(error: &StartError) -> ExitCode {
    let found = match error {
        StartError::Config(problems) => problems.0.len(),
        _ => 1,
    };
    fail(format_args!("{error}\n\nnot started: {}", count(found, "problem")))
}

/// SIGHUP reloads; SIGTERM and SIGINT stop, a second time at once.
pub async fn until_stopped(gateway: Gateway) -> ExitCode {
    let signals =
        (signal(SignalKind::hangup()), signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut hangup), Ok(mut terminate), Ok(mut interrupt)) = signals else {
        return fail("cannot listen for signals");
    };
    loop {
        tokio::select! {
            // What came of it is in the log and in the status.
            _ = hangup.recv() => drop(gateway.reload().await),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping: requests in progress may finish; send the signal again to stop at once");
    tokio::select! {
        () = gateway.stop() => ExitCode::SUCCESS,
        _ = terminate.recv() => ExitCode::FAILURE,
        _ = interrupt.recv() => ExitCode::FAILURE,
    }
}
