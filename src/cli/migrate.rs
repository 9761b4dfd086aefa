//! `migrate`: the database made ready, without serving.

use anyhow::{Context, bail};
use clap::Args;

use super::database::{Access, with_installation};
use super::output::say;
use crate::config::InstallationOptions;
use crate::registry::installation::{MOST_SHARDS, SHARDS};
use crate::store;

/// Bring the database's schema up to date, and make what an installation starts with
///
/// `serve` and all commands that write do so by themselves. Run it to make a database ready before the service is started, or
/// to choose the number of shards, which cannot be changed later. Run again, it changes nothing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct MigrateCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Parts that streams are spread over, 1 to 1024: fixed when an installation is made, 16 unless said. One server needs
    /// no more; a Citus cluster spreads them over its nodes, the more evenly the more there are: 128, say
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..=i64::from(MOST_SHARDS)), value_name = "SHARDS")]
    shards: Option<i16>,
}

const EXAMPLES: &str = "\
Examples:
  streamtally migrate                 the private database, or the one that DATABASE_URL names
  streamtally migrate --shards 128    for a Citus cluster";

impl MigrateCommand {
    /// Brings the schema up to date, and makes what an installation starts with.
    ///
    /// # Errors
    /// When the database cannot be used, or has another number of shards.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let access = Access::Make { shards: self.shards.unwrap_or(SHARDS) };
        with_installation(&self.installation, access, async |on| {
            let made = store::installation::get_installation(&on.pool).await?.context("the installation is gone")?;
            if let Some(wanted) = self.shards.filter(|wanted| *wanted != made.shards) {
                bail!(
                    "this installation was made with {} shards, for good: every stream has its place among them. Only a \
                     new one, in an empty database, can have {wanted}; `export` and `import` take the log there",
                    made.shards
                );
            }
            let whereabouts =
                if made.distributed { "spread over the nodes of a Citus cluster" } else { "on one server" };
            Ok(say!("the database is up to date; shards: {}, {whereabouts}", made.shards)?)
        })
        .await
    }
}
