//! Tables of sessions.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::request::{LivePage, Tab};
use crate::dashboard::shown_state::ShownState;
use crate::dashboard::view::View;
use crate::dashboard::{links, words};
use crate::model::session::LiveOrder;
use crate::store::session::SessionRow;

/// A table of sessions, as of a time.
#[derive(Clone, Copy)]
pub struct SessionTable<'a> {
    pub asked: &'a LivePage,
    pub rows: &'a [SessionRow],
    pub as_of: DateTime<Utc>,
    pub unconfirmed_after: TimeDelta,
}

impl SessionTable<'_> {
    /// The table. With an id, its columns can be sorted.
    pub fn table(&self, view: View, id: Option<&str>) -> Markup {
        let text = view.language;
        let has_ended = self.asked.tab != Tab::Live;
        html! {
            table.of-live[!has_ended] id=[id] hidden[self.rows.is_empty()] data-unconfirmed-after=(self.unconfirmed_after.num_seconds()) {
                thead { tr {
                    (self.heading(&text.stream(), id.map(|_| LiveOrder::Name)))
                    th { (text.domain()) }
                    th { (text.app()) }
                    (self.heading(&text.started(), id.map(|_| self.other_start_order())))
                    @if has_ended { th { (text.ended()) } }
                    th.number { (text.duration()) }
                    @if has_ended { th { (text.how_it_ended()) } }
                } }
                tbody { @for row in self.rows { (self.row(view, row)) } }
            }
        }
    }

    /// A column's heading; on the list of live sessions a link that sorts by it.
    fn heading(&self, name: &str, order: Option<LiveOrder>) -> Markup {
        let Some(order) = order.filter(|_| self.asked.tab == Tab::Live) else { return html! { th { (name) } } };
        let current = self.asked.order;
        let is_sorted = (current == LiveOrder::Name) == (order == LiveOrder::Name);
        let direction = if current == LiveOrder::NewestFirst { "descending" } else { "ascending" };
        html! { th aria-sort=[is_sorted.then_some(direction)] { a href=(self.asked.link(&[("sort", Some(order.as_str()))])) { (name) } } }
    }

    /// The order by start that a click leads to.
    fn other_start_order(&self) -> LiveOrder {
        match self.asked.order {
            LiveOrder::NewestFirst => LiveOrder::OldestFirst,
            LiveOrder::OldestFirst | LiveOrder::Name => LiveOrder::NewestFirst,
        }
    }

    /// The script makes the same rows of live sessions.
    fn row(&self, view: View, row: &SessionRow) -> Markup {
        let text = view.language;
        let has_ended = self.asked.tab != Tab::Live;
        let state = ShownState::of_session(row, self.as_of, self.unconfirmed_after);
        let shows_state = state.is_unconfirmed() || self.asked.tab == Tab::All;
        let started = html! { a href=(links::session(row.session_id)) { (words::time(view, row.started_at)) } };
        html! {
            tr data-session=(row.session_id) data-known-live=(words::machine(row.known_live_at())) class=[state.row_class()] {
                td.name {
                    a href=(links::stream(row.stream_id)) { bdi { (row.stream) } }
                    @if shows_state { " " (state.show(text)) }
                    (words::flags(view, &row.flags))
                }
                td.muted { (row.domain) }
                td.muted { (row.app) }
                td data-label=[has_ended.then(|| text.started())] { (started) }
                @if has_ended { td data-label=(text.ended()) { (words::maybe_time(view, row.ended_at)) } }
                td.number data-label=[has_ended.then(|| text.duration())] {
                    @match row.ended_at {
                        Some(ended_at) => (words::lasted(view, (ended_at - row.started_at).num_seconds())),
                        None => (words::clock(view, row.started_at)),
                    }
                }
                @if has_ended { td.muted { @if row.ended_at.is_some() { (words::end_source(text, row.ended_at_source)) } } }
            }
        }
    }
}
