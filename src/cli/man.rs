//! `man`: manual pages.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::Cli;
use super::output::say;

/// Write manual pages, one per command
///
/// For packagers: the same texts as --help, in the format of man.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManCommand {
    /// Folder for the pages; created if missing
    folder: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  streamtally man /usr/local/share/man/man1    for `man streamtally-domain-add` and so on";

impl ManCommand {
    /// # Errors
    /// Writing failed.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let written =
            std::fs::create_dir_all(&self.folder).and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder));
        written.with_context(|| format!("failed to write manual pages to {}", self.folder.display()))?;
        Ok(say!("manual pages are in {}", self.folder.display())?)
    }
}
