//! How far a long command has come.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of so many of something, such as `entries`; without a length, a count alone. It is drawn on standard error, and
/// only where that is a terminal. What is printed meanwhile belongs into its `suspend`, and at the end it is cleared.
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
