//! `man`: manual pages.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory};

use super::Cli;
use super::output::say;

/// Write manual pages, one a command
///
/// For packagers: the same texts as --help has, as man reads them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ManCommand {
    /// The folder to write them to; made if it is not there
    folder: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  streamtally man /usr/local/share/man/man1    for `man streamtally-domain-add` and so on";

impl ManCommand {
    /// Writes the pages.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let written =
            std::fs::create_dir_all(&self.folder).and_then(|()| clap_mangen::generate_to(Cli::command(), &self.folder));
        written.with_context(|| format!("manual pages cannot be written to {}", self.folder.display()))?;
        Ok(say!("manual pages are in {}", self.folder.display())?)
    }
}
