//! The command line: one file a command.
#![warn(clippy::print_stdout, reason = "output::say ends a command quietly when nobody reads")]
#![allow(clippy::doc_markdown, reason = "shown as it is by --help")]

mod completions;
mod database;
mod diagnose;
mod domain;
mod health;
mod man;
mod master_key;
mod migrate;
mod openapi;
mod output;
mod progress;
mod rebuild;
mod repair_clock;
mod report;
mod send;
mod sender;
mod serve;
mod simulate;
mod token;
mod transfer;
mod with_database;

use std::ffi::OsString;
use std::io::Read;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use reqwest::Url;
use secrecy::SecretString;

use crate::config;

pub use output::PrintError;
pub use with_database::ProgramFailed;

/// Keeps every live push that Huawei Cloud Live reports, and answers what is live and for how long
///
/// Huawei Cloud Live tells by signed callbacks when a push starts and ends. `serve` receives and verifies them, keeps each in
/// a durable log in PostgreSQL, folds the log into sessions, and serves these by a REST API and a dashboard. The other
/// commands administer it, ask it, and try it out; they work whether the service runs or not.
///
/// Settings come from flags, then environment variables, then the file that --config names.
#[derive(Debug, Parser)]
#[command(version, after_help = MORE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const MORE: &str = "\
Examples:
  streamtally serve                          run the service on http://127.0.0.1:8080
  streamtally serve --demo                   see what it is like, with made-up streams
  streamtally domain add push.example.com    receive for a domain; tells what to set at the provider

Exits with 0 when all is done, with 1 when something went wrong, with 2 on bad usage, with 141 when
whoever reads what is printed has gone.

Secrets are read from the environment, or else from files of the data folder; the first two are made
there at first start:
  STREAMTALLY_ADMIN_TOKEN      (admin-token)      administrator's API token, at least 32 characters
  STREAMTALLY_MASTER_KEY       (master-key)       encrypts callback keys at rest: 32 bytes in base64
  STREAMTALLY_NEXT_MASTER_KEY  (master-key.next)  the next master key, while that is rotated";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::ServeCommand>),
    Health(health::HealthCommand),
    Migrate(migrate::MigrateCommand),
    /// Register ingest domains, their keys and secret paths
    ///
    /// Only of a registered domain callbacks are received. Each change takes effect within 2 seconds in every process, and
    /// stands in `/v1/audit` with the account that made it.
    #[command(subcommand)]
    Domain(domain::DomainCommand),
    /// Make and revoke tokens of the API
    ///
    /// Whoever asks the API shows a token. The administrator's is made at the first start and may do everything; these may
    /// do less, for some domains only, and until a time, if you like.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Rotate the master key, which encrypts the callback keys in the database
    #[command(subcommand)]
    MasterKey(master_key::MasterKeyCommand),
    Send(Box<send::SendCommand>),
    Simulate(Box<simulate::SimulateCommand>),
    Diagnose(Box<diagnose::DiagnoseCommand>),
    Rebuild(rebuild::RebuildCommand),
    RepairClock(repair_clock::RepairClockCommand),
    Export(transfer::ExportCommand),
    Import(transfer::ImportCommand),
    Database(with_database::DatabaseCommand),
    /// Report how long pushes lasted, or how many there were at a time
    ///
    /// As the API counts for bills, from the database or, with --url, from a running service. The same report with the same
    /// --as-of is the same for ever.
    #[command(subcommand)]
    Report(Box<report::ReportCommand>),
    /// Print the document of the API
    ///
    /// OpenAPI, as JSON: the one that a running service has at /openapi.json, and shows at /docs.
    #[command(after_help = openapi::EXAMPLES)]
    Openapi,
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
}

/// The command line was understood by clap, but does not make sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadUsage(pub String);

/// Reads the command line; the settings file's values are its defaults. Ends the process on `--help` and bad usage.
///
/// # Errors
/// When the settings file cannot be used.
pub fn parse(arguments: Vec<OsString>) -> anyhow::Result<Cli> {
    let command = config::with_file(Cli::command(), &arguments)?;
    let matches = command.get_matches_from(arguments);
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// Runs a command to its end.
///
/// # Errors
/// Whatever keeps it from its end.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(command) => command.run().await,
        Command::Health(command) => command.run().await,
        Command::Migrate(command) => command.run().await,
        Command::Domain(command) => command.run().await,
        Command::Token(command) => command.run().await,
        Command::MasterKey(command) => command.run().await,
        Command::Send(command) => command.run().await,
        Command::Simulate(command) => command.run().await,
        Command::Diagnose(command) => command.run().await,
        Command::Rebuild(command) => command.run().await,
        Command::RepairClock(command) => command.run().await,
        Command::Export(command) => command.run().await,
        Command::Import(command) => command.run().await,
        Command::Database(command) => command.run().await,
        Command::Report(command) => command.run().await,
        Command::Openapi => openapi::print(),
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}

/// Says that nothing answers where a service is looked for. The URL may hold a password: only its origin is told.
fn unreachable_at(url: &Url) -> String {
    format!("{} cannot be reached; does the service run there? --url names another", url.origin().ascii_serialization())
}

/// A secret from standard input: its first line.
fn secret_from_stdin() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the key cannot be read from standard input")?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line.to_owned().into())
}
