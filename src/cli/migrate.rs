//! `migrate`: prepares the database without serving.

use anyhow::{Context, bail};
use clap::Args;

use super::database::{Access, with_installation};
use super::output::say;
use crate::config::InstallationOptions;
use crate::registry::installation::{MOST_SHARDS, SHARDS};
use crate::store;

/// Create an installation or update the schema of its database
///
/// `serve`, `domain add`, `token create` and `import` also create an installation. An older schema is first updated by
/// these commands, by every other command that writes, and also by `report` and `rebuild --verify`. The following fail
/// with an older schema instead: `domain list`, `domain show`, `token list`, `export`, `send`, `simulate`, `diagnose`,
/// and `repair-clock` without --yes. Run `migrate` to prepare a database before the first start, or to choose the number
/// of shards, which cannot be changed later. It is safe to run it again.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Number of shards of a new installation, 1 to 1024. Default: 16, enough for one server. A Citus cluster distributes
    /// shards over its nodes and needs more, for instance 128
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..=i64::from(MOST_SHARDS)), value_name = "SHARDS")]
    shards: Option<i16>,
}

const EXAMPLES: &str = "\
Examples:
  streamtally migrate                 the private database, or that of DATABASE_URL
  streamtally migrate --shards 128    for a Citus cluster";

impl MigrateCommand {
    /// # Errors
    /// The database is unusable, or has another number of shards.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let access = Access::Create { shards: self.shards.unwrap_or(SHARDS) };
        with_installation(&self.installation, access, async |on| {
            let made = store::installation::get_installation(&on.pool).await?.context("the installation was removed")?;
            if let Some(wanted) = self.shards.filter(|wanted| *wanted != made.shards) {
                bail!(
                    "this installation has {} shards, and that cannot be changed. Create a new installation with {wanted} \
                     in an empty database, and move the log there with `export` and `import`",
                    made.shards
                );
            }
            let location =
                if made.distributed { "distributed over a Citus cluster" } else { "on one server" };
            Ok(say!("the database is up to date; shards: {}, {location}", made.shards)?)
        })
        .await
    }
}
