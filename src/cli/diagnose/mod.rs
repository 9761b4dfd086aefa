//! `diagnose`: what becomes of a captured message, and why. Reads, and writes nothing but its answer.
//!
//! - [`basis`]: the keys and the policy that a message is held against.
//! - [`report`]: what is told, in words.

mod basis;
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
use super::output::{OneOutputOptions, Output, say};
use super::{BadUsage, secret_from_stdin};
use crate::config::{AdmissionOptions, InstallationOptions};
use crate::http::extract::MAX_BODY_BYTES;
use crate::huawei::admission::{self, Verdict};
use crate::huawei::signature::Joiner;
use crate::huawei::{advice, capture, notification};
use crate::platform::clock;

/// Tell why a captured notification is (not) accepted, and which way of signing it fits
///
/// Take a notification's body byte for byte, as it came over the wire, and ask. Nothing is written, and no secret is
/// printed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DiagnoseCommand {
    /// The captured body, byte for byte; - is standard input
    #[arg(default_value = "-", value_name = "FILE")]
    body: PathBuf,
    #[command(flatten)]
    given: GivenKeyOptions,
    /// Judge a message that came in through this secret path
    #[arg(
        long,
        env = "STREAMTALLY_CALLBACK_PATH",
        hide_env_values = true,
        value_name = "/callbacks/huawei/…",
        conflicts_with = "key"
    )]
    callback_path: Option<String>,
    /// When it was received, as an RFC 3339 time; now when left out
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
With a key that is given no database is needed; without one, what is registered counts.

Examples:
  streamtally diagnose body.json                              by what is registered
  streamtally diagnose body.json --now 2026-11-22T12:21:53Z   as it was received
  streamtally diagnose body.json --key-file key.txt           with this key alone

Exits with 0 when the message would be accepted, with 1 when it would not, with 2 on bad usage.";

#[derive(Debug, Args)]
struct GivenKeyOptions {
    /// Read the key from standard input; the body must then come from a file
    #[arg(long, group = "key")]
    key_stdin: bool,
    /// Read the key from a file, all of it but the line break at its end
    #[arg(long, group = "key", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// With a given key: what the domain has between the signed fields
    #[arg(long, default_value = "", value_parser = ["", "+"], requires = "key")]
    joiner: String,
}

impl DiagnoseCommand {
    /// Tells what is found; fails unless the message would be accepted.
    ///
    /// # Errors
    /// When something cannot be read, there is no installation to ask, or the message would not be accepted.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if self.given.key_stdin && self.reads_body_from_stdin() {
            return Err(BadUsage("--key-stdin needs the body in a FILE".to_owned()).into());
        }
        let body = self.read_body()?;
        let key = self.given.read()?;
        let (report, accepted) = self.judge(&body, key).await?;
        match self.output.output {
            Output::Json => say!("{}", serde_json::to_string_pretty(&report.to_json())?)?,
            Output::Table | Output::Csv => say!("{report}")?,
        }
        if accepted { Ok(()) } else { bail!("the message would not be accepted") }
    }

    async fn judge(&self, body: &[u8], key: Option<SecretString>) -> anyhow::Result<(Report, bool)> {
        let mut report = Report::default();
        for notice in capture::notices_of_body(body) {
            report.add_notice(&notice);
        }
        if body.len() > MAX_BODY_BYTES {
            report.add_refusal("too long", advice::TOO_LONG);
            return Ok((report, false));
        }
        let message = match notification::parse(body) {
            Ok(message) => message,
            Err(error) => {
                report.add_refusal(&error.problem.to_string(), advice::of_rejection((&error.problem).into()));
                return Ok((report, false));
            }
        };
        let basis = match key {
            Some(key) => Basis::of_given_key(key, Joiner::from_text(&self.given.joiner).unwrap_or_default()),
            None => Basis::of_installation(&self.installation, &message, self.callback_path.as_deref()).await?,
        };
        let now = self.now.unwrap_or_else(clock::now);
        let limits = self.admission.limits();
        let verdict = admission::admit(&message, basis.path, basis.policy.as_ref(), &limits, now);
        let verdict = verdict.reviewed(&message, basis.known.as_ref(), &limits, now);
        report.add_message(&message);
        report.add_basis(&message, &basis);
        report.add_signature(&message, &basis);
        report.add_expiry(&message, now);
        report.add_verdict(&verdict);
        Ok((report, matches!(verdict, Verdict::Accept(_))))
    }

    fn reads_body_from_stdin(&self) -> bool {
        self.body.as_os_str() == "-"
    }

    /// The body, or as much of it as shows that it is too long.
    fn read_body(&self) -> anyhow::Result<Vec<u8>> {
        let most = u64::try_from(MAX_BODY_BYTES)?.saturating_add(1);
        let mut body = Vec::new();
        if self.reads_body_from_stdin() {
            stdin().take(most).read_to_end(&mut body).context("the body cannot be read from standard input")?;
        } else {
            let read = File::open(&self.body).and_then(|file| file.take(most).read_to_end(&mut body));
            read.with_context(|| format!("{} cannot be read", self.body.display()))?;
        }
        Ok(body)
    }
}

impl GivenKeyOptions {
    /// The key that is given, if one is.
    fn read(&self) -> anyhow::Result<Option<SecretString>> {
        let Some(path) = &self.key_file else {
            return if self.key_stdin { secret_from_stdin().map(Some) } else { Ok(None) };
        };
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(Some(line.strip_suffix('\r').unwrap_or(line).to_owned().into()))
    }
}

/// An RFC 3339 time, whose year has four digits.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let moment = DateTime::parse_from_rfc3339(text)
        .map_err(|error| format!("{error}; write a time with its offset, such as 2026-11-22T12:21:53Z"))?;
    Ok(moment.to_utc())
}
