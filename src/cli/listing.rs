//! Lists of the API as commands. A list is a path, its parameters and its columns: the flags follow from the parameters that
//! the API declares, and the output is the API's answer as a table, JSON or CSV.

use std::marker::PhantomData;

use chrono_tz::Tz;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::openapi::path::ParameterIn;

use super::BadUsage;
use super::client::options::ServiceOptions;
use super::client::{Client, Query};
use super::output::{OutputOptions, Printer};
use super::table::Column;
use super::times::{self, read_local};
use crate::config::FolderOptions;
use crate::model::filter::Filter;
use crate::model::parameter::{Parameter, Parameters};

/// A list of the API.
pub(super) struct List<'a> {
    pub(super) path: &'a str,
    pub(super) columns: &'a [Column],
    /// What a table says instead of no row.
    pub(super) none: &'a str,
}

/// For commands that ask the service.
#[derive(Debug, Args)]
pub(super) struct ConnectionOptions {
    #[command(flatten)]
    pub(super) service: ServiceOptions,
    #[command(flatten)]
    pub(super) folders: FolderOptions,
}

impl ConnectionOptions {
    /// # Errors
    /// There is no token, or it must not be sent.
    pub(super) fn connect(&self) -> anyhow::Result<Client> {
        self.service.connect(&self.folders)
    }
}

/// For commands that list something.
#[derive(Debug, Args)]
pub(super) struct ListOptions {
    /// Maximum number of rows, or all
    #[arg(long, value_name = "ROWS", default_value = "100", value_parser = limit)]
    pub(super) limit: usize,
    #[command(flatten)]
    pub(super) output: OutputOptions,
    #[command(flatten)]
    pub(super) connection: ConnectionOptions,
}

impl ListOptions {
    /// Prints a list of the API.
    ///
    /// # Errors
    /// The service answers with an error, a domain is unknown, or standard output failed.
    pub(super) async fn print(&self, list: &List<'_>, query: &Query) -> anyhow::Result<()> {
        let client = self.connection.connect()?;
        let mut printer = Printer::new(self.output.format(), list.columns.iter().copied());
        let rest = client.list(list.path, query, self.limit, |row| Ok(printer.row(row)?)).await?;
        if printer.is_empty() {
            client.reject_unknown_domain(query.get("domain")).await?;
        }
        let closing = if printer.is_empty() { Some(list.none.to_owned()) } else { self.note_more(&rest) };
        Ok(printer.finish(&rest, closing.as_slice())?)
    }

    /// What tables say if there are more rows; for JSON and CSV, standard error does.
    pub(super) fn note_more(&self, last: &Value) -> Option<String> {
        last.get("next_cursor").and_then(Value::as_str)?;
        let note = format!("only the first {}; --limit all shows all", self.limit);
        if self.output.is_table() {
            return Some(note);
        }
        eprintln!("{note}");
        None
    }
}

fn limit(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| "write a number from 1, or all".to_owned())
}

/// The filters of a list of the API as flags, such as `--min-duration-seconds`.
#[derive(Debug, Clone)]
pub(super) struct Filters<F> {
    given: Vec<(String, String)>,
    filter: PhantomData<F>,
}

impl<F: Filter + IntoParams> Filters<F> {
    /// The given filters. Times without an offset are those of the zone.
    ///
    /// # Errors
    /// A time is not valid.
    pub(super) fn query(&self, zone: Tz) -> Result<Query, BadUsage> {
        let declared = Declared::of::<F>();
        self.given.iter().try_fold(Query::default(), |query, (name, value)| {
            let is_time = declared.iter().any(|declared| declared.name == *name && declared.is_time());
            let time = is_time.then(|| read_local(&flag(name), value, zone)).transpose()?;
            Ok(query.with(name, Some(time.map_or_else(|| value.clone(), times::utc))))
        })
    }
}

/// The flag of a parameter.
fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// A parameter that the API declares.
struct Declared {
    name: String,
    /// What its value must be.
    expected: String,
    description: String,
}

impl Declared {
    fn of<F: Filter + IntoParams>() -> Vec<Self> {
        let mut recorder = Recorder(Vec::new());
        F::read(&mut recorder);
        let described = F::into_params(|| Some(ParameterIn::Query));
        let description = |name: &str| described.iter().find(|parameter| parameter.name == name)?.description.clone();
        let declare = |(name, expected): (String, String)| {
            let description = description(&name).unwrap_or_default();
            Self { description: description.replace('`', "").replace('\n', " "), name, expected }
        };
        recorder.0.into_iter().map(declare).collect()
    }

    fn words(&self) -> Option<Vec<String>> {
        Some(self.expected.strip_prefix("one of ")?.split(", ").map(str::to_owned).collect())
    }

    fn is_time(&self) -> bool {
        self.expected.starts_with("an RFC 3339 time")
    }

    fn is_switch(&self) -> bool {
        self.expected == bool::expected()
    }

    fn to_arg(&self) -> Arg {
        let arg = Arg::new(self.name.clone()).long(self.name.replace('_', "-")).action(ArgAction::Set);
        let arg = arg.help(self.description.trim_end_matches('.').to_owned());
        let arg = arg.value_name(self.name.to_uppercase());
        let arg = if self.name == "domain" { arg.short('d') } else { arg };
        let arg = match self.words() {
            Some(words) => arg.value_parser(words),
            None if self.is_time() => arg.value_name("TIME"),
            None => arg,
        };
        if self.is_switch() {
            return arg.num_args(0..=1).require_equals(true).default_missing_value("true");
        }
        arg
    }
}

/// Notes which parameters a filter reads, and what is expected of them.
struct Recorder(Vec<(String, String)>);

impl Parameters for Recorder {
    fn get<T: Parameter>(&mut self, name: &str) -> Option<T> {
        self.0.push((name.to_owned(), T::expected()));
        None
    }
}

impl<F: Filter + IntoParams> Args for Filters<F> {
    fn augment_args(command: Command) -> Command {
        Declared::of::<F>().iter().fold(command, |command, declared| command.arg(declared.to_arg()))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<F: Filter + IntoParams> FromArgMatches for Filters<F> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let value = |declared: Declared| {
            let value = matches.get_one::<String>(&declared.name)?.clone();
            Some((declared.name, value))
        };
        let given = Declared::of::<F>().into_iter().filter_map(value).collect();
        Ok(Self { given, filter: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
