//! `domain polls` and `domain differences`: what the provider's lists of a domain have shown.

use clap::Args;

use crate::cli::client::{Query, domains};
use crate::cli::listing::{List, ListOptions};
use crate::cli::table::Column;

pub(super) const POLLS_EXAMPLES: &str = "\
Examples:
  streamtally domain polls push.example.com
  streamtally domain polls push.example.com --limit 1 -o json";

pub(super) const DIFFERENCES_EXAMPLES: &str = "\
Examples:
  streamtally domain differences push.example.com
  streamtally domain differences push.example.com --limit all -o csv >differences.csv";

const POLL_COLUMNS: [Column; 8] = [
    Column::time("begun_at").titled("begun"),
    Column::new("outcome"),
    Column::new("listed"),
    Column::new("matched"),
    Column::new("pages"),
    Column::new("milliseconds"),
    Column::new("error_code").titled("error code"),
    Column::flag("mass_absence").titled("mass absence"),
];

const DIFFERENCE_COLUMNS: [Column; 9] = [
    Column::new("kind"),
    Column::new("app"),
    Column::new("stream"),
    Column::time("started_at"),
    Column::time("ended_at"),
    Column::flag("repaired"),
    Column::time("last_seen_at").titled("last seen"),
    Column::id("session_id").titled("session id"),
    Column::hidden("first_seen_at"),
];

#[derive(Debug, Args)]
pub(in crate::cli) struct ListOfDomain {
    /// Name of the domain, exactly as the provider sends it
    domain: String,
    #[command(flatten)]
    list: ListOptions,
}

impl ListOfDomain {
    pub(super) async fn list_polls(&self) -> anyhow::Result<()> {
        self.print("polls", &POLL_COLUMNS, "the list of this domain was not read within eight days").await
    }

    pub(super) async fn list_differences(&self) -> anyhow::Result<()> {
        self.print("provider-differences", &DIFFERENCE_COLUMNS, "no differences within eight days").await
    }

    async fn print(&self, name: &str, columns: &[Column], none: &str) -> anyhow::Result<()> {
        let path = domains::path_of(&self.domain, name);
        self.list.print(&List { path: &path, columns, none }, &Query::default()).await
    }
}
