//! The wall display: readable from afar, without navigation, and always current.
//!
//! It never scrolls: it has as many tiles as fit on any screen, and counts the others.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::request::{filtered_path, read_names};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::dashboard::error::PageError;
use crate::dashboard::shown_state::ShownState;
use crate::dashboard::view::View;
use crate::dashboard::visitor::Visitor;
use crate::dashboard::{form, layout, links, words};
use crate::http::extract::Query;
use crate::http::sign_in_cookie;
use crate::model::filter::LiveFilter;
use crate::model::session::LiveOrder;
use crate::query;
use crate::query::live::{ListRequest, LiveTotals, SessionKind};
use crate::store::session::SessionRow;

/// Tiles of the page. The stylesheet arranges them in five columns of eight; few are larger: three of four, or four of six.
const MAX_TILES: u16 = 40;
const MAX_LARGE_TILES: usize = 12;
const MAX_MEDIUM_TILES: usize = 24;

/// Unconfirmed sessions come first, but leave room for others.
const MAX_UNCONFIRMED: u16 = MAX_TILES / 2;

const REJECTION_PERIOD: TimeDelta = TimeDelta::minutes(5);

pub struct KioskPage(LiveFilter);

impl FromQuery for KioskPage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        Self(read_names(query))
    }
}

/// What the page shows.
struct Kiosk {
    sessions: Vec<SessionRow>,
    totals: LiveTotals,
    rejected: i64,
    as_of: DateTime<Utc>,
    unconfirmed_after: TimeDelta,
}

#[get("/kiosk")]
pub async fn show_kiosk(
    request: HttpRequest,
    visitor: Visitor,
    state: Data<AppState>,
    asked: Result<Query<KioskPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(KioskPage(filter)) = asked?;
    let kiosk = Kiosk::read(&state, &visitor, &filter).await?;
    let view = visitor.view;
    let title = view.language.live_title(&words::count(kiosk.totals.live_sessions));
    let mut answer = layout::answer(&layout::kiosk(view, &title, &kiosk.show(&visitor, &filter)));
    if let Some(cookie) = sign_in_cookie::renew(&request, &state, view.now) {
        answer.add_cookie(&cookie).map_err(|error| ApiError::Internal(error.into()))?;
    }
    Ok(answer)
}

impl Kiosk {
    async fn read(state: &AppState, visitor: &Visitor, filter: &LiveFilter) -> Result<Self, sqlx::Error> {
        let pool = &state.query_pool;
        let principal = &visitor.principal;
        let unconfirmed_after = state.unconfirmed_after;
        let lists = [
            (SessionKind::Unconfirmed(LiveOrder::OldestFirst), MAX_UNCONFIRMED),
            (SessionKind::Live(LiveOrder::NewestFirst), MAX_TILES),
        ];
        let lists = lists.map(|(kind, limit)| ListRequest { kind, after: None, limit });
        let board = query::live::read_board(pool, principal, unconfirmed_after, filter, lists).await?;
        let [unconfirmed, newest] = board.lists;
        let others = newest
            .rows
            .into_iter()
            .filter(|row| !ShownState::of_session(row, board.as_of, unconfirmed_after).is_unconfirmed());
        let sessions = unconfirmed.rows.into_iter().chain(others).take(usize::from(MAX_TILES)).collect();
        // Rejected callbacks only claim a domain; app and stream are unknown.
        let since = board.as_of - REJECTION_PERIOD;
        let rejected = query::rejections::count_rejected(pool, principal, filter.domain.as_deref(), since).await?;
        Ok(Self { sessions, totals: board.totals, rejected, as_of: board.as_of, unconfirmed_after })
    }

    fn show(&self, visitor: &Visitor, filter: &LiveFilter) -> Markup {
        let view = visitor.view;
        html! {
            main #content data-follow="page" data-refresh="board" data-changes=(filtered_path("/v1/live/changes", filter)) {
                div #board {
                    (self.head(view, filter))
                    (self.tiles(view))
                }
                div.corner data-full-screen=(view.language.live_full_screen()) {
                    (form::form(visitor, "", &links::page("sign-out"), &html! { button { (view.language.sign_out()) } }))
                }
            }
        }
    }

    fn head(&self, view: View, filter: &LiveFilter) -> Markup {
        let text = view.language;
        let figure = |count: i64, name: String, class: Option<&str>| {
            html! { div class=(["figure", class.filter(|_| count > 0).unwrap_or_default()].join(" ")) { strong { (words::count(count)) } " " span { (name) } } }
        };
        let names = [&filter.domain, &filter.app, &filter.search];
        html! {
            header {
                h1.unseen { (text.state_live()) }
                (figure(self.totals.live_sessions, text.live_sessions(), Some("good")))
                (figure(self.totals.unconfirmed_sessions, text.state_unconfirmed(), Some("warning")))
                (figure(self.rejected, text.live_rejected(), Some("bad")))
                div.clocks {
                    time.kiosk-clock datetime=(view.now.to_rfc3339()) { (view.local(view.now).format("%H:%M:%S")) }
                    span { (view.zone) @for name in names.into_iter().flatten() { " · " bdi { (name) } } }
                }
            }
        }
    }

    fn tiles(&self, view: View) -> Markup {
        let text = view.language;
        let live = usize::try_from(self.totals.live_sessions).unwrap_or_default();
        // The last tile counts what has none.
        let shown = if live > usize::from(MAX_TILES) { usize::from(MAX_TILES) - 1 } else { self.sessions.len() };
        html! {
            @if self.sessions.is_empty() { p.none { (text.live_none()) } }
            ol.tiles.large[live <= MAX_LARGE_TILES].medium[live > MAX_LARGE_TILES && live <= MAX_MEDIUM_TILES] {
                @for row in self.sessions.iter().take(shown) { (self.tile(view, row)) }
                @if live > shown { li.more { (text.live_more(&words::count(live - shown))) } }
            }
        }
    }

    fn tile(&self, view: View, row: &SessionRow) -> Markup {
        let state = ShownState::of_session(row, self.as_of, self.unconfirmed_after);
        html! {
            li class=[state.row_class()] {
                strong { bdi { (row.stream) } }
                span.where { bdi { (row.domain) " / " (row.app) } }
                span.since {
                    (words::clock(view, row.started_at))
                    @if state.is_unconfirmed() { " " (state.show(view.language)) }
                }
            }
        }
    }
}
