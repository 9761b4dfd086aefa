//! `migrate`: the database made ready, without serving.

use anyhow::{Context, bail};
use clap::Args;

use super::database::with_installation_of;
use crate::config::InstallationOptions;
use crate::registry::installation::SHARDS;
use crate::store;

#[derive(Debug, Args)]
pub(super) struct MigrateCommand {
    #[command(flatten)]
    installation: InstallationOptions,
    /// Parts that streams are spread over, 1 to 1024: fixed when an installation is made, 16 unless said. One server needs
    /// no more; a Citus cluster spreads them over its nodes, the more evenly the more there are: 128, say
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..=1024), value_name = "SHARDS")]
    shards: Option<i16>,
}

impl MigrateCommand {
    /// Brings the schema up to date, and makes what an installation starts with.
    ///
    /// # Errors
    /// When the database cannot be used, or has another number of shards.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        with_installation_of(&self.installation, self.shards.unwrap_or(SHARDS), async |on| {
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
            println!("the database is up to date; shards: {}, {whereabouts}", made.shards);
            Ok(())
        })
        .await
    }
}
