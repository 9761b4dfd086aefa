//! Domains that have stopped sending callbacks, and those that never sent one.

use maud::{Markup, html};

use super::super::view::View;
use super::super::visitor::Visitor;
use super::super::{links, words};
use crate::model::access::Scope;
use crate::query::inactivity::{BASELINE, FEWEST_STARTS, Silence};
use crate::store::domain::DomainRow;

pub fn silent(view: View, silent: &[Silence]) -> Markup {
    let text = view.language;
    let days = BASELINE.num_days();
    html! {
        @if !silent.is_empty() {
            h2 #silent { (text.problems_silent()) }
            p.hint { (text.problems_silent_hint(days, FEWEST_STARTS)) }
            div.scroll { table {
                thead { tr {
                    th { (text.domain()) } th.number { (text.problems_silent_for()) }
                    th { (text.problems_last_push()) } th.number { (text.problems_longest_gap(days)) }
                } }
                tbody { @for row in silent { tr {
                    td.name { a href=(links::live_of(&row.domain)) { bdi { (row.domain) } } }
                    td.number data-label=(text.problems_silent_for()) { (words::clock(view, row.last_started_at)) }
                    td data-label=(text.problems_last_push()) { (words::time(view, row.last_started_at)) }
                    td.number data-label=(text.problems_longest_gap(days)) { (words::lasted(view, row.habit_seconds)) }
                } } }
            } }
        }
    }
}

pub fn never_heard_from(visitor: &Visitor, domains: &[DomainRow]) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let admin = visitor.principal.may(Scope::Admin);
    html! {
        @if !domains.is_empty() {
            h2 #never-heard { (text.problems_never_heard()) }
            p.hint { (text.problems_never_heard_hint()) }
            div.scroll { table {
                thead { tr { th { (text.domain()) } th { (text.problems_registered()) } @if admin { th.number { (text.action()) } } } }
                tbody { @for row in domains { tr {
                    td.name { @if admin { a href=(links::domain(&row.domain)) { bdi { (row.domain) } } } @else { bdi { (row.domain) } } }
                    td data-label=(text.problems_registered()) { (words::ago(view, row.created_at)) }
                    @if admin { td.number { a.button.small href=(links::connect(&row.domain)) { (text.problems_connect()) } } }
                } } }
            } }
        }
    }
}
