//! The list of sealed reports.

use maud::{Markup, html};
use serde_json::Value;

use super::super::view::View;
use super::super::{links, words};
use super::{ReportAt, naming};
use crate::access::Principal;
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::reports::sealed::query_of;
use crate::model::report::SealedReportStatus;
use crate::query::Rows;
use crate::store;
use crate::store::sealed_report::SealedReportRow;

const MAX_SEALED_REPORTS: u16 = 50;

/// A sealed report, and what it reports.
pub struct Sealed {
    pub row: SealedReportRow,
    pub report: ReportAt,
}

impl Sealed {
    pub fn of(row: SealedReportRow) -> Result<Self, ApiError> {
        let report = ReportAt::new(query_of(&row)?, row.as_of);
        Ok(Self { row, report })
    }

    /// A member of its totals; `None` until it is sealed.
    pub fn total(&self, member: &str) -> Option<i64> {
        self.row.totals.as_ref()?.get(member).and_then(Value::as_i64)
    }

    pub fn csv(&self) -> String {
        format!("/v1/sealed-reports/{}?format=csv", self.row.sealed_report_id)
    }

    pub fn workbook(&self) -> String {
        format!("{}/file", self.difference())
    }

    /// The page of what changed since.
    pub fn difference(&self) -> String {
        links::page(format_args!("reports/sealed/{}", self.row.sealed_report_id))
    }
}

/// The newest sealed reports that the visitor may see.
pub async fn list(state: &AppState, principal: &Principal) -> Result<Rows<Sealed>, ApiError> {
    let limit = i64::from(MAX_SEALED_REPORTS) + 1;
    let visible = principal.visible_domains();
    let rows = store::sealed_report::list_sealed_reports(&state.work_pool, visible, None, limit).await?;
    let Rows { rows, more } = Rows::of(rows, MAX_SEALED_REPORTS);
    Ok(Rows { rows: rows.into_iter().map(Sealed::of).collect::<Result<_, _>>()?, more })
}

pub fn section(view: View, sealed: &Rows<Sealed>) -> Markup {
    let text = view.language;
    html! {
        section.sealed {
            h2 #sealed { (text.reports_sealed()) }
            @if sealed.rows.is_empty() {
                p.hint { (text.reports_none_sealed()) }
            } @else {
                @if sealed.more { p.hint { (text.reports_newest_sealed(&words::count(MAX_SEALED_REPORTS))) } }
                (table(view, &sealed.rows))
            }
        }
    }
}

pub fn table(view: View, sealed: &[Sealed]) -> Markup {
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr {
                th { (text.reports_period()) } th { (text.time_zone()) } th { (text.reports_grouping()) }
                th.number { (text.reports_push_hours()) } th { (text.reports_sealed_at()) } th { (text.by()) }
                th { (text.reports_sha256()) } th { (text.reports_files()) }
            } }
            tbody { @for sealed in sealed { tr {
                @let Sealed { row, report } = sealed;
                td.name { (naming::period(text, report.period())) }
                td { (report.layout.time_zone.name()) }
                td { (naming::layout(text, &report.selection, report.layout)) }
                td.number data-label=(text.reports_push_hours()) { @if let Some(seconds) = sealed.total("push_seconds") { (words::hours(seconds)) } }
                td { (words::time(view, row.sealed_at)) }
                td data-label=(text.by()) { bdi { (row.actor) } }
                td { (status(view, row)) }
                td.links { @if row.status == SealedReportStatus::Sealed {
                    a href=(sealed.workbook()) { (text.file_excel()) } " · "
                    a href=(sealed.csv()) { "CSV" } " · "
                    a href=(sealed.difference()) { (text.reports_what_changed()) }
                } }
            } } }
        } }
    }
}

/// The hash of a sealed report, otherwise its status.
fn status(view: View, row: &SealedReportRow) -> Markup {
    let sha256 = row.sha256.as_ref().map(hex::encode).unwrap_or_default();
    match row.status {
        SealedReportStatus::Sealing => html! { (view.language.reports_sealing()) },
        SealedReportStatus::Sealed => {
            html! { code data-copy=(sha256) title=(sha256) { (sha256.get(..12).unwrap_or_default()) "…" } }
        }
        SealedReportStatus::Failed => html! { span.wrong { (view.language.reports_seal_failed()) } },
    }
}
