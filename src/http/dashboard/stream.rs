//! A stream: whether it is on air, its last days as a picture, and its sessions.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::frame::{self, Place};
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::http::page::PageRequest;
use crate::http::problem::ApiError;
use crate::http::query_string::{FromQuery, Query, QueryReader};
use crate::http::state::AppState;
use crate::query;
use crate::query::sessions::SessionPlace;
use crate::session::lifecycle::{duration_seconds, is_unconfirmed};
use crate::store::session::SessionRow;
use crate::store::session_list::SessionFilter;
use crate::store::stream::StreamRow;

/// How many days the picture shows.
const DAYS: i64 = 7;

/// Which page of the sessions.
pub struct StreamPage {
    page: PageRequest<SessionPlace>,
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
    let Query(StreamPage { page }) = asked?;
    let stream_id = Uuid::try_parse(&stream_id).map_err(|_| ApiError::NotFound("stream"))?;
    let stream = query::streams::get_stream(&state.query_pool, &visitor.principal, stream_id).await?;
    let stream = stream.ok_or(ApiError::NotFound("stream"))?;
    let (after, limit) = (page.after, page.limit);
    let filter = |as_of| SessionFilter {
        stream_id: Some(stream_id),
        ..SessionFilter::all(visitor.principal.visible_domains(), as_of, state.unconfirmed_after)
    };
    let list = query::sessions::list_sessions(&state.query_pool, filter, true, after, limit, false).await?;
    let as_of = list.as_of;
    let place = |row: &SessionRow| (row.started_at, row.session_id, as_of);
    let (rows, next) = page.page(list.page, place, |row| row);
    let content = content(&stream, &rows, as_of, next.as_deref(), state.unconfirmed_after);
    let page = frame::page(&visitor, Place::Elsewhere, &stream.stream, &content);
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page.0))
}

fn content(
    stream: &StreamRow,
    rows: &[SessionRow],
    as_of: DateTime<Utc>,
    next: Option<&str>,
    unconfirmed_after: TimeDelta,
) -> Markup {
    html! {
        h1.name { bdi { (stream.stream) } }
        p.path { (stream.domain) " / " (stream.app) @if let Some(template) = &stream.rendition_template { " · rendition " (template) } }
        dl.facts {
            dt { "State" }
            dd {
                @match stream.live_since {
                    Some(since) => {
                        (words::state(true, as_of - since > unconfirmed_after)) " since " (words::time(since)) ", "
                        (words::duration((as_of - since).num_seconds().max(0), Some(since)))
                        @if stream.live_sessions > 1 { ", by " (stream.live_sessions) " pushes" }
                    }
                    None => { "off air" @if let Some(ended) = stream.last_ended_at { " since " (words::time(ended)) } }
                }
            }
            dt { "Last started" } dd { (words::time(stream.last_started_at)) }
            dt { "Last ended" } dd { (words::maybe_time(stream.last_ended_at)) }
        }
        (timeline(rows, as_of))
        h2 { "Sessions" }
        table {
            thead { tr { th { "Began" } th { "State" } th { "Ended" } th.number { "Lasted" } th { "Why it ended" } } }
            tbody {
                @for row in rows { (session_row(row, as_of, unconfirmed_after)) }
            }
        }
        @if let Some(next) = next {
            p { a href=(words::path(&format!("{ROOT}/streams/{}", stream.stream_id), &[("cursor", Some(next))])) { "Earlier ones" } }
        }
    }
}

fn session_row(row: &SessionRow, as_of: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Markup {
    let live = row.ended_at.is_none();
    let unconfirmed = is_unconfirmed(row.started_at, row.ended_at, as_of, unconfirmed_after);
    html! {
        tr class=[unconfirmed.then_some("stale")] {
            td { a href=(format!("{ROOT}/sessions/{}", row.session_id)) { (words::time(row.started_at)) } }
            td { (words::state(live, unconfirmed)) @for flag in &row.flags { " " span.flag title=(words::flag(flag)) { (flag.replace('_', " ")) } } }
            td data-label="ended" { (words::maybe_time(row.ended_at)) }
            td.number data-label="lasted" { (words::duration(duration_seconds(row.started_at, row.ended_at, as_of), live.then_some(row.started_at))) }
            td { (words::end_source(row.ended_at_source.as_deref())) }
        }
    }
}

/// The last days: a bar a session, in as many lanes as overlap, inferred ends hatched.
fn timeline(rows: &[SessionRow], as_of: DateTime<Utc>) -> Markup {
    const WIDTH: i64 = 1_000;
    let from = as_of - TimeDelta::days(DAYS);
    let whole = TimeDelta::days(DAYS).num_seconds();
    let x = |time: DateTime<Utc>| ((time.max(from) - from).num_seconds() * WIDTH / whole).clamp(0, WIDTH);
    let mut lanes: Vec<DateTime<Utc>> = Vec::new();
    let mut bars = Vec::new();
    let shown = rows.iter().filter(|row| row.ended_at.is_none_or(|ended_at| ended_at > from));
    for row in shown.rev() {
        let ended = row.ended_at.unwrap_or(as_of);
        let free = lanes.iter().position(|until| *until <= row.started_at);
        let lane = free.unwrap_or(lanes.len());
        match lanes.get_mut(lane) {
            Some(until) => *until = ended,
            None => lanes.push(ended),
        }
        bars.push((row, lane, x(row.started_at), x(ended)));
    }
    if bars.is_empty() {
        return html! { p.hint { "Nothing was on air in the last " (DAYS) " days." } };
    }
    let height = i64::try_from(lanes.len()).unwrap_or(1) * 22 + 18;
    html! {
        figure.timeline {
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="group" aria-label=(format!("Sessions of the last {DAYS} days")) {
                defs {
                    pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                        rect width="3" height="6" {}
                    }
                }
                @for day in 0..=DAYS {
                    @let at = day * WIDTH / DAYS;
                    line.day x1=(at) x2=(at) y1="0" y2=(height - 16) {}
                }
                @for (row, lane, begin, end) in bars {
                    a href=(format!("{ROOT}/sessions/{}", row.session_id)) aria-label=(format!("Began {}", row.started_at.format("%Y-%m-%d %H:%M:%S UTC"))) {
                        rect.bar.(bar_class(row)) x=(begin) y=(lane * 22 + 2) width=((end - begin).max(2)) height="16" rx="2" {
                            title { (row.started_at.format("%Y-%m-%d %H:%M:%S UTC")) ", " (words::end_source(row.ended_at_source.as_deref())) }
                        }
                    }
                }
            }
            figcaption { "The last " (DAYS) " days, to " (words::time(as_of)) ". Hatched: the end is inferred." }
        }
    }
}

fn bar_class(row: &SessionRow) -> &'static str {
    match row.ended_at_source.as_deref() {
        None => "live",
        Some("superseded" | "timed_out") => "inferred",
        Some(_) if row.flags.is_empty() => "ended",
        Some(_) => "flagged",
    }
}
