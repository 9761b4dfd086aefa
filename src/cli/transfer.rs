//! `export` and `import`: the event log out of one installation, and into another.

use std::io::{BufWriter, IsTerminal, stdin, stdout};
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::time::sleep;

use super::BadUsage;
use super::database::{Access, Installation, with_installation};
use super::output::{PrintError, say};
use super::progress;
use crate::config::InstallationOptions;
use crate::event_log::transfer::{ExportError, Exported, Imported, Lines, export, import};
use crate::reconciler::fold_to_end;
use crate::store;
use crate::store::pool::{self, PoolRole};

/// How long to wait for another that folds, before looking again.
const PAUSE: Duration = Duration::from_millis(20);

const EXPORT_EXAMPLES: &str = "\
Examples:
  streamtally export >log.ndjson                       after umask 077
  streamtally export | ssh there streamtally import";

const IMPORT_EXAMPLES: &str = "\
Examples:
  streamtally import <log.ndjson
  zstd --decompress --stdout log.ndjson.zst | streamtally import";

/// Write the event log out, for another installation or for programs of your own
///
/// It goes to standard output as newline-delimited JSON: first a line that says what follows, then each entry with all that
/// the log says of it. The service may run meanwhile; what it receives from then on is not in it.
///
/// The log holds addresses, user_args and signatures: keep it as you keep the database. Domains, keys and tokens are not in
/// it, nor are sealed reports; pg_dump copies an installation whole.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub(super) struct ExportCommand {
    #[command(flatten)]
    installation: InstallationOptions,
}

impl ExportCommand {
    /// Writes the log to standard output.
    ///
    /// # Errors
    /// When there is no installation, its database cannot be used, or standard output takes no more.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        with_installation(&self.installation, Access::Read, async |on| {
            let bar = progress::bar(Some(0), "entries");
            let tell = |written, entries| {
                bar.set_length(entries);
                bar.set_position(written);
            };
            let exported = export(&on.database, BufWriter::new(stdout()), tell).await;
            bar.finish_and_clear();
            let Exported { entries, dropped } = exported.map_err(|error| match error {
                ExportError::Io(error) => PrintError::from(error).into(),
                error => anyhow::Error::from(error),
            })?;
            eprintln!("{entries} log entries exported");
            if dropped > 0 {
                eprintln!(
                    "{dropped} older ones are no longer kept, so that `import` will not take this log: pg_dump copies \
                     the sessions that began with them"
                );
            }
            Ok(())
        })
        .await
    }
}

/// Take in an event log that `export` wrote, and fold it
///
/// It is read from standard input and appended as it was recorded. An installation that has received nothing then gives
/// the same sessions, and the same reports of the same moments. What is there already is passed over: an import that broke
/// off is begun anew, and a later export continues an earlier one.
///
/// A new installation is made with as many shards as the log has. One that `migrate --shards` made may have a multiple.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLES)]
pub(super) struct ImportCommand {
    #[command(flatten)]
    installation: InstallationOptions,
}

impl ImportCommand {
    /// Imports standard input.
    ///
    /// # Errors
    /// When it is no log, does not fit the installation, or the database cannot be used.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        if stdin().is_terminal() {
            bail!(BadUsage("the log is read from standard input: import <log.ndjson".to_owned()));
        }
        let (header, lines) = Lines::open(tokio::io::stdin()).await?;
        let access = Access::Make { shards: header.shards };
        with_installation(&self.installation, access, async |on| {
            let bar = progress::bar(Some(header.entries), "entries");
            let imported = import(&on.pool, &header, lines, |read| bar.set_position(read)).await;
            bar.finish_and_clear();
            let Imported { appended, known } = imported?;
            fold(on).await?;
            Ok(say!("{appended} log entries imported and folded; {known} were here already")?)
        })
        .await
    }
}

/// Folds what was imported, so that it can be asked for at once.
async fn fold(on: &Installation) -> anyhow::Result<()> {
    let distributed = store::installation::get_installation(&on.pool).await?.is_some_and(|made| made.distributed);
    let pool = pool::open(&on.database, PoolRole::Fold, distributed);
    let heads = store::inference::get_heads(&on.pool).await?;
    let bar = progress::bar(None, "entries folded");
    // A service that runs may have some of it in hand.
    while !store::inference::is_folded_to(&on.pool, &heads).await? {
        match fold_to_end(&pool).await? {
            0 => sleep(PAUSE).await,
            entries => bar.inc(entries as u64),
        }
    }
    bar.finish_and_clear();
    pool.close().await;
    let mut connection = on.pool.acquire().await?;
    store::pool::set_no_time_limit(&mut *connection).await?;
    store::transfer::analyze_tables(&mut *connection).await?;
    Ok(())
}
