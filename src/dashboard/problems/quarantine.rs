//! Quarantined callbacks that wait for an operator: a card for each domain and reason, with the newest of them.

use chrono::TimeDelta;
use maud::{Markup, html};

use super::super::view::View;
use super::super::visitor::Visitor;
use super::super::{links, words};
use super::long_text;
use super::rejections::{number_of_callbacks, when};
use crate::model::access::Scope;
use crate::query::events::{MAX_QUARANTINED, QuarantineGroup};
use crate::store::quarantine::QuarantinedRow;
use crate::store::release::ReleaseSelection;

/// How many callbacks of a group are listed.
const EXAMPLES: usize = 5;

pub fn cards(visitor: &Visitor, groups: &[QuarantineGroup]) -> Markup {
    let text = visitor.view.language;
    let counted: usize = groups.iter().map(Vec::len).sum();
    html! {
        @if !groups.is_empty() {
            h2 #quarantined { (text.problems_quarantined()) }
            p.hint {
                (text.problems_quarantined_hint())
                @if counted >= usize::from(MAX_QUARANTINED) { " " (text.problems_quarantined_most(MAX_QUARANTINED)) }
            }
            @for group in groups { (card(visitor, group)) }
        }
    }
}

fn card(visitor: &Visitor, group: &QuarantineGroup) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let count = i64::try_from(group.len()).unwrap_or(i64::MAX);
    let Some((newest, oldest)) = group.first().zip(group.last()) else { return html! {} };
    let may_release = visitor.principal.may(Scope::Admin);
    html! {
        section.card.warning {
            h3 { (text.quarantine_name(newest.reason)) " · " bdi { (newest.domain) } }
            p {
                strong { (number_of_callbacks(text, count)) } " "
                span.muted { (when(view, group.len() == 1, oldest.received_at, newest.received_at)) }
            }
            div.advice { (long_text(text, text.quarantine_advice(newest.reason))) }
            @if group.len() > EXAMPLES { p.hint { (text.problems_examples_of(&words::count(EXAMPLES))) } }
            (table(view, group.iter().take(EXAMPLES), may_release))
            @if may_release && group.len() > 1 {
                div.actions {
                    a.button href=(links::release_all(&selection_of(group, newest))) {
                        (text.problems_release_these(&words::count(group.len())))
                    }
                }
            }
        }
    }
}

/// The callbacks of a group: those of its domain and reason that were received in the period of the group.
fn selection_of(group: &QuarantineGroup, newest: &QuarantinedRow) -> ReleaseSelection {
    let received = || group.iter().map(|row| row.received_at);
    let last = received().max().unwrap_or(newest.received_at);
    ReleaseSelection {
        domain: newest.domain.clone(),
        reason: newest.reason,
        from: received().min().unwrap_or(newest.received_at),
        // Times have microseconds.
        to: last + TimeDelta::microseconds(1),
    }
}

fn table<'a>(view: View, examples: impl Iterator<Item = &'a QuarantinedRow>, may_release: bool) -> Markup {
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
