//! Closes a period: seals its report, once the period is over and somebody has confirmed what is sealed.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use chrono::TimeDelta;
use maud::{Markup, html};
use serde_json::Value;
use uuid::Uuid;

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, BillingForm};
use super::super::layout::{self, NavItem};
use super::super::view::View;
use super::super::visitor::{BillingVisitor, Visitor};
use super::super::{ROOT, links, words};
use super::sealed_list::{self, Sealed};
use super::unsettled::{self, Unsettled};
use super::{ReportAt, naming, restrict};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::reports::push_duration::PushDurationQuery;
use crate::http::reports::{self, sealed};
use crate::model::report::SealedReportStatus;
use crate::report::sweep::WindowTotals;
use crate::store;

/// How long late callbacks commonly arrive after the end of a period.
const SETTLING_TIME: TimeDelta = TimeDelta::days(1);

const CONFIRMED: &str = "confirmed";

#[get("/reports/close")]
pub async fn show_closing(
    visitor: BillingVisitor,
    state: Data<AppState>,
    query: Result<Query<PushDurationQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(query) = query?;
    Ok(closing_page(visitor.0, &state, query, &Draft::default()).await?.0)
}

/// Seals exactly the report that the form named: as of its moment.
#[post("/reports/close")]
pub async fn close_period(submitted: BillingForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    let members = submitted.members().filter(|(name, _)| *name != CONFIRMED);
    let members: serde_json::Map<_, _> = members.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let mut reader = QueryReader::of_members(ROOT, members.clone());
    let query = PushDurationQuery::from_query(&mut reader);
    reader.reject_unknown()?;
    let unticked = || FieldError::new(CONFIRMED, submitted.visitor.view.language.reports_tick_needed());
    let draft = Draft::typed(&submitted, (!submitted.is_checked(CONFIRMED)).then(unticked));
    let (mut page, report) = closing_page(submitted.visitor.clone(), &state, query, &draft).await?;
    if draft.is_rejected() || !report.is_over() {
        *page.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(page);
    }
    let sealed = sealed::seal(&state, &submitted.visitor.principal, members).await?;
    let id = sealed.sealed_report_id.to_string();
    Ok(layout::redirect_to(&report.page(&[("closed", Some(&id))])))
}

/// The page that asks for confirmation, and the report that it names.
async fn closing_page(
    mut visitor: Visitor,
    state: &AppState,
    query: PushDurationQuery,
    draft: &Draft,
) -> Result<(HttpResponse, ReportAt), PageError> {
    let query = restrict(query, &visitor.principal);
    let cutoff = reports::close(state, query.asked.as_of).await?;
    let report = ReportAt::new(query, cutoff.at);
    visitor.view = report.view(visitor.view);
    let totals = report.total(state, &cutoff).await?;
    let unsettled = unsettled::find(state, &visitor.principal, &report, &totals).await?;
    let earlier = sealed_list::list(state, &visitor.principal).await?.rows;
    let earlier: Vec<_> = earlier.into_iter().filter(|sealed| sealed.report.period() == report.period()).collect();
    let view = visitor.view;
    let text = view.language;
    let title = text.reports_close_title(&naming::period(text, report.period()));
    let content = html! {
        h1 { (title) }
        p.path { (text.reports_close_explained()) }
        (facts(view, &report, &totals))
        h2 { (text.reports_settle_first()) }
        (to_settle(&visitor, &report, &totals, &unsettled))
        @if !earlier.is_empty() {
            h2 { (text.reports_closed_before()) }
            (sealed_list::table(view, &earlier))
        }
        (closing_form(&visitor, &report, draft))
        p { a href=(report.page(&[])) { (text.reports_back()) } }
    };
    Ok((layout::page(&visitor, NavItem::Reports, &title, &content), report))
}

fn facts(view: View, report: &ReportAt, totals: &WindowTotals) -> Markup {
    let text = view.language;
    html! {
        dl.facts {
            dt { (text.reports_period()) } dd { strong { (naming::period(text, report.period())) } }
            dt { (text.time_zone()) } dd { (view.zone.name()) }
            dt { (text.reports_grouping()) } dd { (naming::layout(text, &report.selection, report.layout)) }
            dt { (text.reports_push_hours()) } dd { strong { (words::hours(totals.push_seconds())) } }
            dt { (text.reports_on_air_hours()) } dd { (words::hours(totals.on_air_seconds)) }
            dt { (text.reports_sessions()) } dd { (words::count(totals.sessions)) }
            dt { (text.reports_file_as_of()) } dd { (words::time(view, report.as_of)) }
        }
    }
}

fn to_settle(visitor: &Visitor, report: &ReportAt, totals: &WindowTotals, unsettled: &Unsettled) -> Markup {
    let text = visitor.view.language;
    let ended_recently = report.is_over() && report.as_of - report.selection.to < SETTLING_TIME;
    html! {
        @if totals.push_seconds() == 0 { div.card.warning { p { (text.reports_close_empty()) } } }
        @if ended_recently { div.card.warning { p { (text.reports_ended_recently()) } } }
        @if unsettled.is_empty() {
            p.hint { (text.reports_all_settled()) }
        } @else {
            div.card.warning { (unsettled::list(visitor, report, unsettled)) }
        }
    }
}

fn closing_form(visitor: &Visitor, report: &ReportAt, draft: &Draft) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let name = naming::period(text, report.period());
    let over = report.is_over();
    let fields = html! {
        @for (name, value) in report.parameters().members() { input type="hidden" name=(name) value=(value); }
        @if over {
            (form::confirmation(&text.reports_close_confirm(&name)))
            (draft.error(CONFIRMED))
        } @else {
            p { (words::fill(&text.reports_close_not_over(), &[words::time(view, report.selection.to)])) }
        }
        button.primary disabled[!over] { (text.reports_close_title(&name)) }
    };
    form::form(visitor, "card", &links::page("reports/close"), &fields)
}

/// The result, for the page that closing leads to.
pub async fn outcome(state: &AppState, visitor: &Visitor, closed: Option<Uuid>) -> Result<Markup, PageError> {
    let Some(id) = closed else { return Ok(html! {}) };
    let visible = visitor.principal.visible_domains();
    let row = store::sealed_report::get_sealed_report(&state.work_pool, visible, id).await?;
    let sealed = Sealed::of(row.ok_or(ApiError::NotFound("sealed report"))?)?;
    let text = visitor.view.language;
    let (period, zone) = (naming::period(text, sealed.report.period()), sealed.report.layout.time_zone.name());
    Ok(match sealed.row.status {
        SealedReportStatus::Sealing => {
            html! { div.card role="status" { p { (text.reports_closing(&period, zone)) } } }
        }
        SealedReportStatus::Sealed => {
            let hours = words::decimal_hours(sealed.total("push_seconds").unwrap_or_default());
            html! {
                div.card.success role="status" {
                    p { strong { (text.reports_closed(&period, zone, &hours)) } }
                    p { a href=(sealed.csv()) { "CSV" } " · " a href="#sealed" { (text.reports_sealed()) } }
                }
            }
        }
        SealedReportStatus::Failed => {
            html! { div.card.error role="status" { p { (text.reports_closing_failed(&period, zone)) } } }
        }
    })
}
