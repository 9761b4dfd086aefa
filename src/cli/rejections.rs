//! `rejections`: lists, shows and retries kept rejections.

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::database::{Access, CommandContext, with_installation};
use super::output::{OneOutputOptions, Output, OutputOptions, Printer, print_json, say};
use super::table::{Column, escape};
use super::{moment, one_of};
use crate::config::{AdmissionOptions, InstallationOptions, MaskingOptions};
use crate::event_log::receive::Admitter;
use crate::http::kept_rejections::{KeptRejectionContentView, KeptRejectionView, RetryResultView};
use crate::huawei::advice;
use crate::model::filter::RejectionFilter;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::query;
use crate::registry::master_key::SealingKey;
use crate::registry::{Domain, domain_of, open_rejection_key};
use crate::rejection::retry::{Retries, RetryResult};
use crate::store;

#[derive(Debug, Subcommand)]
pub(super) enum RejectionsCommand {
    /// List kept rejections, newest first
    #[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
    List(ListRejections),
    /// Show a kept rejection, with credentials masked
    ///
    /// A body that is not readable as a callback cannot be masked: it is shown as it was received.
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowRejection),
    /// Admit the kept rejections of a domain with its current keys and settings
    ///
    /// Each is checked as of the time when it was received. Those that are accepted or quarantined enter the event log with
    /// their original time of receipt, each once; the others stay kept.
    #[command(after_help = RETRY_EXAMPLES)]
    Retry(RetryRejections),
}

const LIST_EXAMPLES: &str = "\
Examples:
  streamtally rejections list
  streamtally rejections list --domain push.example.com --reason signature_mismatch";

const SHOW_EXAMPLES: &str = "\
Examples:
  streamtally rejections show 0b6b7f0e-2c1c-4a0e-9d42-2f5f6c1f7a11";

const RETRY_EXAMPLES: &str = "\
Examples:
  streamtally rejections retry push.example.com --dry-run    count what would be admitted
  streamtally rejections retry push.example.com
  streamtally rejections retry push.example.com --from 2026-11-22T12:00:00Z";

/// The most kept rejections that are read at a time.
const PAGE: u16 = 500;

const COLUMNS: [Column; 5] = [
    Column::time("received_at"),
    Column::new("domain").or("none"),
    Column::new("cause"),
    Column::new("source_ip").or("unknown"),
    Column::id("rejection_id").titled("rejection id"),
];

#[derive(Debug, Args)]
pub(super) struct ListRejections {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Only those that claim this domain
    #[arg(long, short)]
    domain: Option<String>,
    #[command(flatten)]
    those: FilterOptions,
    #[command(flatten)]
    output: OutputOptions,
}

#[derive(Debug, Args)]
struct FilterOptions {
    /// Only those that were rejected for this reason
    #[arg(long, value_parser = one_of::<RejectionReason>())]
    reason: Option<RejectionReason>,
    /// Only those received at this time or later
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// Only those received before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<DateTime<Utc>>,
}

impl FilterOptions {
    fn of_domain(&self, domain: Option<String>) -> RejectionFilter {
        RejectionFilter { domain, cause: self.reason, from: self.from, to: self.to }
    }
}

#[derive(Debug, Args)]
pub(super) struct ShowRejection {
    #[command(flatten)]
    installation: InstallationOptions,
    /// ID of the kept rejection, as printed by `rejections list`
    rejection_id: Uuid,
    #[command(flatten)]
    masking: MaskingOptions,
    #[command(flatten)]
    output: OneOutputOptions,
}

#[derive(Debug, Args)]
pub(super) struct RetryRejections {
    #[command(flatten)]
    installation: InstallationOptions,
    /// The domain that they claim, exactly as the provider sends it
    domain: String,
    #[command(flatten)]
    those: FilterOptions,
    /// Count only, and admit none
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    admission: AdmissionOptions,
    #[command(flatten)]
    masking: MaskingOptions,
    #[command(flatten)]
    output: OneOutputOptions,
}

impl RejectionsCommand {
    /// # Errors
    /// The database is unusable, or a retry was interrupted.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(command) => command.run().await,
            Self::Show(command) => command.run().await,
            Self::Retry(command) => command.run().await,
        }
    }
}

impl ListRejections {
    async fn run(self) -> anyhow::Result<()> {
        let filter = self.those.of_domain(self.domain);
        with_installation(&self.installation, Access::Read, async |on| {
            let mut printer = Printer::new(self.output.format(), COLUMNS);
            let mut before = None;
            let mut is_empty = true;
            loop {
                let page = query::rejections::list_kept(&on.pool, &filter, before, PAGE).await?;
                before = page.rows.last().map(|row| (row.received_at, row.rejection_id));
                for row in page.rows {
                    is_empty = false;
                    printer.row(&serde_json::to_value(KeptRejectionView::from(row))?)?;
                }
                if !page.more {
                    break;
                }
            }
            let none = is_empty.then(|| "no such rejection is kept".to_owned());
            Ok(printer.finish(&json!({}), none.as_slice())?)
        })
        .await
    }
}

