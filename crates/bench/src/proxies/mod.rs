//! The proxies: how each is found, configured, started and told of a change. Settings are as equal as they can be:
//! the same number of workers, kept connections on both sides, no access log unless the work has one, buffers that
//! hold a large body's share at once, a listening socket for each worker.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{options::Options, process::Process, work::Work};

mod envoy;
mod gatewright;
mod haproxy;
mod nginx;

/// Names in tables and files; `direct` is the upstream without a proxy.
pub const NAMES: [&str; 5] = ["gatewright", "nginx", "haproxy", "envoy", "direct"];

pub static PROXIES: [&dyn Proxy; 4] =
    [&gatewright::Gatewright, &nginx::Nginx, &haproxy::Haproxy, &envoy::Envoy];

pub trait Proxy: Sync {
    fn name(&self) -> &'static str;

    /// The program, or what to do to have it.
    fn program(&self, options: &Options) -> Result<PathBuf, String>;

    /// Writes the configuration and says how to run it, in the foreground.
    fn configure(&self, setup: &Setup) -> io::Result<Command>;

    /// Changes the running configuration to what `setup` says.
    fn change(&self, setup: &Setup, process: &Process) -> io::Result<()>;
}

/// What one instance is to do.
#[derive(Debug, Clone)]
pub struct Setup {
    pub program: PathBuf,
    /// Directory of its own for configuration, logs and data.
    pub directory: PathBuf,
    pub work: Work,
    /// Routes to configure; 0 stands for one that takes everything.
    pub routes: usize,
    pub workers: usize,
    pub port: u16,
    /// Port for health and metrics, for those that have one.
    pub operations: u16,
    /// Ports of both sides of the upstream, and which of them answers.
    pub upstreams: [u16; 2],
    pub side: usize,
    pub certificate: Certificate,
    /// Policies of Gatewright's API, as YAML, for the work that measures them.
    pub policies: &'static str,
}

/// The certificate of the TLS work, as files.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
    /// Both in one file.
    pub both: PathBuf,
}

impl Setup {
    pub fn upstream(&self) -> u16 {
        self.upstreams[self.side]
    }

    pub fn tls(&self) -> bool {
        self.work == Work::Tls
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let file = self.file(name);
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Replaces a file in one step, as deployment tools do.
    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        let new = self.write(&format!("{name}.new"), text)?;
        fs::rename(new, self.file(name))
    }
}

/// Makes a self-signed certificate for `localhost`.
pub fn certificate(directory: &Path) -> Result<Certificate, String> {
    let make = || -> Result<Certificate, Box<dyn std::error::Error>> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let files = Certificate {
            chain: directory.join("chain.pem"),
            key: directory.join("key.pem"),
            both: directory.join("both.pem"),
        };
        fs::write(&files.chain, &chain)?;
        fs::write(&files.key, &key)?;
        fs::write(&files.both, format!("{chain}{key}"))?;
        Ok(files)
    };
    make().map_err(|error| format!("certificate: {error}"))
}
