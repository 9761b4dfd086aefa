//! The provider's lists of a domain: where they and the callbacks disagree, and how they were read.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::links::unless_default;
use super::texts::Language;
use super::view::View;
use super::visitor::Visitor;
use super::{links, words};
use crate::api::page::PageRequest;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::closed_set;
use crate::model::parameter::Parameters;
use crate::model::polling::{DifferenceKind, PollMode, PollOutcome};
use crate::query;
use crate::session::key::{StreamId, StreamKey};
use crate::store::domain::DomainRow;
use crate::store::poll_summary::PolledDomainRow;
use crate::store::polling::{DifferenceKey, DifferenceRow, PollRow};

closed_set! {
    /// Which list is shown.
    #[derive(Default)]
    pub enum Shown {
        #[default]
        Differences,
        Readings,
    }
}

/// The last row of the page before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum AfterRow {
    Difference(DifferenceKey),
    /// A reading, by its beginning.
    Reading(DateTime<Utc>),
}

pub struct ListsPage {
    page: PageRequest<AfterRow>,
    shown: Shown,
}

impl FromQuery for ListsPage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        Self { page: PageRequest::from_query(query), shown: query.get("show").unwrap_or_default() }
    }
}

/// The address of a page of a list.
pub fn link(domain: &str, shown: Shown, cursor: Option<&str>) -> String {
    links::with(&links::provider_lists(domain), &[("show", unless_default(shown)), ("cursor", cursor)])
}

#[get("/domains/{domain}/lists")]
pub async fn show_lists(
    visitor: Visitor,
    state: Data<AppState>,
    domain: Path<String>,
    asked: Result<Query<ListsPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let pool = &state.query_pool;
    let Query(asked) = asked?;
    let row = query::provider_lists::get_domain(pool, &visitor.principal, &domain).await?;
    let row = row.ok_or(ApiError::NotFound("domain"))?;
    let polled = query::provider_lists::get_polled_domain(pool, &row.domain).await?;
    let (list, next) = match asked.shown {
        Shown::Differences => differences(&visitor, &state, &row, &asked.page).await?,
        Shown::Readings => readings(&visitor, &state, &row, &asked.page).await?,
    };
    let name = |shown| match shown {
        Shown::Differences => text.lists_differences(),
        Shown::Readings => text.lists_readings(),
    };
    let address = |shown, cursor| link(&row.domain, shown, cursor);
    let content = html! {
        h1.name { (words::fill(&text.lists_of(), &[html! { bdi { (row.domain) } }])) }
        (facts(visitor.view, &row, polled.as_ref()))
        nav.tabs aria-label=(text.lists_shown()) {
            @for &shown in Shown::ALL {
                a href=(address(shown, None)) aria-current=[(shown == asked.shown).then_some("page")] { (name(shown)) }
            }
        }
        (list)
        div.actions {
            @if asked.page.after.is_some() { a.button href=(address(asked.shown, None)) { (text.newest()) } }
            @if let Some(next) = &next { a.button rel="next" href=(address(asked.shown, Some(next))) { (text.lists_older()) } }
        }
    };
    Ok(layout::page(&visitor, NavItem::Unlisted, &text.lists_title(&row.domain), &content))
}

fn facts(view: View, row: &DomainRow, polled: Option<&PolledDomainRow>) -> Markup {
    let text = view.language;
    html! {
        dl.facts {
            dt { (text.providers_mode()) } dd { (mode(text, row.poll_mode)) }
            @if let Some(polled) = polled {
                dt { (text.lists_complete()) } dd { (words::maybe_ago(view, polled.complete_at)) }
                dt { (text.lists_last()) } dd { (last_reading(view, polled)) }
            }
        }
        @if polled.is_some_and(|polled| polled.mass_absence) { div.card.warning role="status" { p { (text.lists_mass_absence()) } } }
    }
}

/// When the list was read last, and with what result.
pub fn last_reading(view: View, polled: &PolledDomainRow) -> Markup {
    let text = view.language;
    html! {
        @match (polled.begun_at, polled.outcome) {
            (Some(begun_at), Some(outcome)) => {
                (words::ago(view, begun_at)) ": " (outcome_name(text, outcome))
                @if let Some(code) = &polled.error_code { " " code { (code) } }
            }
            (None, _) | (_, None) => (text.lists_never_read()),
        }
    }
}

async fn differences(
    visitor: &Visitor,
    state: &AppState,
    domain: &DomainRow,
    page: &PageRequest<AfterRow>,
) -> Result<(Markup, Option<String>), PageError> {
    let view = visitor.view;
    let text = view.language;
    let pool = &state.query_pool;
    let after = match &page.after {
        Some(AfterRow::Difference(key)) => Some(key.clone()),
        Some(AfterRow::Reading(_)) | None => None,
    };
    let rows = query::provider_lists::list_differences(pool, &domain.domain, after, page.limit).await?;
    let (rows, next) = page.page(rows, |row| AfterRow::Difference(row.key.clone()), |row| row);
    let rows: Vec<_> = rows.into_iter().map(|row| (stream_of(&domain.domain, &row), row)).collect();
    let ids: Vec<Uuid> = rows.iter().map(|(stream_id, _)| *stream_id).collect();
    // A push for which no callback was received may be the only one of its stream, which then has no page.
    let known = query::streams::list_known(pool, &ids).await?;
    let list = html! {
        p.hint { (differences_hint(text, domain.poll_mode)) }
        @if rows.is_empty() { div.card { p { (text.lists_no_difference()) } } } @else {
            div.scroll { table #differences {
                thead { tr {
                    th { (text.stream()) } th { (text.lists_kind()) } th { (text.app()) } th { (text.started()) }
                    th { (text.lists_provider_end()) } th { (text.lists_last_seen()) } th { (text.lists_repaired()) } th.number { (text.lists_session()) }
                } }
                tbody { @for (stream_id, row) in &rows { (difference(view, row, Some(*stream_id).filter(|id| known.contains(id)))) } }
            } }
        }
    };
    Ok((list, next))
}

