//! The command line.

mod backup;
mod check;
mod completion;
mod import;
mod key;
mod locked;
mod manage;
mod query;
mod run;
mod schema;
mod start;
mod tap;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// API gateway in one binary: serves APIs from their OpenAPI documents, governs them, explains every request.
#[derive(Debug, Parser)]
#[command(name = "gatewright", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve an API straight from its OpenAPI document, without a configuration.
    Up(up::Up),
    /// Serve what is managed in the console, without a configuration; everything is kept in one directory.
    Start(start::Start),
    /// Serve a configuration, and take up its changes.
    Run(run::Run),
    /// Check a configuration without serving it.
    Check(check::Check),
    /// Run the tests of a configuration, without serving it.
    Test(test::Test),
    /// Print the JSON Schema of the configuration, for editors.
    Schema,
    /// Look at API definitions without serving them.
    Import(import::Import),
    /// Explain what happened to a request, or what would happen.
    Explain(query::Explain),
    /// List, filter and follow transaction events.
    Events(query::Events),
    /// Watch requests as they end.
    Tap(tap::Tap),
    /// Show what a running gateway serves.
    Status(query::Status),
    /// List addresses that are locked because they failed to authenticate, or let them in again.
    Locked(locked::Locked),
    /// Log in at the admin API: commands that follow need no password.
    Login(manage::Login),
    /// Log out again.
    Logout(manage::Logout),
    /// Make users, set their passwords, let them in again.
    User(manage::User),
    /// List assets, or show one.
    Get(manage::Get),
    /// Show what applying documents would change. Exit code 2 when something would.
    Plan(manage::Plan),
    /// Show what applying documents would change, line by line. Exit code 2 when something would.
    Diff(manage::Diff),
    /// Change assets to what documents say.
    Apply(manage::Apply),
    /// Delete an asset.
    Delete(manage::Delete),
    /// Write all assets as documents that can be applied again.
    Export(manage::Export),
    /// List the versions of an asset, or the revisions of everything.
    History(manage::History),
    /// Make everything, or one asset, as a revision left it.
    Rollback(manage::Rollback),
    /// List what was done, or check that the log is as it was written.
    Audit(Box<manage::Audit>),
    /// Take assets with everything that they need from one store to another.
    Archive(manage::Archive),
    /// Write everything in the store of a node into a file, also while gateways serve from it.
    Backup(backup::Backup),
    /// Make the store of a node what a backup has kept. Gateways on the same PostgreSQL database follow.
    Restore(backup::Restore),
    /// Look at the master keys that secrets are encrypted under, and change them.
    Secrets(manage::Secrets),
    /// Make an API key and its hash.
    Key,
    /// Print what a shell needs to complete commands.
    Completion(completion::Completion),
}

/// Runs the command line of this process. The allocator is the program's, and so is the way to give memory back.
pub fn main(release_memory: Option<fn()>) -> ExitCode {
    let cli = Cli::parse();
    let log = tracing_subscriber::EnvFilter::try_from_env("GATEWRIGHT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let log_lines = tracing_subscriber::fmt().with_env_filter(log).with_target(false).with_ansi(colours);
    log_lines.with_writer(std::io::stderr).init();
    // Traffic has threads of its own; this one reloads, collects and answers questions.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("cannot start: {error}")),
    };
    runtime.block_on(async {
        match cli.command {
            Command::Up(command) => command.run(release_memory).await,
            Command::Start(command) => command.run(release_memory).await,
            Command::Run(command) => command.run(release_memory).await,
            Command::Check(command) => command.run().await,
            Command::Test(command) => command.run().await,
            Command::Schema => schema::run(),
            Command::Import(command) => command.run().await,
            Command::Explain(command) => command.run().await,
            Command::Events(command) => command.run().await,
            Command::Tap(command) => command.run().await,
            Command::Status(command) => command.run().await,
            Command::Locked(command) => command.run().await,
            Command::Get(command) => manage::exit(command.run().await),
            Command::Login(command) => manage::exit(command.run().await),
            Command::Logout(command) => manage::exit(command.run().await),
            Command::User(command) => manage::exit(command.run().await),
            Command::Diff(command) => manage::exit(command.run().await),
            Command::Plan(command) => manage::exit(command.run().await),
            Command::Apply(command) => manage::exit(command.run().await),
            Command::Delete(command) => manage::exit(command.run().await),
            Command::Export(command) => manage::exit(command.run().await),
            Command::History(command) => manage::exit(command.run().await),
            Command::Rollback(command) => manage::exit(command.run().await),
            Command::Audit(command) => manage::exit(command.run().await),
            Command::Archive(command) => manage::exit(command.run().await),
            Command::Backup(command) => command.run().await,
            Command::Restore(command) => command.run().await,
            Command::Secrets(command) => manage::exit(command.run().await),
            Command::Key => key::run(),
            Command::Completion(command) => command.run(),
        }
    })
}

/// Writes to standard output. A reader that went away, as `head` does, is no error.
fn print(text: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says on standard error what went wrong.
fn fail(message: impl std::fmt::Display) -> ExitCode {
    complain(message);
    ExitCode::FAILURE
}

/// Writes to standard error.
fn complain(message: impl std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// A number and its noun, in the plural unless there is one.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
