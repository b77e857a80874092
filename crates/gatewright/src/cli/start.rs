//! `gatewright start`: a gateway with its manager and console, without a configuration file.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Args;
use model::{ConfigDoc, ListenerDoc};

use super::run;
use crate::{Source, StartOptions, config::default_listener};

#[derive(Debug, Args)]
pub struct Start {
    /// Address that clients of APIs connect to. Default: 127.0.0.1:8080.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Address of the console and the admin API. Default: 127.0.0.1:9072.
    #[arg(long, value_name = "IP:PORT")]
    manager: Option<SocketAddr>,
    /// Address for health, metrics and explanations. Default: 127.0.0.1:9080.
    #[arg(long, value_name = "IP:PORT")]
    operations: Option<SocketAddr>,
    /// Directory where everything is kept. Default: gatewright-data here.
    #[arg(long, value_name = "DIRECTORY")]
    data_directory: Option<PathBuf>,
}

impl Start {
    pub async fn run(self, release_memory: Option<fn()>) -> ExitCode {
        let mut config = ConfigDoc::default();
        let address = self.listen.unwrap_or_else(|| default_listener().address);
        config.listeners = vec![ListenerDoc { address, ..default_listener() }];
        let settings = &mut config.settings;
        settings.manager.enabled = true;
        settings.manager.address = self.manager.unwrap_or(settings.manager.address);
        if settings.manager.address.ip().is_loopback() {
            // Whoever reaches the console is on this machine, and often so is the service that is to be published.
            settings.manager.references =
                ["url:http://127.0.0.1:*", "url:http://localhost:*"].map(String::from).into();
        }
        settings.operations.address = self.operations.unwrap_or(settings.operations.address);
        settings.data_directory = self.data_directory.map(|directory| directory.display().to_string());
        let directory = std::env::current_dir().unwrap_or_default();
        let mut options = StartOptions::new(Source::Memory { config: Box::new(config), directory });
        options.release_memory = release_memory;
        run::serve(options).await
    }
}
