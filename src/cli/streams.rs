//! `streams`: the list of streams.

use clap::Args;

use super::listing::{Filters, List, ListOptions};
use super::table::Column;
use crate::model::filter::StreamFilter;

/// List streams: which are live, and when the others were
///
/// Every stream that was ever pushed, ordered by domain, app and name.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct StreamsCommand {
    #[command(flatten)]
    filters: Filters<StreamFilter>,
    #[command(flatten)]
    list: ListOptions,
}

const EXAMPLES: &str = "\
Examples:
  streamtally streams --search room
  streamtally streams -d push.example.com --status live -o csv";

const COLUMNS: [Column; 10] = [
    Column::status("status"),
    Column::new("domain"),
    Column::new("app"),
    Column::new("stream"),
    Column::hidden("live_sessions"),
    Column::time("live_since"),
    Column::time("last_started_at"),
    Column::time("last_ended_at"),
    Column::new("rendition_of/stream").titled("rendition of"),
    Column::id("stream_id").titled("stream id"),
];

impl StreamsCommand {
    /// # Errors
    /// The service answers with an error.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let query = self.filters.query(self.list.output.zone())?;
        let list = List { path: "/v1/streams", columns: &COLUMNS, none: "no stream matches" };
        self.list.print(&list, &query).await
    }
}