fn stream_of(domain: &str, DifferenceRow { key, .. }: &DifferenceRow) -> Uuid {
    let (app, stream) = (key.app.clone(), key.stream.clone());
    let StreamId(stream_id) = StreamKey { domain: domain.to_owned(), app, stream }.id();
    stream_id
}

fn difference(view: View, row: &DifferenceRow, stream_id: Option<Uuid>) -> Markup {
    let text = view.language;
    let DifferenceRow { key, session_id, ended_at, repaired, .. } = row;
    html! { tr {
        td.name {
            @if let Some(stream_id) = stream_id { a href=(links::stream(stream_id)) { bdi { (key.stream) } } } @else { bdi { (key.stream) } }
        }
        td { (kind_name(text, key.kind)) }
        td data-label=(text.app()) { bdi { (key.app) } }
        td data-label=(text.started()) { (words::time(view, key.started_at)) }
        td data-label=(text.lists_provider_end()) { (words::maybe_time(view, *ended_at)) }
        td.when data-label=(text.lists_last_seen()) { (words::ago(view, key.last_seen_at)) }
        td data-label=(text.lists_repaired()) { @if *repaired { (text.lists_is_repaired()) } @else { (text.lists_is_not_repaired()) } }
        td.number { @if let Some(session_id) = session_id { a.button.small href=(links::session(*session_id)) { (text.lists_session()) } } }
    } }
}

async fn readings(
    visitor: &Visitor,
    state: &AppState,
    domain: &DomainRow,
    page: &PageRequest<AfterRow>,
) -> Result<(Markup, Option<String>), PageError> {
    let view = visitor.view;
    let text = view.language;
    let before = match page.after {
        Some(AfterRow::Reading(begun_at)) => Some(begun_at),
        Some(AfterRow::Difference(_)) | None => None,
    };
    let rows = query::provider_lists::list_polls(&state.query_pool, &domain.domain, before, page.limit).await?;
    let (rows, next) = page.page(rows, |row| AfterRow::Reading(row.begun_at), |row| row);
    let list = html! {
        p.hint { (text.lists_readings_hint()) }
        @if rows.is_empty() { div.card { p { (text.lists_no_reading()) } } } @else {
            div.scroll { table #readings {
                thead { tr {
                    th { (text.time()) } th { (text.lists_result()) } th.number { (text.lists_streams()) } th.number { (text.lists_sessions()) }
                    th.number { (text.lists_pages()) } th.number { (text.duration()) } th { (text.lists_error()) }
                } }
                tbody { @for row in &rows { (reading(view, row)) } }
            } }
        }
    };
    Ok((list, next))
}

fn reading(view: View, row: &PollRow) -> Markup {
    let text = view.language;
    let is_complete = row.outcome == PollOutcome::Complete;
    html! { tr {
        td { (words::time(view, row.begun_at)) }
        td {
            @if is_complete { (outcome_name(text, row.outcome)) } @else { span.wrong { (outcome_name(text, row.outcome)) } }
            @if row.mass_absence { " " span.flag title=(text.lists_mass_absence()) { (text.lists_mass_absence_flag()) } }
        }
        td.number data-label=(text.lists_streams()) { (words::count(row.listed)) }
        td.number data-label=(text.lists_sessions()) { (words::count(row.matched)) }
        td.number data-label=(text.lists_pages()) { (words::count(row.pages)) }
        td.number data-label=(text.duration()) { (text.lists_milliseconds(&words::count(row.milliseconds))) }
        td { @if let Some(code) = &row.error_code { code { (code) } } }
    } }
}

fn mode(text: Language, mode: PollMode) -> String {
    match mode {
        PollMode::Off => text.providers_mode_off(),
        PollMode::Observe => text.providers_mode_observe(),
        PollMode::Repair => text.providers_mode_repair(),
    }
}

fn differences_hint(text: Language, mode: PollMode) -> String {
    match mode {
        PollMode::Off => text.lists_hint_off(),
        PollMode::Observe => text.lists_hint_observe(),
        PollMode::Repair => text.lists_hint_repair(),
    }
}

fn kind_name(text: Language, kind: DifferenceKind) -> String {
    match kind {
        DifferenceKind::Unlisted => text.difference_unlisted(),
        DifferenceKind::Listed => text.difference_listed(),
        DifferenceKind::History => text.difference_history(),
        DifferenceKind::UnknownPush => text.difference_unknown_push(),
        DifferenceKind::MissedPush => text.difference_missed_push(),
        DifferenceKind::EndDiffers => text.difference_end_differs(),
    }
}

fn outcome_name(text: Language, outcome: PollOutcome) -> String {
    match outcome {
        PollOutcome::Complete => text.reading_complete(),
        PollOutcome::Torn => text.reading_torn(),
        PollOutcome::Throttled => text.reading_throttled(),
        PollOutcome::Refused => text.reading_refused(),
        PollOutcome::NotFound => text.reading_not_found(),
        PollOutcome::Failed => text.reading_failed(),
        PollOutcome::Resting => text.reading_resting(),
    }
}
