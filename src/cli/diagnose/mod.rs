//! `diagnose`: whether a captured callback is accepted, and why. Writes nothing.
//!
//! - [`basis`]: the keys and the policy to check against.
//! - [`report`]: the printed report.
//! - [`next_command`]: the command that repairs what was found.

mod basis;
mod next_command;
mod report;

use std::fs::File;
use std::io::{Read, stdin};
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use secrecy::SecretString;

use self::basis::Basis;
use self::report::Report;
use super::output::{OneOutputOptions, Output, print_json, say};
use super::{BadUsage, moment, one_of, secret_from_stdin};
use crate::config::{AdmissionOptions, InstallationOptions};
use crate::http::extract::MAX_BODY_BYTES;
use crate::huawei::admission::{self, Verdict};
use crate::huawei::diagnosis::capture;
use crate::huawei::{advice, notification};
use crate::model::access::FieldSeparator;
use crate::platform::clock;

/// Explain why a captured callback is or is not accepted, and how it is signed
///
/// Pass the body of the callback byte for byte, as it was received. The command writes nothing and prints no secrets.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiagnoseCommand {
    /// The captured body, byte for byte; - for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    body: PathBuf,
    #[command(flatten)]
    given: GivenKeyOptions,
    /// The secret path that the callback was sent to
    #[arg(
        long,
        env = "STREAMTALLY_CALLBACK_PATH",
        hide_env_values = true,
        value_name = "/callbacks/huawei/…",
        conflicts_with = "key"
    )]
    callback_path: Option<String>,
    /// Time of receipt, as an RFC 3339 time. Default: now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<DateTime<Utc>>,
    #[command(flatten)]
    admission: AdmissionOptions,
    #[command(flatten)]
    output: OneOutputOptions,
    #[command(flatten)]
    installation: InstallationOptions,
}

const EXAMPLES: &str = "\
With a given key, no database is needed. Without one, the callback is checked against the registered
domain in the database.

Examples:
  streamtally diagnose body.json                              with the registered domain
  streamtally diagnose body.json --now 2026-11-22T12:21:53Z   at the time of receipt
  streamtally diagnose body.json --key-file key.txt           with this key only

Exit status: 0 if the callback would be accepted, 1 if not, 2 on bad usage.";

#[derive(Debug, Args)]
struct GivenKeyOptions {
    /// Read the key from standard input; the body must then come from a file
    #[arg(long, group = "key")]
    key_stdin: bool,
    /// Read the key from a file; a line break at the end is ignored
    #[arg(long, group = "key", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// With a given key: the separator (joiner) of the signed fields
    #[arg(long, default_value = "", value_parser = one_of::<FieldSeparator>(), requires = "key")]
    joiner: FieldSeparator,
}

impl DiagnoseCommand {
    /// # Errors
    /// Reading failed, there is no installation, or the callback would not be accepted.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.given.key_stdin && self.reads_body_from_stdin() {
            return Err(BadUsage("--key-stdin needs the body in a FILE".to_owned()).into());
        }
        let body = self.read_body()?;
        let key = self.given.read()?;
        let (report, accepted) = self.judge(&body, key).await?;
        match self.output.output {
            Output::Json => print_json(&report.to_json())?,
            Output::Table | Output::Csv => say!("{report}")?,
        }
        if accepted { Ok(()) } else { bail!("the callback would not be accepted") }
    }

    async fn judge(&self, body: &[u8], key: Option<SecretString>) -> anyhow::Result<(Report, bool)> {
        let mut report = Report::default();
        for notice in capture::notices_of_body(body) {
            report.add_notice(&notice);
        }
        if body.len() > MAX_BODY_BYTES {
            report.add_rejection("too long", advice::TOO_LONG);
            return Ok((report, false));
        }
        let message = match notification::parse(body) {
            Ok(message) => message,
            Err(error) => {
                report.add_rejection(&error.problem.to_string(), advice::of_rejection((&error.problem).into()));
                return Ok((report, false));
            }
        };
        let basis = match key {
            Some(key) => Basis::of_given_key(key, self.given.joiner),
            None => Basis::of_installation(&self.installation, &message, self.callback_path.as_deref()).await?,
        };
        let now = self.now.unwrap_or_else(clock::now);
        let limits = self.admission.limits();
        let verdict = admission::admit(&message, basis.path, basis.policy.as_ref(), &limits, now);
        let verdict = verdict.reviewed(&message, basis.known.as_ref(), &limits, now);
        report.add_message(&message);
        report.add_basis(&message, &basis);
        let fits = report.add_signature(&message, &basis);
        report.add_expiry(&message, now);
        report.add_verdict(&verdict);
        report.add_advice(&verdict, fits, &message, &basis);
        Ok((report, matches!(verdict, Verdict::Accept(_))))
    }

    fn reads_body_from_stdin(&self) -> bool {
        self.body.as_os_str() == "-"
    }

    /// Reads one byte more than the limit, so that a body that is too long is detected.
    fn read_body(&self) -> anyhow::Result<Vec<u8>> {
        let most = u64::try_from(MAX_BODY_BYTES)?.saturating_add(1);
        let mut body = Vec::new();
        if self.reads_body_from_stdin() {
            stdin().take(most).read_to_end(&mut body).context("failed to read the body from standard input")?;
        } else {
            let read = File::open(&self.body).and_then(|file| file.take(most).read_to_end(&mut body));
            read.with_context(|| format!("failed to read {}", self.body.display()))?;
        }
        Ok(body)
    }
}

impl GivenKeyOptions {
    fn read(&self) -> anyhow::Result<Option<SecretString>> {
        let Some(path) = &self.key_file else {
            return if self.key_stdin { secret_from_stdin().map(Some) } else { Ok(None) };
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Some(line.strip_suffix('\r').unwrap_or(line).to_owned().into()))
    }
}
