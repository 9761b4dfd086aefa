//! What can still change a report: estimated and open hours, and quarantined callbacks.

use maud::{Markup, html};

use super::super::error::PageError;
use super::super::visitor::Visitor;
use super::super::{links, words};
use super::{ReportAt, naming};
use crate::access::Principal;
use crate::app::state::AppState;
use crate::model::access::Scope;
use crate::model::report::Certainty;
use crate::query;
use crate::query::events::MAX_QUARANTINED;
use crate::report::sweep::WindowTotals;
use crate::store::quarantine::QuarantinedRow;

pub struct Unsettled {
    estimated_seconds: i64,
    open_seconds: i64,
    quarantined: usize,
    /// There can be more: older ones were not read.
    more_quarantined: bool,
}

impl Unsettled {
    pub fn is_empty(&self) -> bool {
        self.estimated_seconds == 0 && self.open_seconds == 0 && self.quarantined == 0
    }
}

pub async fn find(
    state: &AppState,
    principal: &Principal,
    report: &ReportAt,
    totals: &WindowTotals,
) -> Result<Unsettled, PageError> {
    let selection = &report.selection;
    let quarantined = query::events::list_quarantined(&state.query_pool, principal).await?;
    let more_quarantined = quarantined.len() >= usize::from(MAX_QUARANTINED);
    let is_of = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
    // Released, it could start or end a push that was live in the period.
    let may_count = |row: &QuarantinedRow| {
        is_of(&selection.domain, &row.domain)
            && is_of(&selection.app, &row.app)
            && is_of(&selection.stream, &row.stream)
            && row.publish_timestamp < selection.to.timestamp()
            && row.received_at >= selection.from
    };
    Ok(Unsettled {
        estimated_seconds: totals.estimated_seconds,
        open_seconds: totals.open_seconds,
        quarantined: quarantined.iter().filter(|row| may_count(row)).count(),
        more_quarantined,
    })
}

/// A warning on the report's page.
pub fn card(visitor: &Visitor, report: &ReportAt, unsettled: &Unsettled) -> Markup {
    let text = visitor.view.language;
    html! {
        @if !unsettled.is_empty() {
            div.card.warning {
                h3 { (text.reports_unsettled(&naming::period(text, report.period()))) }
                (list(visitor, report, unsettled))
            }
        }
    }
}

/// What is unsettled, each with a link to where it is settled.
pub fn list(visitor: &Visitor, report: &ReportAt, unsettled: &Unsettled) -> Markup {
    let text = visitor.view.language;
    let hours = |seconds| html! { strong { (words::hours(seconds)) } };
    let count = words::count(unsettled.quarantined as u64);
    let count = if unsettled.more_quarantined { text.reports_more_than(&count) } else { count };
    html! {
        ul.unsettled {
            @if unsettled.estimated_seconds > 0 { li {
                span.swatch.estimated {} " "
                (words::fill(&text.reports_unsettled_estimated(), &[hours(unsettled.estimated_seconds)])) " "
                a href=(report.sessions(Some(Certainty::Estimated))) { (text.reports_see_estimated()) }
            } }
            @if unsettled.open_seconds > 0 { li {
                span.swatch.open {} " "
                (words::fill(&text.reports_unsettled_open(), &[hours(unsettled.open_seconds)])) " "
                a href=(report.sessions(Some(Certainty::Open))) { (text.reports_see_open()) }
            } }
            @if unsettled.quarantined > 0 { li {
                (text.reports_unsettled_quarantined(&count)) " "
                @if visitor.principal.may(Scope::Read) {
                    a href=(links::problems()) { (text.reports_see_quarantined()) }
                }
            } }
        }
    }
}
