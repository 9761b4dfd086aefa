//! The command line: one file a command.

mod database;
mod diagnose;
mod domain;
mod migrate;
mod openapi;
mod progress;
mod rebuild;
mod report;
mod send;
mod serve;
mod simulate;
mod token;
mod transfer;

use std::ffi::OsString;
use std::io::Read;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use secrecy::SecretString;

use crate::config;

/// Keeps every live push that Huawei Cloud Live reports, and answers what is live and for how long.
///
/// Settings come from flags, then environment variables, then the file that --config names.
#[derive(Debug, Parser)]
#[command(version, after_help = SECRETS)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const SECRETS: &str = "\
Secrets are read from the environment, or else from files of the data folder, where they are made at first start:
  STREAMTALLY_ADMIN_TOKEN  the administrator's API token, at least 32 characters      (file: admin-token)
  STREAMTALLY_MASTER_KEY   encrypts callback keys at rest: 32 bytes in base64        (file: master-key)";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service
    Serve(Box<serve::ServeCommand>),
    /// Bring the database's schema up to date, and make what an installation starts with
    Migrate(migrate::MigrateCommand),
    /// Register ingest domains, their keys and secret paths
    #[command(subcommand)]
    Domain(domain::DomainCommand),
    /// Make and revoke tokens of the API
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Sign and send one notification, as the provider would
    Send(Box<send::SendCommand>),
    /// Send made-up pushes that go as real ones do, to see what a service can take
    Simulate(Box<simulate::SimulateCommand>),
    /// Tell why a captured notification is (not) accepted, and which way of signing it fits
    Diagnose(Box<diagnose::DiagnoseCommand>),
    /// Make all sessions anew from the event log, or compare them with it; the service may run meanwhile
    Rebuild(rebuild::RebuildCommand),
    /// Write the event log out, for another installation or for programs of your own
    Export(transfer::ExportCommand),
    /// Take in an event log that `export` wrote, and fold it
    Import(transfer::ImportCommand),
    /// Report how long pushes lasted, or how many there were at a time
    #[command(subcommand)]
    Report(Box<report::ReportCommand>),
    /// Print the document of the API
    Openapi,
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
        Command::Migrate(command) => command.run().await,
        Command::Domain(command) => command.run().await,
        Command::Token(command) => command.run().await,
        Command::Send(command) => command.run().await,
        Command::Simulate(command) => command.run().await,
        Command::Diagnose(command) => command.run().await,
        Command::Rebuild(command) => command.run().await,
        Command::Export(command) => command.run().await,
        Command::Import(command) => command.run().await,
        Command::Report(command) => command.run().await,
        Command::Openapi => openapi::print(),
    }
}

/// A secret from standard input: its first line.
fn secret_from_stdin() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("the key cannot be read from standard input")?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line.to_owned().into())
}
