//! The command line: one file per command.
#![warn(clippy::print_stdout, reason = "output::say ends a command quietly on a broken pipe")]
#![allow(clippy::doc_markdown, reason = "--help shows the comments verbatim")]

mod client;
mod completions;
mod database;
mod diagnose;
mod domain;
mod events;
mod health;
mod listing;
mod live;
mod login;
mod man;
mod master_key;
mod migrate;
mod openapi;
mod output;
mod problems;
mod progress;
mod prompt;
mod provider;
mod rebuild;
mod rejections;
mod repair_clock;
mod report;
mod reports;
mod send;
mod sender;
mod serve;
mod sessions;
mod simulate;
mod streams;
mod suggestion;
mod table;
mod times;
mod token;
mod transfer;
mod webhook;
mod with_database;

use std::ffi::OsString;
use std::io::Read;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use console::Style;
use secrecy::SecretString;

use crate::config;
use crate::model::ClosedSet;

pub use client::problem::ServiceError;
pub use output::PrintError;
pub use with_database::ProgramFailed;

/// The exit code of a program that SIGPIPE (13) ended, which scripts recognize.
const NOBODY_READS: u8 = 128 + 13;

/// Record every live push that Huawei Cloud Live reports, and show what is live and for how long
///
/// Huawei Cloud Live reports the start and the end of a push with signed callbacks. `serve` authenticates the callbacks,
/// stores them in an event log in PostgreSQL, folds the log into sessions, and serves a REST API and a dashboard. `live`,
/// `streams`, `sessions`, `session`, `events`, `problems` and `reports` ask a running service, on this machine or the one of
/// `login`; so do `send`, `simulate` and `health`. The other commands administer an installation, whether the service runs or
/// not.
///
/// A flag overrides its environment variable, which overrides the settings file (--config).
#[derive(Debug, Parser)]
#[command(version, after_help = MORE)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const MORE: &str = "\
Examples:
  streamtally serve                          run the service on http://127.0.0.1:8080
  streamtally serve --demo                   try it out with simulated streams
  streamtally domain add push.example.com    register a domain; prints what to set at the provider
  streamtally live --watch                   see what is live, until Ctrl-C

Exit status: 0 on success, 1 on failure, 2 on bad usage, 141 on a broken pipe; `database` returns
that of its program.

Secrets come from the environment, otherwise from files in the data folder. The first start creates
the administrator's token and the master key if they are missing:
  STREAMTALLY_ADMIN_TOKEN      (admin-token)      administrator's token, at least 32 characters
  STREAMTALLY_MASTER_KEY       (master-key)       encrypts callback keys at rest: 32 bytes in base64
  STREAMTALLY_NEXT_MASTER_KEY  (master-key.next)  the next master key, during a rotation

Documentation: docs/cli.md in the sources, /usr/share/doc/streamtally/docs in the Debian package.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::ServeCommand>),
    Live(Box<live::LiveCommand>),
    Streams(Box<streams::StreamsCommand>),
    Sessions(Box<sessions::SessionsCommand>),
    /// Show a session, set its end, or confirm that it is live
    #[command(subcommand)]
    Session(Box<sessions::SessionCommand>),
    Events(Box<events::EventsCommand>),
    Problems(problems::ProblemsCommand),
    /// Report push duration or concurrency
    ///
    /// Counts in the same way as the API: from the service that --url, STREAMTALLY_URL or `login` names, otherwise from the
    /// database. The same report with the same --as-of always gives the same result.
    #[command(subcommand)]
    Report(Box<report::ReportCommand>),
    /// Seal reports, list sealed ones, and compare them with today's log
    #[command(subcommand)]
    Reports(Box<reports::ReportsCommand>),
    Login(login::LoginCommand),
    Logout(login::LogoutCommand),
    Health(health::HealthCommand),
    Migrate(migrate::MigrateCommand),
    /// Register ingest domains, their keys and secret paths
    ///
    /// Callbacks are accepted only for registered domains. Each change takes effect in every process within 2 seconds. The
    /// audit log (`/v1/audit`) records it with the account that made it.
    #[command(subcommand)]
    Domain(domain::DomainCommand),
    /// Create and revoke tokens
    ///
    /// Every API request needs a token. The first start creates the administrator's token, which may do everything. Other
    /// tokens can be limited to scopes and domains, and can expire.
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Send events to other systems, and relay callbacks to further receivers
    #[command(subcommand)]
    Webhook(Box<webhook::WebhookCommand>),
    /// Add provider accounts, and check what is set at the provider
    ///
    /// With an account, the service reads the provider's own lists of streams: see --poll-mode of `domain set`.
    #[command(subcommand)]
    Provider(Box<provider::ProviderCommand>),
    /// List, show and retry rejected callbacks
    ///
    /// Rejected callbacks are kept for some days, so that those of the provider can be admitted when the cause is fixed: a
    /// missing key, an unregistered domain, an app that was not allowed.
    #[command(subcommand)]
    Rejections(rejections::RejectionsCommand),
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
    /// Print the API document
    ///
    /// OpenAPI as JSON. A running service has the same document at /openapi.json and shows it at /docs.
    #[command(after_help = openapi::EXAMPLES)]
    Openapi,
    Completions(completions::CompletionsCommand),
    Man(man::ManCommand),
}

