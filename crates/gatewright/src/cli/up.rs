//! `gatewright up`: an OpenAPI document, served at once.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use model::{ApiDoc, ConfigDoc, ListenerDoc, Operation, Parts, api::ParameterLocation};

use super::{count, fail, print, run};
use crate::{
    Gateway, Source, StartOptions,
    config::{default_listener, definitions},
};

#[derive(Debug, Args)]
pub struct Up {
    /// OpenAPI document: a file or a URL.
    source: String,
    /// URL of the native service. Default: the first server of the document.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Address that clients connect to. Default: 127.0.0.1:8080, or a free port when that is taken.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Address for health, metrics and explanations. Default: 127.0.0.1:9080, or a free port when that is taken.
    #[arg(long, value_name = "IP:PORT")]
    operations: Option<SocketAddr>,
    /// Directory for the event store. Default: gatewright-data here.
    #[arg(long, value_name = "DIRECTORY")]
    data_directory: Option<PathBuf>,
}

impl Up {
    pub async fn run(self, release_memory: Option<fn()>) -> ExitCode {
        let definition = match definitions::read(&self.source).await {
            Ok(definition) => definition,
            Err(error) => return fail(error),
        };
        let upstream = self.upstream.clone().or_else(|| server_of(&definition.api.servers, &self.source));
        let api = ApiDoc { definition: Some(self.source.clone()), upstream, ..ApiDoc::default() };
        let mut config = ConfigDoc { apis: Parts::from_iter([Arc::new(api)]), ..ConfigDoc::default() };
        let listen = self.listen.unwrap_or_else(|| free_or_any(default_listener().address));
        config.listeners = vec![ListenerDoc { address: listen, ..default_listener() }];
        config.settings.operations.address =
            self.operations.unwrap_or_else(|| free_or_any(config.settings.operations.address));
        config.settings.data_directory = self.data_directory.map(|d| d.display().to_string());
        let directory = std::env::current_dir().unwrap_or_default();
        if config.settings.data_directory.is_none() && in_use(&directory) {
            // Somebody else's events are in the usual place; this one keeps its own beside them.
            config.settings.data_directory = Some(format!("gatewright-data-{}", std::process::id()));
        }

        let mut options = StartOptions::new(Source::Memory { config: Box::new(config), directory });
        options.release_memory = release_memory;
        let gateway = match Gateway::start(options).await {
            Ok(gateway) => gateway,
            Err(error) => return run::fail_to_start(&error),
        };
        welcome(&gateway, &definition.api.operations, definition.warnings.len());
        run::until_stopped(gateway).await
    }
}

/// The first server that can be called. A relative one is found where the document was found.
fn server_of(servers: &[String], source: &str) -> Option<String> {
    let absolute = servers.iter().find(|s| s.starts_with("http://") || s.starts_with("https://"));
    if absolute.is_some() || !source.contains("://") {
        return absolute.cloned();
    }
    let uri: http::Uri = source.parse().ok()?;
    let origin = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
    let relative = servers.iter().find(|s| s.starts_with('/')).map_or("", String::as_str);
    Some(format!("{origin}{}", relative.trim_end_matches('/')))
}

/// The address, or another port when somebody has it already.
fn free_or_any(address: SocketAddr) -> SocketAddr {
    match TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => SocketAddr::new(address.ip(), 0),
    }
}

fn in_use(directory: &std::path::Path) -> bool {
    let lock = directory.join("gatewright-data").join(store::LOCK_FILE);
    std::fs::File::open(lock).is_ok_and(|file| file.try_lock().is_err())
}

fn welcome(gateway: &Gateway, operations: &[Operation], warnings: usize) {
    let (Some(snapshot), Some(listener)) = (gateway.snapshot(), gateway.listeners().into_iter().next())
    else {
        return;
    };
    let Some(api) = snapshot.apis.first() else { return };
    let base = format!("http://{}{}", listener.address, encode(&api.base_path));
    let upstream = snapshot.bindings.first().and_then(|b| snapshot.upstreams.get(b.upstream? as usize));
    let target =
        upstream.and_then(|u| u.endpoints.first()).map_or("nothing yet: add --upstream URL", |e| &e.url);
    let operations_flag = match gateway.operations().port() {
        9080 => String::new(),
        port => format!(" --gateway http://127.0.0.1:{port}"),
    };
    print(format_args!(
        "{} {} is served: {}, {}",
        api.names.name,
        api.names.version,
        count(api.names.operations.len(), "operation"),
        count(warnings, "warning")
    ));
    print(format_args!("\n  API       {base}"));
    print(format_args!("  upstream  {target}"));
    print(format_args!("  try       {}", curl(&base, operations)));
    print(format_args!("  explain   gatewright explain{operations_flag} <x-request-id of the answer>"));
    print(format_args!("  events    gatewright events{operations_flag} --follow"));
    print(format_args!("  health    http://{}/health/engine", gateway.operations()));
}

/// A call that works without knowing anything: the first GET with the fewest parameters.
fn curl(base: &str, operations: &[Operation]) -> String {
    let needs = |operation: &Operation| operation.parameters.iter().filter(|p| p.required).count();
    let get = operations.iter().filter(|o| o.method == "GET").min_by_key(|o| needs(o));
    let Some(operation) = get.or(operations.first()) else { return format!("curl -i {base}/") };
    let path: String = operation
        .path
        .split('/')
        .map(|segment| if segment.contains('{') { "1".to_owned() } else { encode(segment) })
        .collect::<Vec<_>>()
        .join("/");
    let query: Vec<String> = operation
        .parameters
        .iter()
        .filter(|p| p.required && p.location == ParameterLocation::Query)
        .map(|p| format!("{}=1", encode(&p.name)))
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let method = if operation.method == "GET" { String::new() } else { format!("-X {} ", operation.method) };
    let url = format!("{base}{path}{query}");
    if url.contains(['&', '?', '(', ')', '\'', '*', ';']) {
        format!("curl -i {method}'{url}'")
    } else {
        format!("curl -i {method}{url}")
    }
}

/// Percent-encodes what a path may not hold.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'-'
            | b'.'
            | b'_'
            | b'~'
            | b':'
            | b'@'
            | b'!'
            | b'$'
            | b'('
            | b')'
            | b','
            | b'='
            | b'+' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_server_is_found_where_the_document_was() {
        let servers = ["/api/v3".to_owned()];
        assert_eq!(
            server_of(&servers, "https://a.example/openapi.json").as_deref(),
            Some("https://a.example/api/v3")
        );
        assert_eq!(server_of(&servers, "openapi.json"), None);
        assert_eq!(server_of(&["https://b/".to_owned()], "x.json").as_deref(), Some("https://b/"));
    }

    #[test]
    fn the_first_call_needs_nothing_to_be_known() {
        let mut one = Operation::new("GET", "/pets/{id}");
        one.parameters.push(model::api::Parameter {
            name: "id".into(),
            location: ParameterLocation::Path,
            required: true,
            schema: None,
            style: model::api::ParameterStyle::Simple,
            explode: false,
        });
        let operations = [Operation::new("POST", "/pets"), one, Operation::new("GET", "/a b")];
        assert_eq!(curl("http://h/b", &operations), "curl -i http://h/b/a%20b");
        assert_eq!(curl("http://h/b", &operations[..2]), "curl -i http://h/b/pets/1");
        assert_eq!(curl("http://h/b", &operations[..1]), "curl -i -X POST http://h/b/pets");
    }
}
