//! Questions at a terminal.

use std::io::{IsTerminal, stderr, stdin};

use anyhow::{Context, bail};
use clap::Args;
use console::Term;
use secrecy::SecretString;

use super::{BadUsage, first_line};

/// For commands that cannot be undone, or that others depend on.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct YesOption {
    /// Do not ask; needed without a terminal
    #[arg(long, short)]
    yes: bool,
}

/// Asks at a terminal. Without one, only `--yes` is an answer.
///
/// # Errors
/// The answer is no, or nobody can answer.
pub(super) fn confirm(question: &str, YesOption { yes }: YesOption) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        bail!(BadUsage(format!("{question} Without a terminal, give --yes to confirm")));
    }
    let terminal = Term::stderr();
    terminal.write_str(&format!("{question} [y/N] "))?;
    let answer = terminal.read_line()?;
    if !["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        bail!("nothing was changed");
    }
    Ok(())
}

/// A secret: typed unseen at a terminal, otherwise the first line of standard input.
///
/// # Errors
/// Nothing could be read.
pub(super) fn read_secret(what: &str) -> anyhow::Result<SecretString> {
    if !stdin().is_terminal() {
        return first_line(what);
    }
    let terminal = Term::stderr();
    terminal.write_str(&format!("{what}, not shown: "))?;
    Ok(terminal.read_secure_line().with_context(|| format!("failed to read the {what}"))?.into())
}