/// clap parsed the command line, but it is invalid.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadUsage(pub String);

/// Parses the command line; the values of the settings file are its defaults. Exits on `--help` and bad usage.
///
/// # Errors
/// The settings file is invalid, or an environment variable is in quotes.
pub fn parse(arguments: Vec<OsString>) -> anyhow::Result<Cli> {
    config::reject_quotes(std::env::vars_os())?;
    let command = config::with_file(Cli::command(), &arguments)?;
    let matches = command.get_matches_from(arguments);
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// # Errors
/// The command failed.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Serve(command) => command.run().await,
        Command::Live(command) => command.run().await,
        Command::Streams(command) => command.run().await,
        Command::Sessions(command) => command.run().await,
        Command::Session(command) => command.run().await,
        Command::Problems(command) => command.run().await,
        Command::Reports(command) => command.run().await,
        Command::Login(command) => command.run().await,
        Command::Logout(command) => command.run(),
        Command::Health(command) => command.run().await,
        Command::Migrate(command) => command.run().await,
        Command::Domain(command) => command.run().await,
        Command::Token(command) => command.run().await,
        Command::Webhook(command) => command.run().await,
        Command::Provider(command) => command.run().await,
        Command::Rejections(command) => command.run().await,
        Command::Events(command) => command.run().await,
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

/// The exit code of a failed command.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if matches!(error.downcast_ref(), Some(PrintError::BrokenPipe)) {
        return NOBODY_READS;
    }
    if let Some(failed) = error.downcast_ref::<ProgramFailed>() {
        return failed.exit_code();
    }
    // Bad usage has its own exit code, that of clap.
    let is_bad_usage = error.is::<BadUsage>() || error.downcast_ref().is_some_and(ServiceError::is_bad_usage);
    if is_bad_usage { 2 } else { 1 }
}

/// The error and its causes in one voice with clap's, except causes that the text already contains, and numbers of system
/// errors. `None` for a broken pipe, which is not an error to report.
#[must_use]
pub fn describe(error: &anyhow::Error) -> Option<String> {
    if matches!(error.downcast_ref(), Some(PrintError::BrokenPipe)) {
        return None;
    }
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    let label = Style::new().for_stderr().red().bold().apply_to("error:");
    Some(format!("{label} {}", without_numbers(&told)))
}

/// Removes the numbers that the standard library adds to system errors, such as `(os error 111)`.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(" (os error ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| {
        told + part.trim_start_matches(|digit: char| digit.is_ascii_digit()).trim_start_matches(')')
    })
}

/// An RFC 3339 time, whose year has four digits.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let moment = DateTime::parse_from_rfc3339(text)
        .map_err(|error| format!("{error}; write a time with its offset, such as 2026-11-22T12:21:53Z"))?;
    Ok(moment.to_utc())
}

/// Accepts the words of a closed set.
fn one_of<T: ClosedSet>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::ALL.iter().map(|variant| variant.as_str())).try_map(|word| word.parse::<T>())
}

/// A key: the first line of standard input.
fn secret_from_stdin() -> anyhow::Result<SecretString> {
    first_line("key")
}

/// The first line of standard input.
fn first_line(what: &str) -> anyhow::Result<SecretString> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .with_context(|| format!("failed to read the {what} from standard input"))?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line.to_owned().into())
}
