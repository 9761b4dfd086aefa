//! The lists on a stream's page: its broadcasts, each with its sessions, or all of its sessions.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::PageError;
use super::shown_state::ShownState;
use super::stream::{self, ListKind, StreamPage};
use super::timeline::{self, Range};
use super::view::View;
use super::visitor::Visitor;
use super::{links, words};
use crate::app::state::AppState;
use crate::model::filter::SessionFilter;
use crate::model::report::{Certainty, GroupBy, WindowSize};
use crate::model::session::Renditions;
use crate::query;
use crate::query::broadcasts::{BroadcastPeriod, BroadcastWithSessions};
use crate::report::cutoff::ReportCutoff;
use crate::report::parameters::{Layout, ReportSelection};
use crate::report::push_duration::PushDuration;
use crate::report::sweep::WindowTotals;
use crate::session::lifecycle::duration_seconds;
use crate::store::broadcast::BroadcastRow;
use crate::store::session::SessionRow;
use crate::store::stream::StreamRow;

const MERGE_GAP_SECONDS: u32 = 60;

const MAX_BROADCASTS: u16 = 20;

/// How many sessions of a broadcast are listed; the list of all sessions has the others.
const MAX_SESSIONS_OF_BROADCAST: usize = 40;

/// The last row of the page before.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum AfterRow {
    /// A broadcast, by its start.
    Broadcast(DateTime<Utc>),
    Session(Uuid),
}

/// The list that was asked for, below the choice of lists.
pub async fn list(
    visitor: &Visitor,
    state: &AppState,
    stream: &StreamRow,
    asked: &StreamPage,
) -> Result<Markup, PageError> {
    let view = visitor.view;
    let text = view.language;
    let (rows, next) = match asked.list {
        ListKind::Broadcasts => broadcasts(visitor, state, stream, asked).await?,
        ListKind::Sessions => sessions(visitor, state, stream, asked).await?,
    };
    let day = asked.day().map(|day| text.stream_on(&stream::date(view, day)));
    let name = |list| match list {
        ListKind::Broadcasts => text.stream_broadcasts(),
        ListKind::Sessions => text.stream_all_sessions(),
    };
    Ok(html! {
        nav.tabs #lists {
            @for &list in ListKind::ALL {
                a href=(asked.link(stream.stream_id, list, None)) aria-current=[(asked.list == list).then_some("page")] {
                    (name(list)) @if let Some(day) = &day { " " (day) }
                }
            }
        }
        (rows)
        p.actions {
            @if asked.page.after.is_some() {
                a.button href=(asked.link(stream.stream_id, asked.list, None)) { (text.newest()) }
            }
            @if let Some(next) = next {
                a.button rel="next" href=(asked.link(stream.stream_id, asked.list, Some(&next))) { (text.stream_earlier()) }
            }
        }
    })
}

async fn broadcasts(
    visitor: &Visitor,
    state: &AppState,
    stream: &StreamRow,
    asked: &StreamPage,
) -> Result<(Markup, Option<String>), PageError> {
    let view = visitor.view;
    let text = view.language;
    let (from, to) = asked.day().map(|_| asked.period.bounds(view)).unzip();
    let after = match asked.page.after {
        Some(AfterRow::Broadcast(started_at)) => Some(started_at),
        Some(AfterRow::Session(_)) | None => None,
    };
    let rows = query::broadcasts::list_broadcasts_with_sessions(
        &state.query_pool,
        &visitor.principal,
        stream.stream_id,
        MERGE_GAP_SECONDS,
        BroadcastPeriod { from, before: after.or(to) },
        MAX_BROADCASTS,
        MAX_SESSIONS_OF_BROADCAST,
    )
    .await?;
    let (rows, next) = asked.page.page(rows, |row| AfterRow::Broadcast(row.broadcast.started_at), |row| row);
    let all_sessions = asked.link(stream.stream_id, ListKind::Sessions, None);
    let list = html! {
        @if rows.is_empty() {
            p.hint { (text.stream_no_broadcasts()) }
        } @else {
            p.hint { (text.stream_broadcasts_hint(MERGE_GAP_SECONDS)) }
            div.broadcasts { @for row in &rows { (broadcast(view, state, row, &all_sessions)) } }
        }
    };
    Ok((list, next))
}

fn broadcast(view: View, state: &AppState, row: &BroadcastWithSessions, all_sessions: &str) -> Markup {
    let text = view.language;
    let BroadcastWithSessions { broadcast, sessions } = row;
    let live = sessions.iter().find(|session| session.ended_at.is_none());
    let of_live = |live| ShownState::of_session(live, view.now, state.unconfirmed_after);
    let has_estimate = sessions.iter().any(|session| Certainty::of(session.ended_at_source) == Certainty::Estimated);
    let left_out = broadcast.session_ids.len().saturating_sub(sessions.len());
    html! {
        details data-key=(broadcast.started_at.timestamp()) {
            summary {
                strong.when {
                    @match broadcast.ended_at {
                        Some(ended_at) => (timeline::span(view, broadcast.started_at, ended_at)),
                        None => { (text.stream_since(&words::date_and_time(view, broadcast.started_at))) " " (live.map_or(ShownState::Live, of_live).show(text)) },
                    }
                }
                span {
                    (words::fill(&text.stream_on_air(), &[words::lasted(view, broadcast.on_air_seconds)]))
                    @if has_estimate { " " span.flag { (text.stream_legend_estimated()) } }
                }
                span.muted { (interruptions(view, broadcast)) }
            }
            (session_table(view, state, sessions))
            @if left_out > 0 { p { a href=(all_sessions) { (text.stream_more_sessions(&words::count(left_out))) } } }
        }
    }
}

