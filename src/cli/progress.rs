//! The progress bar of long commands.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar; without a length, only a count. It is drawn on standard error, and only on a terminal. Print other output
/// inside its `suspend`.
pub(super) fn bar(length: Option<u64>, of_what: &str) -> ProgressBar {
    let (template, bar) = match length {
        Some(length) => (
            format!("{{wide_bar}} {{human_pos}}/{{human_len}} {of_what}, {{per_sec}}, {{eta}} left"),
            ProgressBar::new(length),
        ),
        None => (format!("{{elapsed}} {{human_pos}} {of_what}, {{per_sec}}"), ProgressBar::new_spinner()),
    };
    bar.with_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
