//! Kept rejections that would be admitted now, and their retry.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use maud::{Markup, html};

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, AdminForm};
use super::super::layout::{self, NavItem};
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::rejections::number_of_callbacks;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::kept_rejections;
use crate::model::filter::RejectionFilter;
use crate::model::parameter::Parameters;
use crate::model::rejection::RejectionReason;
use crate::rejection::retry::{Preview, RetryResult};

/// What a retry of everything would admit now. Read at most once in some seconds, and again when the registry changes.
pub async fn preview(state: &AppState) -> Result<Arc<Preview>, ApiError> {
    let version = state.registry.current().version();
    if let Some(known) = state.page_caches.retries.get(&version).await {
        return Ok(known);
    }
    let preview = Arc::new(kept_rejections::preview(state, &RejectionFilter::default()).await?);
    state.page_caches.retries.insert(version, Arc::clone(&preview)).await;
    Ok(preview)
}

/// The kept rejections that would be admitted, for administrators.
pub fn cards(visitor: &Visitor, preview: &Preview) -> Markup {
    let text = visitor.view.language;
    let admitted: Vec<_> = preview.0.iter().filter(|(_, result)| result.admitted() > 0).collect();
    html! {
        @if !admitted.is_empty() {
            h2 #retry { (text.problems_retry()) }
            section.card.warning {
                p.hint { (text.problems_retry_hint()) }
                div.scroll { table {
                    thead { tr {
                        th { (text.domain()) } th { (text.problems_retry_rejected_for()) } th.number { (text.callbacks()) }
                        th.number { (text.action()) }
                    } }
                    tbody { @for ((domain, reason), result) in admitted { tr {
                        td.name { bdi { (domain) } }
                        td { (text.rejection_name(*reason)) }
                        td.number data-label=(text.callbacks()) { (words::count(result.admitted())) }
                        td.number { a.button.small href=(links::retry(domain, *reason)) { (text.problems_retry_admit()) } }
                    } } }
                } }
            }
        }
    }
}

/// Which kept rejections to retry.
pub struct RetryQuery {
    domain: String,
    reason: Option<RejectionReason>,
}

impl FromQuery for RetryQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { domain: query.string("domain").unwrap_or_default(), reason: query.get("reason") }
    }
}

impl RetryQuery {
    fn filter(&self) -> RejectionFilter {
        RejectionFilter { domain: Some(self.domain.clone()), cause: self.reason, from: None, to: None }
    }
}

#[get("/problems/retry")]
pub async fn show_retry(
    visitor: AdminVisitor,
    state: Data<AppState>,
    asked: Result<Query<RetryQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(asked) = asked?;
    let result = kept_rejections::preview(&state, &asked.filter()).await?.total();
    Ok(retry_page(&visitor, &asked, &result, &Draft::default()))
}

fn retry_page(visitor: &Visitor, asked: &RetryQuery, result: &RetryResult, draft: &Draft) -> HttpResponse {
    let text = visitor.view.language;
    let fields = html! {
        input type="hidden" name="domain" value=(asked.domain);
        @if let Some(reason) = asked.reason { input type="hidden" name="reason" value=(reason); }
        p.hint { (text.problems_retry_counts()) }
        (form::confirmation(&text.problems_retry_confirmed()))
        (draft.error("confirmed"))
        button.primary { (text.problems_retry_admit()) }
    };
    let content = html! {
        h1 { (text.problems_retry_title()) }
        (facts(visitor, asked, result, &text.problems_retry_would_be()))
        @if result.admitted() > 0 { (form::form(visitor, "card", &links::retries(), &fields)) }
        p { a href=(links::problems()) { (text.operator_back_to_problems()) } }
    };
    draft.answer(layout::page(visitor, NavItem::Problems, &text.problems_retry_title(), &content))
}

/// The kept rejections, and the outcome of the retry.
fn facts(visitor: &Visitor, asked: &RetryQuery, result: &RetryResult, outcome: &str) -> Markup {
    let text = visitor.view.language;
    let count = |number: u64| number_of_callbacks(text, i64::try_from(number).unwrap_or(i64::MAX));
    html! {
        dl.facts {
            dt { (text.domain()) } dd { bdi { (asked.domain) } }
            @if let Some(reason) = asked.reason {
                dt { (text.problems_retry_rejected_for()) } dd { (text.rejection_name(reason)) }
            }
            dt { (outcome) }
            dd {
                div { strong { (text.problems_retry_accepted(&count(result.accepted))) } }
                @for (reason, number) in &result.quarantined {
                    div { (text.problems_retry_quarantined(&count(*number), &text.quarantine_name(*reason))) }
                }
                @for (reason, number) in &result.rejected {
                    div { (text.problems_retry_still_rejected(&count(*number), &text.rejection_name(*reason))) }
                }
                @if result.unusable > 0 { div { (text.problems_retry_unusable(&count(result.unusable))) } }
            }
        }
    }
}

#[post("/problems/retry")]
pub async fn retry(submitted: AdminForm, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let text = visitor.view.language;
    let reason = submitted.text("reason").map(|word| word.parse::<RejectionReason>());
    let reason = reason.transpose().map_err(|_| ApiError::invalid("reason", "is not a reason of rejections"))?;
    let asked = RetryQuery { domain: submitted.text("domain").unwrap_or_default(), reason };
    if !submitted.is_checked("confirmed") {
        let result = kept_rejections::preview(&state, &asked.filter()).await?.total();
        let unticked = FieldError::new("confirmed", text.operator_not_confirmed());
        return Ok(retry_page(visitor, &asked, &result, &Draft::typed(&submitted, [unticked])));
    }
    let result = kept_rejections::retry(&state, &visitor.principal.actor, &asked.filter()).await?;
    state.page_caches.retries.invalidate_all();
    let content = html! {
        h1 { (text.problems_retry_title()) }
        div.card.success role="status" { (facts(visitor, &asked, &result, &text.problems_retry_done())) }
        p { a href=(links::problems()) { (text.operator_back_to_problems()) } }
    };
    Ok(layout::page(visitor, NavItem::Problems, &text.problems_retry_title(), &content))
}
