//! `completions`: shell completions.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Cli;
use super::output::say;

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionsCommand {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  streamtally completions bash >/etc/bash_completion.d/streamtally
  streamtally completions zsh >/usr/local/share/zsh/site-functions/_streamtally
  streamtally completions fish >~/.config/fish/completions/streamtally.fish

Then restart the shell.";

impl CompletionsCommand {
    /// # Errors
    /// Standard output failed.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let mut command = Cli::command();
        let (name, mut script) = (command.get_name().to_owned(), Vec::new());
        generate(self.shell, &mut command, name, &mut script);
        Ok(say!("{}", String::from_utf8(script)?.trim_end())?)
    }
}
