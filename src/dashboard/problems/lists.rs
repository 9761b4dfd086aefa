//! The provider's lists: domains whose list cannot be read, or whose sessions have disappeared from it, and differences.

use maud::{Markup, html};

use super::super::provider_lists::{Shown, last_reading, link};
use super::super::visitor::Visitor;
use super::super::{links, words};
use crate::model::access::Scope;
use crate::query::provider_lists::{COMPLETE_WITHIN, DIFFERENCES_PERIOD, ListProblems};
use crate::store::poll_summary::{DifferenceCountRow, PolledDomainRow};

pub fn cards(visitor: &Visitor, problems: &ListProblems) -> Markup {
    let text = visitor.view.language;
    let ListProblems { unread, mass_absences, .. } = problems;
    html! {
        @if !unread.is_empty() || !mass_absences.is_empty() {
            h2 #lists { (text.problems_lists()) }
            div.cards {
                @for row in unread { (unread_card(visitor, row)) }
                @for row in mass_absences {
                    section.card.warning {
                        h3 { (text.problems_mass_absence()) " · " bdi { (row.domain) } }
                        p { (text.lists_mass_absence()) }
                        p.hint { (text.problems_mass_absence_hint()) }
                        div.actions { a.button href=(link(&row.domain, Shown::Readings, None)) { (text.lists_readings()) } }
                    }
                }
            }
        }
    }
}

fn unread_card(visitor: &Visitor, row: &PolledDomainRow) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        section.card.error {
            h3 { (text.problems_lists_unread()) " · " bdi { (row.domain) } }
            dl.facts {
                dt { (text.lists_complete()) } dd { (words::maybe_ago(view, row.complete_at)) }
                dt { (text.lists_last()) } dd { (last_reading(view, row)) }
            }
            p.hint { (text.problems_lists_unread_hint(COMPLETE_WITHIN.num_minutes())) }
            div.actions {
                a.button href=(link(&row.domain, Shown::Readings, None)) { (text.lists_readings()) }
                @if visitor.principal.may(Scope::Admin) { a.button href=(links::domain(&row.domain)) { (text.problems_lists_settings()) } }
            }
        }
    }
}

/// How many differences of the last day are open, by domain.
pub fn differences(visitor: &Visitor, problems: &ListProblems) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        @if !problems.differences.is_empty() {
            h2 #differences { (text.problems_differences()) }
            p.hint { (text.problems_differences_hint(DIFFERENCES_PERIOD.num_hours())) }
            div.scroll { table {
                thead { tr { th { (text.domain()) } th.number { (text.lists_differences()) } th { (text.lists_last_seen()) } } }
                tbody { @for DifferenceCountRow { domain, count, last_seen_at } in &problems.differences { tr {
                    td.name { a href=(links::provider_lists(domain)) { bdi { (domain) } } }
                    td.number data-label=(text.lists_differences()) { (words::count(*count)) }
                    td.when data-label=(text.lists_last_seen()) { (words::ago(view, *last_seen_at)) }
                } } }
            } }
        }
    }
}
