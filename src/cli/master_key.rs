//! `master-key`: rotation of the key that encrypts callback keys.

use clap::{Args, Subcommand};

use super::database::{Access, CommandContext, with_installation};
use super::output::say;
use crate::config::InstallationOptions;
use crate::platform::clock;
use crate::registry::master_keys::MasterKeys;
use crate::registry::rotation::rotate;

#[derive(Debug, Subcommand)]
pub(super) enum MasterKeyCommand {
    /// Encrypt the callback keys with the next master key, which replaces the current one
    ///
    /// The next key is in the file `master-key.next` of the data folder, created if missing, and becomes the file `master-key`.
    /// If STREAMTALLY_MASTER_KEY holds the current key, set STREAMTALLY_NEXT_MASTER_KEY to the next one. The service can keep
    /// running: each process that has the next key uses it within 2 seconds. If the command is interrupted, run it again.
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate(RotateMasterKey),
}

const ROTATE_EXAMPLES: &str = "\
Examples:
  streamtally master-key rotate

Older backups need the old key: keep a copy of it with them. If several processes share the
database, see docs/security.md.";

#[derive(Debug, Args)]
pub(super) struct RotateMasterKey {
    #[command(flatten)]
    installation: InstallationOptions,
}

impl MasterKeyCommand {
    /// # Errors
    /// The database or the data folder is unusable, or there is no next key.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self::Rotate(RotateMasterKey { installation }) = self;
        with_installation(&installation, Access::Change, rotate_master_key).await
    }
}

async fn rotate_master_key(on: &CommandContext) -> anyhow::Result<()> {
    match rotate(&on.pool, &on.master_keys, &on.actor, clock::now()).await? {
        Some(keys) => say!("Callback keys encrypted with the next master key: {keys}")?,
        None => say!("The callback keys are already encrypted with the next master key.")?,
    }
    match on.master_keys {
        MasterKeys::Given { .. } => {
            say!("Set STREAMTALLY_MASTER_KEY to the next key everywhere, and unset STREAMTALLY_NEXT_MASTER_KEY.")?;
        }
        MasterKeys::Files(_) => say!("The file master-key now holds that key: keep a copy.")?,
    }
    Ok(say!("Restart every process of the service: until then, cursors and sign-ins depend on the old key.")?)
}
