//! A stream: its status, a timeline of its last days, and its sessions.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, timeline, words};
use crate::api::page::PageRequest;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::filter::SessionFilter;
use crate::model::report::{GroupBy, WindowSize};
use crate::model::session::{Renditions, SessionOrder};
use crate::platform::clock;
use crate::query;
use crate::query::Rows;
use crate::query::sessions::SessionList;
use crate::report::cutoff::ReportCutoff;
use crate::report::parameters::{Layout, ReportSelection};
use crate::report::push_duration::PushDuration;
use crate::report::sweep::WindowTotals;
use crate::session::lifecycle::{duration_seconds, is_unconfirmed};
use crate::store::broadcast::BroadcastRow;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;
use crate::store::stream::StreamRow;

/// The periods of the totals, in days.
const TOTALS: [i64; 3] = [1, 7, 30];

const MAX_BROADCASTS: u16 = 5;
const MERGE_GAP_SECONDS: u32 = 60;

pub struct StreamPage {
    page: PageRequest<Uuid>,
}

impl FromQuery for StreamPage {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

#[get("/streams/{stream_id}")]
pub async fn show_stream(
    visitor: Visitor,
    state: Data<AppState>,
    stream_id: Path<String>,
    asked: Result<Query<StreamPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let Query(StreamPage { page }) = asked?;
    let stream_id = Uuid::try_parse(&stream_id).map_err(|_| ApiError::NotFound("stream"))?;
    let stream = query::streams::get_stream(&state.query_pool, &visitor.principal, stream_id).await?;
    let stream = stream.ok_or(ApiError::NotFound("stream"))?;
    let after = page.after;
    let filter = SessionFilter { stream_id: Some(stream_id), ..SessionFilter::default() };
    let wanted = SessionPage { order: SessionOrder::NewestFirst, after, limit: page.limit };
    let SessionList { page: sessions, as_of, .. } = query::sessions::list_sessions(
        &state.query_pool,
        &visitor.principal,
        state.unconfirmed_after,
        &filter,
        wanted,
        false,
    )
    .await?;
    let timeline = if after.is_none() {
        recent_sessions(&visitor, &state, stream_id).await?
    } else {
        html! {}
    };
    let broadcasts = query::broadcasts::list_broadcasts(
        &state.query_pool,
        &visitor.principal,
        stream_id,
        MERGE_GAP_SECONDS,
        None,
        MAX_BROADCASTS,
    );
    let broadcasts = broadcasts.await?.page;
    let totals = totals(&state, &stream, as_of).await;
    let (rows, next) = page.page(sessions, |row| row.session_id, |row| row);
    let earlier = next.map(|next| words::path(&page_of(&stream), &[("cursor", Some(&next))]));
    let content = html! {
        (facts(view, &stream, as_of, state.unconfirmed_after))
        (timeline)
        @if after.is_none() { (totals_table(view, &totals)) (broadcast_table(view, &broadcasts)) }
        h2 { "Sessions" }
        table {
            thead { tr { th { "Started" } th { "Status" } th { "Ended" } th.number { "Duration" } th { "End source" } } }
            tbody { @for row in &rows { (session_row(view, row, as_of, state.unconfirmed_after)) } }
        }
        @if let Some(earlier) = earlier { p { a href=(earlier) { "Earlier sessions" } } }
        @if after.is_some() { p { a href=(page_of(&stream)) { "Newest sessions" } } }
    };
    Ok(layout::page(&visitor, NavItem::Unlisted, &stream.stream, &content))
}

async fn recent_sessions(visitor: &Visitor, state: &AppState, stream_id: Uuid) -> Result<Markup, PageError> {
    let from = Some(clock::now() - TimeDelta::days(timeline::DAYS));
    let filter = SessionFilter { stream_id: Some(stream_id), from, ..SessionFilter::default() };
    let wanted = SessionPage { order: SessionOrder::NewestFirst, after: None, limit: timeline::MAX_SESSIONS };
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let list = query::sessions::list_sessions(pool, principal, state.unconfirmed_after, &filter, wanted, false).await?;
    Ok(timeline::timeline(visitor.view, &list.page, list.as_of))
}

fn page_of(stream: &StreamRow) -> String {
    format!("{ROOT}/streams/{}", stream.stream_id)
}

fn facts(view: View, stream: &StreamRow, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Markup {
    html! {
        h1.name { bdi { (stream.stream) } }
        p.path { (stream.domain) " / " (stream.app) @if let Some(template) = &stream.rendition_template { " · rendition " (template) } }
        dl.facts {
            dt { "Status" }
            dd {
                @match stream.live_since {
                    Some(since) => {
                        (words::state(view, true, as_of - since > unconfirmed_after)) " since " (words::time(view, since)) ", "
                        (words::clock(view, since))
                        @if stream.live_sessions > 1 { ", with " (stream.live_sessions) " live sessions" }
                    }
                    None => { "offline" @if let Some(ended) = stream.last_ended_at { " since " (words::time(view, ended)) } }
                }
            }
            dt { "Last started" } dd { (words::time(view, stream.last_started_at)) }
            dt { "Last ended" } dd { (words::maybe_time(view, stream.last_ended_at)) }
        }
    }
}

/// The push time of the last days; empty if it cannot be computed now.
async fn totals(state: &AppState, stream: &StreamRow, as_of: DateTime<Utc>) -> Vec<(i64, WindowTotals)> {
    let to = as_of.trunc_subsecs(0);
    let layout = Layout { time_zone: chrono_tz::Tz::UTC, window: WindowSize::Whole, group_by: GroupBy::NOTHING };
    let mut totals = Vec::new();
    for days in TOTALS {
        let selection = ReportSelection {
            from: to - TimeDelta::days(days),
            to,
            visible_domains: None,
            domain: Some(stream.domain.clone()),
            app: Some(stream.app.clone()),
            stream: Some(stream.stream.clone()),
            renditions: Renditions::Include,
        };
        let report =
            PushDuration::begin(state.report_pool.clone(), &selection, layout, &ReportCutoff::passing(as_of), None);
        totals.extend(report.finish().await.ok().map(|counts| (days, counts)));
    }
    totals
}

fn totals_table(view: View, totals: &[(i64, WindowTotals)]) -> Markup {
    html! {
        @if !totals.is_empty() {
            h2 { "Totals" }
            table {
                thead { tr { th { "In the last" } th.number { "Sessions" } th.number { "Push time" } th.number { "On air" } th.number { "Peak" } } }
                tbody { @for (days, counts) in totals { tr {
                    td { @if *days == 1 { "24 hours" } @else { (days) " days" } }
                    td.number data-label="sessions" { (counts.sessions) }
                    td.number data-label="push time" { (words::lasted(view, counts.push_seconds())) }
                    td.number data-label="on air" { (words::lasted(view, counts.on_air_seconds)) }
                    td.number data-label="peak" { (counts.peak_live_sessions) }
                } } }
            }
        }
    }
}

fn broadcast_table(view: View, broadcasts: &Rows<BroadcastRow>) -> Markup {
    html! {
        h2 { "Broadcasts" }
        p.hint { "Sessions merged over gaps of at most " (MERGE_GAP_SECONDS) " seconds. The newest " (MAX_BROADCASTS) "; the API lists all." }
        table {
            thead { tr { th { "Started" } th { "Ended" } th.number { "On air" } th.number { "Interruptions" } th.number { "Sessions" } } }
            tbody { @for row in &broadcasts.rows { tr {
                td { (words::time(view, row.started_at)) }
                td data-label="ended" { @match row.ended_at { Some(ended_at) => (words::time(view, ended_at)), None => (words::state(view, true, false)) } }
                td.number data-label="on air" { (words::lasted(view, row.on_air_seconds)) }
                td.number data-label="interruptions" { (row.interruptions) }
                td.number data-label="sessions" { (row.session_ids.len()) }
            } } }
        }
    }
}

fn session_row(view: View, row: &SessionRow, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Markup {
    let live = row.ended_at.is_none();
    let unconfirmed = is_unconfirmed(row.started_at, row.ended_at, as_of, unconfirmed_after);
    html! {
        tr class=[unconfirmed.then_some("stale")] {
            td { a href=(format!("{ROOT}/sessions/{}", row.session_id)) { (words::time(view, row.started_at)) } }
            td { (words::state(view, live, unconfirmed)) (words::flags(view, &row.flags)) }
            td data-label="ended" { (words::maybe_time(view, row.ended_at)) }
            td.number data-label="duration" { (words::lasted(view, duration_seconds(row.started_at, row.ended_at, as_of))) }
            td { (words::end_source(view.language, row.ended_at_source)) }
        }
    }
}