impl ShowRejection {
    async fn run(self) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Read, async |on| {
            let row = store::kept_rejection::get_kept_rejection(&on.pool, self.rejection_id).await?;
            let row = row.context("kept rejection not found; `rejections list` shows all of them")?;
            let (admitter, key) = admission(on, AdmissionOptions::from_environment()?, &self.masking).await?;
            let content = KeptRejectionContentView::new(&row, &Retries { admitter: &admitter, key: &key })?;
            let content = serde_json::to_value(content)?;
            if self.output.output == Output::Json {
                return print_json(&content);
            }
            let mut members = content.as_object().cloned().unwrap_or_default();
            let sample = members.remove("sample").and_then(|sample| sample.as_object().cloned()).unwrap_or_default();
            for (name, value) in members.into_iter().chain(sample).filter(|(_, value)| !value.is_null()) {
                let text = value.as_str().map_or(value.to_string(), escape);
                say!("{:<19}{text}", name.replace('_', " "))?;
            }
            Ok(())
        })
        .await
    }
}

impl RetryRejections {
    async fn run(self) -> anyhow::Result<()> {
        let access = if self.dry_run { Access::Read } else { Access::Change };
        let filter = self.those.of_domain(Some(self.domain.clone()));
        with_installation(&self.installation, access, async |on| {
            let (admitter, key) = admission(on, self.admission, &self.masking).await?;
            let retries = Retries { admitter: &admitter, key: &key };
            let domain = find_domain(on, &self.domain).await?;
            let result = if self.dry_run {
                retries.preview(&on.pool, &filter, |_| domain.as_ref()).await?.total()
            } else {
                let result = retries.retry(&on.pool, &on.actor, &filter, domain.as_ref(), clock::now()).await;
                result.context("some callbacks may be admitted; run the command again, it admits none twice")?
            };
            self.print(&result)
        })
        .await
    }

    fn print(&self, result: &RetryResult) -> anyhow::Result<()> {
        if self.output.output == Output::Json {
            return print_json(&RetryResultView::new(result, self.dry_run));
        }
        let would = if self.dry_run { "would be" } else { "were" };
        say!("{} {would} accepted", result.accepted)?;
        for (reason, count) in &result.quarantined {
            say!("{count} {would} quarantined: {reason}")?;
        }
        for (reason, count) in &result.rejected {
            say!("{count} stay rejected: {reason}. {}", advice::of_rejection(*reason))?;
        }
        if result.unusable > 0 {
            say!("{} stay kept: the database rejects a value in them, or they are damaged", result.unusable)?;
        }
        Ok(())
    }
}

/// Says how many kept rejections of a domain the current keys and settings would admit, and how.
///
/// # Errors
/// The database failed.
pub(super) async fn say_what_a_retry_admits(on: &CommandContext, domain: &str) -> anyhow::Result<()> {
    let (admitter, key) = admission(on, AdmissionOptions::from_environment()?, &MaskingOptions::default()).await?;
    let filter = RejectionFilter { domain: Some(domain.to_owned()), ..RejectionFilter::default() };
    let registered = find_domain(on, domain).await?;
    let retries = Retries { admitter: &admitter, key: &key };
    let result = retries.preview(&on.pool, &filter, |_| registered.as_ref()).await?.total();
    if result.admitted() > 0 {
        let callbacks = result.admitted();
        say!("Rejected callbacks that are kept and would be admitted now: {callbacks}")?;
        say!("To admit them: streamtally rejections retry {domain}")?;
    }
    Ok(())
}

async fn admission(
    on: &CommandContext,
    options: AdmissionOptions,
    masking: &MaskingOptions,
) -> anyhow::Result<(Admitter, SealingKey)> {
    let installation = store::installation::get_installation(&on.pool).await?.context("there is no installation")?;
    let key = open_rejection_key(&installation, &on.master_key).context("the key of kept rejections is damaged")?;
    let shards = installation.shards;
    Ok((Admitter::new(options.limits(), &on.master_key, &masking.mask_parameters, shards), key))
}

async fn find_domain(on: &CommandContext, domain: &str) -> anyhow::Result<Option<Domain>> {
    let row = store::domain::get_domain(&on.pool, domain).await?;
    let keys = store::signing_key::list_signing_keys(&on.pool).await?;
    Ok(row.map(|row| domain_of(row, &keys, &on.master_key)))
}