fn interruptions(view: View, broadcast: &BroadcastRow) -> String {
    let text = view.language;
    let gap = words::duration(text, broadcast.longest_gap_seconds);
    match broadcast.interruptions {
        0 => text.stream_no_interruption(),
        1 => text.stream_one_interruption(&gap),
        count => text.stream_interruptions(&words::count(count), &gap),
    }
}

async fn sessions(
    visitor: &Visitor,
    state: &AppState,
    stream: &StreamRow,
    asked: &StreamPage,
) -> Result<(Markup, Option<String>), PageError> {
    let view = visitor.view;
    let (from, to) = asked.day().map(|_| asked.period.bounds(view)).unzip();
    let filter = SessionFilter { from, to, ..SessionFilter::default() };
    let after = match asked.page.after {
        Some(AfterRow::Session(session_id)) => Some(session_id),
        Some(AfterRow::Broadcast(_)) | None => None,
    };
    let rows = stream::list_sessions(visitor, state, filter, stream.stream_id, after, asked.page.limit).await?;
    let (rows, next) = asked.page.page(rows, |row| AfterRow::Session(row.session_id), |row| row);
    let list = html! {
        @if asked.day().is_none() && after.is_none() { (totals_figures(view, &totals(state, stream, view.now).await)) }
        @if rows.is_empty() {
            p.hint { (view.language.stream_no_sessions()) }
        } @else {
            (files(view, stream, asked))
            (session_table(view, state, &rows))
        }
    };
    Ok((list, next))
}

/// All sessions of the list as files.
fn files(view: View, stream: &StreamRow, asked: &StreamPage) -> Markup {
    let text = view.language;
    let day = asked.day().map(|day| day.to_string());
    let workbook = links::with(&format!("{}/file", links::stream(stream.stream_id)), &[("day", day.as_deref())]);
    let [from, to] = match asked.day().map(|_| asked.period.bounds(view)) {
        Some((from, to)) => [from, to].map(|at| Some(words::machine(at))),
        None => [None, None],
    };
    let stream_id = stream.stream_id.to_string();
    let parameters = [
        ("stream_id", Some(stream_id.as_str())),
        ("from", from.as_deref()),
        ("to", to.as_deref()),
        ("time_zone", Some(view.zone.name())),
        ("format", Some("csv")),
    ];
    html! {
        div.actions {
            a.button href=(workbook) { (text.file_excel()) }
            a.button href=(links::with("/v1/sessions", &parameters)) { (text.file_csv()) }
        }
    }
}

fn session_table(view: View, state: &AppState, rows: &[SessionRow]) -> Markup {
    let text = view.language;
    html! {
        table.sessions {
            thead { tr {
                th { (text.started()) } th { (text.ended()) } th.number { (text.length()) }
                th { (text.state()) } th { (text.how_it_ended()) }
            } }
            tbody { @for row in rows { (session_row(view, state, row)) } }
        }
    }
}

fn session_row(view: View, state: &AppState, row: &SessionRow) -> Markup {
    let text = view.language;
    let state = ShownState::of_session(row, view.now, state.unconfirmed_after);
    html! {
        tr class=[state.row_class()] {
            td { a href=(links::session(row.session_id)) { (words::time(view, row.started_at)) } }
            td data-label=(text.ended()) { (words::maybe_time(view, row.ended_at)) }
            td.number data-label=(text.length()) {
                @match row.ended_at {
                    Some(_) => (words::lasted(view, duration_seconds(row.started_at, row.ended_at, view.now))),
                    None => (words::clock(view, row.started_at)),
                }
            }
            td { (state.show(text)) (words::flags(view, &row.flags)) }
            td { @if row.ended_at.is_some() { (words::end_source(text, row.ended_at_source)) } }
        }
    }
}

/// The push time of the last days; empty if it cannot be computed now.
async fn totals(state: &AppState, stream: &StreamRow, as_of: DateTime<Utc>) -> Vec<(Range, WindowTotals)> {
    let to = as_of.trunc_subsecs(0);
    let layout = Layout { time_zone: chrono_tz::Tz::UTC, window: WindowSize::Whole, group_by: GroupBy::NOTHING };
    let mut totals = Vec::new();
    for &range in Range::ALL {
        let selection = ReportSelection {
            from: to - TimeDelta::days(range.days()),
            to,
            visible_domains: None,
            domain: Some(stream.domain.clone()),
            app: Some(stream.app.clone()),
            stream: Some(stream.stream.clone()),
            search: None,
            renditions: Renditions::Include,
        };
        let report =
            PushDuration::begin(state.report_pool.clone(), &selection, layout, &ReportCutoff::passing(as_of), None);
        totals.extend(report.finish().await.ok().map(|counts| (range, counts)));
    }
    totals
}

fn totals_figures(view: View, totals: &[(Range, WindowTotals)]) -> Markup {
    let text = view.language;
    html! {
        div.figures {
            @for (range, counts) in totals {
                div.figure {
                    @let seconds = counts.push_seconds();
                    strong title=(words::in_clock(seconds)) { (words::decimal_hours(seconds)) " " (text.unit_hours()) }
                    span { (text.stream_totals(&range.name(text), &words::count(counts.sessions))) }
                }
            }
        }
    }
}
