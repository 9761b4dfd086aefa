//! A stream: its state, a timeline, and its broadcasts or sessions. With a day, all of them follow the day.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use chrono::NaiveDate;
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::links::{self, unless_default};
use super::shown_state::ShownState;
use super::stream_lists::{self, AfterRow};
use super::timeline::{self, Range, TimelinePeriod};
use super::typed_time::read_date;
use super::view::View;
use super::visitor::Visitor;
use super::words;
use crate::api::page::PageRequest;
use crate::api::problem::{ApiError, parse_id};
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::http::files::{FileFormat, Held};
use crate::http::reports::timing::{Kind, Timing};
use crate::http::session_file::{self, SessionFile};
use crate::model::access::Scope;
use crate::model::closed_set;
use crate::model::filter::SessionFilter;
use crate::model::parameter::Parameters;
use crate::model::session::SessionOrder;
use crate::query;
use crate::session::lifecycle::duration_seconds;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;
use crate::store::stream::StreamRow;

closed_set! {
    /// Which list is below the timeline.
    #[derive(Default)]
    pub enum ListKind {
        #[default]
        Broadcasts,
        Sessions,
    }
}

pub struct StreamPage {
    pub page: PageRequest<AfterRow>,
    pub period: TimelinePeriod,
    pub list: ListKind,
}

impl FromQuery for StreamPage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        let page = PageRequest::from_query(query);
        let range = query.get("range").unwrap_or_default();
        let day = read_day(query);
        Self { page, period: day.unwrap_or(TimelinePeriod::Last(range)), list: query.get("list").unwrap_or_default() }
    }
}

impl StreamPage {
    /// The day, if one was chosen.
    pub fn day(&self) -> Option<NaiveDate> {
        match self.period {
            TimelinePeriod::Date(date) => Some(date),
            TimelinePeriod::Last(_) => None,
        }
    }

    /// The address of the page with this period and list, and a cursor.
    pub fn link(&self, stream_id: Uuid, list: ListKind, cursor: Option<&str>) -> String {
        link(stream_id, self.period, list, cursor)
    }
}

fn link(stream_id: Uuid, period: TimelinePeriod, list: ListKind, cursor: Option<&str>) -> String {
    let (range, day) = match period {
        TimelinePeriod::Last(range) => (unless_default(range), None),
        TimelinePeriod::Date(date) => (None, Some(date.to_string())),
    };
    let parameters = [("range", range), ("day", day.as_deref()), ("list", unless_default(list)), ("cursor", cursor)];
    links::with(&links::stream(stream_id), &parameters)
}

#[get("/streams/{stream_id}")]
pub async fn show_stream(
    visitor: Visitor,
    state: Data<AppState>,
    stream_id: Path<String>,
    asked: Result<Query<StreamPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let Query(asked) = asked?;
    let stream_id = parse_id(&stream_id, "stream")?;
    let stream = query::streams::get_stream(&state.query_pool, &visitor.principal, stream_id).await?;
    let stream = stream.ok_or(ApiError::NotFound("stream"))?;
    let newest = list_sessions(&visitor, &state, SessionFilter::default(), stream_id, None, 1).await?.rows.pop();
    let (from, to) = asked.period.bounds(view);
    let filter = SessionFilter { from: Some(from), to: Some(to), ..SessionFilter::default() };
    let shown = list_sessions(&visitor, &state, filter, stream_id, None, timeline::MAX_SESSIONS).await?;
    let list = stream_lists::list(&visitor, &state, &stream, &asked).await?;
    let changes = links::with("/v1/live/changes", &[("domain", Some(&stream.domain)), ("app", Some(&stream.app))]);
    let content = html! {
        div #followed data-follow="stream" data-stream=(stream.stream_id) data-changes=(changes) {
            (head(&visitor, &state, &stream, newest.as_ref()))
            (periods(view, &stream, &asked))
            (timeline::timeline(view, asked.period, &shown, state.unconfirmed_after))
            (list)
        }
    };
    Ok(layout::page(&visitor, NavItem::Unlisted, &stream.stream, &content))
}

/// All sessions of a stream, or those of a day.
pub struct StreamFileQuery {
    period: Option<TimelinePeriod>,
}

impl FromQuery for StreamFileQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { period: read_day(query) }
    }
}

fn read_day(query: &mut QueryReader) -> Option<TimelinePeriod> {
    query.parse("day", "a date such as 2026-11-27", read_date).map(TimelinePeriod::Date)
}

