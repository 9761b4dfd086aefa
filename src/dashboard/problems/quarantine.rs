//! Quarantined callbacks that wait for an operator: a card for each domain and reason, with the newest of them.

use maud::{Markup, html};

use super::super::error::PageError;
use super::super::view::View;
use super::super::visitor::Visitor;
use super::super::{links, words};
use super::long_text;
use super::rejections::{number_of_callbacks, when};
use crate::app::state::AppState;
use crate::model::access::Scope;
use crate::model::filter::EventFilter;
use crate::query;
use crate::query::events::MOST_GROUPED;
use crate::store::event::EventRow;
use crate::store::quarantine::QuarantineGroupRow;

/// Examples of a group.
const EXAMPLES: u16 = 5;

/// Groups with examples; the others only have their number.
const GROUPS_WITH_EXAMPLES: usize = 20;

pub struct QuarantineGroup {
    row: QuarantineGroupRow,
    /// Newest first.
    examples: Vec<EventRow>,
}

pub async fn list_groups(state: &AppState, visitor: &Visitor) -> Result<Vec<QuarantineGroup>, PageError> {
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let mut groups = Vec::new();
    for row in query::events::list_quarantine_groups(pool, principal).await? {
        let filter =
            EventFilter { domain: Some(row.domain.clone()), reason: Some(row.reason), ..EventFilter::default() };
        let examples = if groups.len() < GROUPS_WITH_EXAMPLES {
            query::events::list_events(pool, principal, true, &filter, None, EXAMPLES).await?.rows
        } else {
            Vec::new()
        };
        groups.push(QuarantineGroup { row, examples });
    }
    Ok(groups)
}

pub fn cards(visitor: &Visitor, groups: &[QuarantineGroup]) -> Markup {
    let text = visitor.view.language;
    let counted: i64 = groups.iter().map(|group| group.row.count).sum();
    html! {
        @if !groups.is_empty() {
            h2 #quarantined { (text.problems_quarantined()) }
            p.hint {
                (text.problems_quarantined_hint())
                @if counted >= MOST_GROUPED { " " (text.problems_quarantined_most(MOST_GROUPED)) }
            }
            @for group in groups { (card(visitor, group)) }
        }
    }
}

fn card(visitor: &Visitor, QuarantineGroup { row, examples }: &QuarantineGroup) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        section.card.warning {
            h3 { (text.quarantine_name(row.reason)) " · " bdi { (row.domain) } }
            p {
                strong { (number_of_callbacks(text, row.count)) } " "
                span.muted { (when(view, row.count, row.first_received_at, row.last_received_at)) }
            }
            div.advice { (long_text(text, text.quarantine_advice(row.reason))) }
            @if !examples.is_empty() {
                @if row.count > i64::from(EXAMPLES) { p.hint { (text.problems_examples_of(&words::count(EXAMPLES))) } }
                (table(view, examples, visitor.principal.may(Scope::Admin)))
            }
        }
    }
}

fn table(view: View, examples: &[EventRow], may_release: bool) -> Markup {
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr {
                th { (text.stream()) } th { (text.app()) } th { (text.event()) }
                th { (text.push_started()) } th { (text.received()) } @if may_release { th.number { (text.action()) } }
            } }
            tbody { @for row in examples { tr {
                td.name { a href=(links::session(row.session_id)) { bdi { (row.stream) } } }
                td { bdi { (row.app) } }
                td { code { bdi { (row.event) } } }
                td data-label=(text.push_started()) { (words::maybe_time(view, chrono::DateTime::from_timestamp(row.publish_timestamp, 0))) }
                td data-label=(text.received()) { (words::ago(view, row.received_at)) }
                @if may_release { td.number { a.button.small href=(links::release(row.event_id)) { (text.release()) } } }
            } } }
        } }
    }
}
