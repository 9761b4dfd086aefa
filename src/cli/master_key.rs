//! `master-key`: what callback keys are encrypted with.

use clap::{Args, Subcommand};

use super::database::{Access, Installation, with_installation};
use super::output::say;
use crate::config::InstallationOptions;
use crate::platform::clock;
use crate::registry::master_keys::MasterKeys;
use crate::registry::rotation::rotate;

#[derive(Debug, Subcommand)]
pub(super) enum MasterKeyCommand {
    /// Encrypt the callback keys with another master key, which replaces the present one
    ///
    /// The next key is in the file `master-key.next` of the data folder, made unless it is there, and becomes the file
    /// `master-key`. Where STREAMTALLY_MASTER_KEY holds the key, STREAMTALLY_NEXT_MASTER_KEY holds the next one. The service
    /// may run meanwhile: each process that knows the next key uses it within 2 seconds. If the command is interrupted, run
    /// it again.
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate(RotateMasterKey),
}

const ROTATE_EXAMPLES: &str = "\
Examples:
  streamtally master-key rotate

Backups that were made before need the old key: keep a copy of it with them. docs/security.md says
what to do with several processes.";

#[derive(Debug, Args)]
pub(super) struct RotateMasterKey {
    #[command(flatten)]
    installation: InstallationOptions,
}

impl MasterKeyCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// When the database or the data folder cannot be used, or there is no next key.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let Self::Rotate(RotateMasterKey { installation }) = self;
        with_installation(&installation, Access::Change, rotate_master_key).await
    }
}

async fn rotate_master_key(on: &Installation) -> anyhow::Result<()> {
    match rotate(&on.pool, &on.master_keys, &on.actor, clock::now()).await? {
        Some(keys) => say!("Callback keys that were encrypted with the next master key: {keys}")?,
        None => say!("The callback keys were encrypted with the next master key before.")?,
    }
    match on.master_keys {
        MasterKeys::Given { .. } => {
            say!("Set STREAMTALLY_MASTER_KEY to the next key everywhere, and unset STREAMTALLY_NEXT_MASTER_KEY.")?;
        }
        MasterKeys::Files(_) => say!("It is in the file master-key now: keep a copy.")?,
    }
    Ok(say!("Restart every process of the service: until then, cursors and sign-ins rest on the old key.")?)
}