#[get("/streams/{stream_id}/file")]
pub async fn download_sessions(
    visitor: Visitor,
    state: Data<AppState>,
    request: HttpRequest,
    stream_id: Path<String>,
    asked: Result<Query<StreamFileQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(StreamFileQuery { period }) = asked?;
    let view = visitor.view;
    let stream_id = parse_id(&stream_id, "stream")?;
    let held = Held::take(&state, &visitor.principal, FileFormat::Xlsx, Timing::begin(Kind::Sessions))?;
    let (from, to) = period.map(|period| period.bounds(view)).unzip();
    let file = SessionFile {
        filter: SessionFilter { stream_id: Some(stream_id), from, to, ..SessionFilter::default() },
        order: SessionOrder::NewestFirst,
        zone: view.zone,
        query: request.uri().to_string(),
        wording: view.language.wording(view.language.reports_sessions()),
    };
    Ok(session_file::respond(&state, visitor.principal, file, FileFormat::Xlsx, held).await?)
}

/// The newest sessions of a stream that match.
pub async fn list_sessions(
    visitor: &Visitor,
    state: &AppState,
    filter: SessionFilter,
    stream_id: Uuid,
    after: Option<Uuid>,
    limit: u16,
) -> Result<query::Rows<SessionRow>, PageError> {
    let filter = SessionFilter { stream_id: Some(stream_id), ..filter };
    let page = SessionPage { order: SessionOrder::NewestFirst, after, limit };
    Ok(visitor.list_sessions(state, &filter, page).await?)
}

/// The names and the state.
fn head(visitor: &Visitor, state: &AppState, stream: &StreamRow, newest: Option<&SessionRow>) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let shown = ShownState::of(stream.known_live_at, view.now, state.unconfirmed_after);
    html! {
        h1.name { bdi { (stream.stream) } }
        p.path {
            bdi { (stream.domain) } " / " bdi { (stream.app) }
            @if let Some(template) = &stream.rendition_template { " · " (text.stream_rendition(template)) }
        }
        p.now {
            @match stream.live_since {
                Some(since) => {
                    (shown.show(text)) " "
                    (words::fill(&text.stream_live_since(), &[words::time(view, since), words::clock(view, since)]))
                    @if stream.live_sessions > 1 { " · " (text.stream_live_sessions(stream.live_sessions)) }
                    @if let Some(newest) = newest { (words::flags(view, &newest.flags)) }
                    @if shown.is_unconfirmed() { ". " (text.unconfirmed_means()) }
                }
                None => { (shown.show(text)) @if let Some(newest) = newest { " " (ended(view, newest)) } }
            }
        }
        @if let Some(newest) = newest.filter(|_| shown.is_unconfirmed() && visitor.principal.may(Scope::Admin)) {
            p.actions { a.button href=(links::session_end(newest.session_id)) { (text.set_end()) } }
        }
    }
}

/// When and how the last session ended.
fn ended(view: View, last: &SessionRow) -> Markup {
    let text = view.language;
    let seconds = duration_seconds(last.started_at, last.ended_at, view.now);
    let end = html! { a href=(links::session(last.session_id)) { (words::maybe_time(view, last.ended_at)) } };
    html! {
        (words::fill(&text.stream_ended(), &[end, words::lasted(view, seconds)]))
        " · " (words::end_source(text, last.ended_at_source))
    }
}

/// The choice of a range or a day, and the days before and after.
fn periods(view: View, stream: &StreamRow, asked: &StreamPage) -> Markup {
    let text = view.language;
    let to = |period| link(stream.stream_id, period, asked.list, None);
    let today = view.local(view.now).date_naive();
    // Without a day, the arrow leads from today to yesterday.
    let day = asked.day().unwrap_or(today);
    html! {
        div.periods {
            nav.tabs aria-label=(text.stream_periods()) {
                @for &range in Range::ALL {
                    @let period = TimelinePeriod::Last(range);
                    a href=(to(period)) aria-current=[(asked.period == period).then_some("page")] { (range.name(text)) }
                }
                @if let Some(day) = asked.day() { a href=(to(asked.period)) aria-current="page" { (date(view, day)) } }
            }
            form.actions method="get" action=(links::stream(stream.stream_id)) {
                @if let Some(list) = unless_default(asked.list) { input type="hidden" name="list" value=(list); }
                @if let Some(before) = day.pred_opt() {
                    a.button rel="prev" href=(to(TimelinePeriod::Date(before))) aria-label=(date(view, before)) title=(date(view, before)) { "‹" }
                }
                input type="date" name="day" aria-label=(text.stream_day()) value=(day) max=(today) required;
                @if let Some(after) = day.succ_opt().filter(|after| *after <= today) {
                    a.button rel="next" href=(to(TimelinePeriod::Date(after))) aria-label=(date(view, after)) title=(date(view, after)) { "›" }
                }
                button { (text.stream_show_day()) }
            }
        }
    }
}

/// A day as it is written everywhere.
pub fn date(view: View, day: NaiveDate) -> String {
    let (begin, _) = TimelinePeriod::Date(day).bounds(view);
    words::date(view, begin)
}
