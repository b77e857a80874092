//! nginx. Governed by a `map` of the keys, `limit_req` by application and a buffered access log; its counters
//! (`stub_status`) are always on.

use std::{fmt::Write as _, io, path::PathBuf, process::Command};

use super::{Proxy, Setup};
use crate::{
    options::Options,
    process::{Process, find_program},
    work::{KEYS, Work, key, route},
};

pub struct Nginx;

impl Proxy for Nginx {
    fn name(&self) -> &'static str {
        "nginx"
    }

    fn program(&self, _: &Options) -> Result<PathBuf, String> {
        find_program("nginx").ok_or_else(|| "not installed: apt-get install nginx-light".into())
    }

    fn configure(&self, setup: &Setup) -> io::Result<Command> {
        let config = setup.write("nginx.conf", &config(setup))?;
        let mut command = Command::new(&setup.program);
        command.arg("-p").arg(&setup.directory).arg("-c").arg(config).args(["-e", "stderr"]);
        Ok(command)
    }

    fn change(&self, setup: &Setup, process: &Process) -> io::Result<()> {
        setup.replace("nginx.conf", &config(setup))?;
        process.signal(libc::SIGHUP)
    }
}

fn config(setup: &Setup) -> String {
    let dir = setup.directory.display();
    let (governance, in_server) =
        if setup.work == Work::Governed { governed(setup) } else { Default::default() };
    let tls = if setup.tls() {
        let (chain, key) = (setup.certificate.chain.display(), setup.certificate.key.display());
        format!(
            "ssl_certificate {chain};\n    ssl_certificate_key {key};\n    ssl_protocols TLSv1.2 TLSv1.3;"
        )
    } else {
        String::new()
    };
    format!(
        r#"daemon off;
worker_processes {workers};
pid {dir}/nginx.pid;
error_log stderr warn;
events {{
  worker_connections 8192;
}}
http {{
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_buffers 8 32k;
  proxy_busy_buffers_size 64k;
  proxy_max_temp_file_size 0;
  upstream up {{
    server 127.0.0.1:{upstream};
    keepalive 256;
    keepalive_requests 1000000000;
    keepalive_timeout 60s;
  }}
{governance}
  server {{
    listen 127.0.0.1:{port}{ssl} reuseport;
    {tls}
{in_server}
{locations}  }}
}}
"#,
        workers = setup.workers,
        upstream = setup.upstream(),
        port = setup.port,
        ssl = if setup.tls() { " ssl" } else { "" },
        locations = locations(setup.routes),
    )
}

fn locations(routes: usize) -> String {
    if routes == 0 {
        return "    location /bench/ { proxy_pass http://up; }\n".into();
    }
    // In order of their names: older versions sort them in quadratic time when they are not.
    (0..routes).fold(String::new(), |mut text, n| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    location = {} {{ proxy_pass http://up; }}", route(n));
        text
    })
}

/// What governs, for the `http` block and for the server.
fn governed(setup: &Setup) -> (String, String) {
    let mut http =
        "  map_hash_max_size 8192;\n  map_hash_bucket_size 128;\n  map $http_x_gateway_apikey $app {\n"
            .to_owned();
    http.push_str("    default \"\";\n");
    for n in 0..KEYS {
        let _ = writeln!(http, "    {} app{n};", key(n));
    }
    let _ = write!(
        http,
        r#"  }}
  limit_req_zone $app zone=apps:10m rate=1000000r/s;
  log_format event escape=json '{{"time":"$time_iso8601","id":"$request_id","application":"$app",'
    '"api":"bench","method":"$request_method","path":"$uri","status":$status,"client":"$remote_addr",'
    '"requestSize":$request_length,"responseSize":$body_bytes_sent,"total":$request_time,'
    '"provider":"$upstream_response_time","agent":"$http_user_agent"}}';
"#
    );
    let log = setup.file("access.log");
    let server = format!(
        r#"    access_log {} event buffer=64k flush=1s;
    if ($app = "") {{ return 401; }}
    limit_req zone=apps burst=1000000 nodelay;
    limit_req_status 429;
    location = /status {{ stub_status; }}
"#,
        log.display()
    );
    (http, server)
}
