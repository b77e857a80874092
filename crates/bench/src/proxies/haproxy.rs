//! HAProxy. Governed by a map file of the keys, a stick table that counts by application, and a log line for each
//! request; since it writes no files, the lines go to its standard output, which is one. Routes are a map as well.

use std::{fmt::Write as _, io, path::PathBuf, process::Command};

use super::{Proxy, Setup};
use crate::{
    options::Options,
    process::{Process, find_program},
    work::{KEY_HEADER, KEYS, Work, key, route},
};

pub struct Haproxy;

impl Proxy for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn program(&self, _: &Options) -> Result<PathBuf, String> {
        find_program("haproxy").ok_or_else(|| "not installed: apt-get install haproxy".into())
    }

    fn configure(&self, setup: &Setup) -> io::Result<Command> {
        let config = setup.write("haproxy.cfg", &config(setup)?)?;
        let mut command = Command::new(&setup.program);
        // A master that can be told to reload, as the packages run it.
        command.args(["-W", "-f"]).arg(config);
        Ok(command)
    }

    fn change(&self, setup: &Setup, process: &Process) -> io::Result<()> {
        setup.replace("haproxy.cfg", &config(setup)?)?;
        process.signal(libc::SIGUSR2)
    }
}

fn config(setup: &Setup) -> io::Result<String> {
    let (log, governance) = if setup.work == Work::Governed { governed(setup)? } else { Default::default() };
    let tls =
        if setup.tls() { format!(" ssl crt {}", setup.certificate.both.display()) } else { String::new() };
    let backend = if setup.routes == 0 {
        "default_backend up".to_owned()
    } else {
        format!("use_backend %[path,map_str({},missing)]", routes(setup)?.display())
    };
    Ok(format!(
        r#"global
  nbthread {workers}
  maxconn 8000
  tune.bufsize 32768
{log}
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  timeout http-keep-alive 75s
  timeout http-request 15s
  option http-keep-alive
  http-reuse always
frontend bench
  bind 127.0.0.1:{port} shards by-thread{tls}
{governance}
  {backend}
backend up
  server up 127.0.0.1:{upstream} pool-purge-delay 60s
backend missing
  http-request return status 404
"#,
        workers = setup.workers,
        port = setup.port,
        upstream = setup.upstream(),
    ))
}

fn routes(setup: &Setup) -> io::Result<PathBuf> {
    let map = (0..setup.routes).fold(String::new(), |mut text, n| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} up", route(n));
        text
    });
    setup.write("routes.map", &map)
}

/// What governs, for the `global` section and for the frontend.
fn governed(setup: &Setup) -> io::Result<(String, String)> {
    let keys = (0..KEYS).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{} app{n}", key(n));
        text
    });
    let keys = setup.write("keys.map", &keys)?;
    let frontend = format!(
        r#"  log global
  unique-id-format %[uuid()]
  log-format '{{"time":"%trl","id":"%ID","application":"%[var(txn.app)]","api":"bench","method":"%HM","path":"%HP","status":%ST,"client":"%ci","requestSize":%U,"responseSize":%B,"total":%Ta,"provider":%Tr,"agent":"%[capture.req.hdr(0)]"}}'
  http-request capture req.hdr(user-agent) len 64
  stick-table type string len 32 size 10k expire 2m store http_req_rate(1m)
  http-request set-var(txn.app) req.hdr({header}),map_str({keys})
  http-request deny deny_status 401 unless {{ var(txn.app) -m found }}
  http-request track-sc0 var(txn.app)
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1000000000 }}
"#,
        header = KEY_HEADER.to_ascii_lowercase(),
        keys = keys.display(),
    );
    Ok(("  log stdout format raw local0\n".into(), frontend))
}
