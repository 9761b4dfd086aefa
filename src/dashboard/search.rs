//! One search box: names or parts of them, an ID, an IP address, a push URL or a play URL.

use std::cmp::Reverse;
use std::net::IpAddr;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::shown_state::ShownState;
use super::view::View;
use super::visitor::Visitor;
use super::{links, words};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::model::filter::SessionFilter;
use crate::model::session::SessionOrder;
use crate::query;
use crate::query::Rows;
use crate::query::streams::FoundStreams;
use crate::store::event::EventRow;
use crate::store::rejection::RejectedStreamRow;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;
use crate::store::stream::{NameSearch, UrlNames};

/// How many streams a page shows at first, and then with each "Show more".
const LIMITS: [u16; 3] = [50, 200, 500];

const MAX_AT_ADDRESS: u16 = 50;

/// Maximum rows of rejected and of quarantined callbacks.
const MAX_WITHOUT_EFFECT: u16 = 20;

/// Further words are not looked for: each is compared with every stream.
const MAX_WORDS: usize = 8;

/// Extensions of play URLs.
const PLAY_EXTENSIONS: [&str; 2] = [".flv", ".m3u8"];

pub struct SearchPage {
    text: Option<String>,
    limit: u16,
}

impl FromQuery for SearchPage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        let [first, .., most] = LIMITS;
        let limit = query.integer("limit", i64::from(first)..=i64::from(most));
        let limit = limit.and_then(|limit| u16::try_from(limit).ok()).unwrap_or(first);
        Self { text: query.string("text"), limit }
    }
}

/// What a search found.
#[derive(Default)]
struct SearchResult {
    streams: FoundStreams,
    at_address: Vec<SessionRow>,
    quarantined: Vec<EventRow>,
    rejected: Vec<RejectedStreamRow>,
}

impl SearchResult {
    fn is_empty(&self) -> bool {
        self.streams.rows.is_empty()
            && self.at_address.is_empty()
            && self.quarantined.is_empty()
            && self.rejected.is_empty()
    }
}

#[get("/find")]
pub async fn search(
    visitor: Visitor,
    state: Data<AppState>,
    asked: Result<Query<SearchPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(SearchPage { text, limit }) = asked?;
    let text = text.as_deref().map(str::trim).unwrap_or_default();
    if let Ok(id) = Uuid::try_parse(text)
        && let Some(page) = page_of_id(&visitor, &state, id).await?
    {
        return Ok(layout::redirect_to(&page));
    }
    // The address of this page, with a pasted URL in it, stays in the browser's history: not with its credentials.
    if let Some((address, _)) = text.split_once('?').filter(|_| names_of_url(text).is_some()) {
        return Ok(layout::redirect_to(&links::find_text(address)));
    }
    let found = if text.is_empty() { SearchResult::default() } else { find(&visitor, &state, text, limit).await? };
    let title = visitor.view.language.find();
    Ok(layout::page(&visitor, NavItem::Search, &title, &content(&visitor, &state, text, limit, &found)))
}

async fn find(visitor: &Visitor, state: &AppState, text: &str, limit: u16) -> Result<SearchResult, PageError> {
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let wanted = search_of(text);
    let most = MAX_WITHOUT_EFFECT;
    Ok(SearchResult {
        streams: query::streams::find_streams(pool, principal, &wanted, limit).await?,
        at_address: list_at_address(visitor, state, text).await?,
        quarantined: query::events::find_quarantined_pushes(pool, principal, &wanted, most).await?.rows,
        rejected: query::rejections::find_rejected_streams(pool, principal, &wanted, most).await?.rows,
    })
}

/// The page of the stream or session with an ID, if the visitor may see it.
async fn page_of_id(visitor: &Visitor, state: &AppState, id: Uuid) -> Result<Option<String>, PageError> {
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    if query::streams::get_stream(pool, principal, id).await?.is_some() {
        return Ok(Some(links::stream(id)));
    }
    let is_session = query::sessions::get_session(pool, principal, id).await?.is_some()
        || !query::events::list_quarantined_of_push(pool, principal, id, 1).await?.is_empty();
    Ok(is_session.then(|| links::session(id)))
}

/// The newest sessions with an IP address, of the encoder or the node, if the visitor may see addresses.
async fn list_at_address(visitor: &Visitor, state: &AppState, text: &str) -> Result<Vec<SessionRow>, PageError> {
    if !is_address(text) || !visitor.principal.may(Scope::Personal) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for node in [false, true] {
        let filter = SessionFilter {
            client_ip: (!node).then(|| text.to_owned()),
            node_ip: node.then(|| text.to_owned()),
            ..SessionFilter::default()
        };
        let newest = SessionPage { order: SessionOrder::NewestFirst, after: None, limit: MAX_AT_ADDRESS };
        found.extend(visitor.list_sessions(state, &filter, newest).await?.rows);
    }
    found.sort_by_key(|row| Reverse(row.session_id));
    found.dedup_by_key(|row| row.session_id);
    Ok(Rows::of(found, MAX_AT_ADDRESS).rows)
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Takes the text of the search box apart.
fn search_of(text: &str) -> NameSearch {
    let words: Vec<&str> =
        if text.contains("://") { vec![path_of_url(text)] } else { text.split_whitespace().collect() };
    let pattern = |word: &&str| {
        let word = if word.contains('/') { path_of_url(word) } else { word };
        format!("%{}%", word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"))
    };
    NameSearch {
        patterns: words.iter().take(MAX_WORDS).map(pattern).collect(),
        text: text.to_owned(),
        url: names_of_url(text),
    }
}

/// A URL without its scheme and its query.
fn path_of_url(text: &str) -> &str {
    let path = text.split_once("://").map_or(text, |(_, path)| path);
    path.split(['?', '#']).next().unwrap_or(path)
}

/// Domain, app and stream of a URL such as `rtmp://push.example.com/live/room1?auth_info=…`,
/// `https://play.example.com/live/room1.flv`, or either without its scheme.
fn names_of_url(text: &str) -> Option<UrlNames> {
    let (host, path) = path_of_url(text).split_once('/')?;
    let (app, stream) = path.split_once('/')?;
    let domain = host.split_once(':').map_or(host, |(domain, _)| domain);
    if domain.is_empty() || app.is_empty() || stream.is_empty() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let stream = decoded(stream);
    let app = decoded(app);
    if app.contains(char::is_control) || stream.contains(char::is_control) {
        return None;
    }
    let without_extension = PLAY_EXTENSIONS.iter().find_map(|extension| stream.strip_suffix(extension));
    let streams = without_extension.map(str::to_owned).into_iter().chain([stream.clone()]).collect();
    Some(UrlNames { domain: domain.to_ascii_lowercase(), app, streams })
}

fn content(visitor: &Visitor, state: &AppState, text: &str, limit: u16, found: &SearchResult) -> Markup {
    let view = visitor.view;
    let language = view.language;
    let personal = visitor.principal.may(Scope::Personal);
    html! {
        h1 { (language.find()) }
        form.filters method="get" action=(links::find()) role="search" {
            label.wide { @if personal { (language.search_label_personal()) } @else { (language.search_label()) }
                input type="search" name="text" value=(text) maxlength="512" autofocus[text.is_empty()] autocomplete="off" autocapitalize="off" spellcheck="false";
            }
            button.primary { (language.find()) }
        }
        @if text.is_empty() { p.hint { (language.search_hint()) } }
        @else if found.is_empty() { (nothing(visitor, text)) }
        @if !found.streams.rows.is_empty() {
            (stream_table(view, state, &found.streams))
            (show_more(view, text, limit, &found.streams))
        }
        @if !found.at_address.is_empty() { (session_table(view, &found.at_address)) }
        @if !found.quarantined.is_empty() || !found.rejected.is_empty() { (without_effect(visitor, state, found)) }
    }
}

fn nothing(visitor: &Visitor, text: &str) -> Markup {
    let language = visitor.view.language;
    html! {
        div.card role="status" {
            p { bdi { (language.search_nothing(text)) } }
            @if let Some(domains) = visitor.principal.visible_domains() {
                p.hint { (language.bound_to(&domains.join(", "))) }
            }
            @if is_address(text) && !visitor.principal.may(Scope::Personal) { p.hint { (language.search_no_addresses()) } }
            p.hint { (language.search_hint()) }
        }
    }
}

fn stream_table(view: View, state: &AppState, found: &FoundStreams) -> Markup {
    let text = view.language;
    let matches = found.matches;
    let shown = i64::try_from(found.rows.len()).unwrap_or(i64::MAX);
    html! {
        p.hint role="status" {
            @if matches > shown { (text.search_count_shown(&words::count(matches), &words::count(shown))) }
            @else if matches == 1 { (text.search_count_one()) }
            @else { (text.search_count(&words::count(matches))) }
        }
        table {
            thead { tr {
                th { (text.stream()) } th { (text.domain()) } th { (text.app()) } th { (text.state()) }
                th { (text.search_last_start()) } th { (text.search_last_end()) } th.number { (text.search_last_length()) }
            } }
            tbody { @for row in &found.rows {
                @let state = ShownState::of(row.known_live_at, view.now, state.unconfirmed_after);
                tr class=[state.row_class()] {
                    td.name { a href=(links::stream(row.stream_id)) { bdi { (row.stream) } } }
                    td { bdi { (row.domain) } }
                    td { bdi { (row.app) } }
                    td { (state.show(text)) }
                    td data-label=(text.search_last_start()) { (words::time(view, row.last_started_at)) }
                    td data-label=(text.search_last_end()) { (words::maybe_time(view, row.last_ended_at)) }
                    td.number data-label=(text.search_length()) { (length(view, row.last_started_at, row.last_ended_at)) }
                }
            } }
        }
    }
}

fn length(view: View, started_at: DateTime<Utc>, ended_at: Option<DateTime<Utc>>) -> Markup {
    match ended_at {
        Some(ended_at) => words::lasted(view, (ended_at - started_at).num_seconds().max(0)),
        None => words::clock(view, started_at),
    }
}

fn show_more(view: View, text: &str, limit: u16, found: &FoundStreams) -> Markup {
    let language = view.language;
    let complete = found.matches <= i64::from(limit);
    let more = LIMITS.into_iter().find(|larger| *larger > limit).map(|larger| larger.to_string());
    html! {
        @if !complete {
            p.actions {
                @match more {
                    Some(more) => a.button href=(links::with(&links::find(), &[("text", Some(text)), ("limit", Some(&more))])) { (language.search_show_more()) },
                    None => span.hint { (language.search_narrow()) },
                }
            }
        }
    }
}

fn session_table(view: View, sessions: &[SessionRow]) -> Markup {
    let text = view.language;
    html! {
        h2 { (text.search_at_address()) }
        @if sessions.len() == usize::from(MAX_AT_ADDRESS) { p.hint { (text.search_newest(MAX_AT_ADDRESS)) } }
        table {
            thead { tr {
                th { (text.stream()) } th { (text.domain()) } th { (text.app()) } th { (text.started()) }
                th { (text.encoder()) } th { (text.node()) }
            } }
            tbody { @for row in sessions { tr {
                td.name { a href=(links::session(row.session_id)) { bdi { (row.stream) } } }
                td { bdi { (row.domain) } }
                td { bdi { (row.app) } }
                td data-label=(text.started()) { (words::time(view, row.started_at)) }
                td data-label=(text.encoder()) { (row.shown_client_ip().unwrap_or("–")) }
                td data-label=(text.node()) { (row.shown_node_ip().unwrap_or("–")) }
            } } }
        }
    }
}

/// Streams that callbacks without effect named: what happened, and where it can be mended.
fn without_effect(visitor: &Visitor, state: &AppState, found: &SearchResult) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        section #without-effect {
            h2 { (text.search_without_effect()) }
            p.hint { (text.search_without_effect_hint()) }
            table {
                thead { tr {
                    th { (text.stream()) } th { (text.domain()) } th { (text.app()) } th { (text.search_happened()) }
                    th { (text.search_last_seen()) } th { (text.search_mend()) }
                } }
                tbody {
                    @for row in &found.quarantined { (quarantined_row(view, row)) }
                    @for row in &found.rejected { (rejected_row(visitor, state, row)) }
                }
            }
        }
    }
}

fn quarantined_row(view: View, row: &EventRow) -> Markup {
    let text = view.language;
    let page = links::session(row.session_id);
    html! {
        tr {
            td.name { a href=(page) { bdi { (row.stream) } } }
            td { bdi { (row.domain) } }
            td { bdi { (row.app) } }
            td { span.flag { (text.quarantined()) } @if let Some(reason) = row.reason { " " (text.quarantine_name(reason)) } }
            td data-label=(text.search_last_seen()) { (words::time(view, row.received_at)) }
            td { a href=(page) { (text.search_open_callback()) } }
        }
    }
}

fn rejected_row(visitor: &Visitor, state: &AppState, row: &RejectedStreamRow) -> Markup {
    let view = visitor.view;
    let text = view.language;
    let is_registered = state.registry.current().domain(&row.claimed_domain).is_some();
    html! {
        tr {
            td.name { bdi { (row.stream) } }
            td { bdi { @if row.claimed_domain.is_empty() { "–" } @else { (row.claimed_domain) } } }
            td { bdi { (row.app) } }
            td { span.flag { (text.search_rejected()) } " " (text.rejection_name(row.cause)) }
            td data-label=(text.search_last_seen()) { (words::time(view, row.sampled_at)) }
            td {
                a href=(links::problems()) { (text.search_open_problems()) }
                @if is_registered && visitor.principal.may(Scope::Admin) {
                    ", " a href=(links::domain(&row.claimed_domain)) { (text.search_open_domain()) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(domain: &str, app: &str, streams: &[&str]) -> UrlNames {
        let streams = streams.iter().map(|stream| (*stream).to_owned()).collect();
        UrlNames { domain: domain.to_owned(), app: app.to_owned(), streams }
    }

    #[test]
    fn push_urls_and_play_urls_are_taken_apart() {
        for (text, expected) in [
            ("rtmp://push.example.com/live/room1?auth_info=x", Some(names("push.example.com", "live", &["room1"]))),
            ("rtmps://Push.example.com:443/live/a/b", Some(names("push.example.com", "live", &["a/b"]))),
            ("push.example.com/live/room1", Some(names("push.example.com", "live", &["room1"]))),
            (
                "https://play.example.com/live/room1.flv?x=1",
                Some(names("play.example.com", "live", &["room1", "room1.flv"])),
            ),
            (
                "https://play.example.com/live/%E5%BC%A0.m3u8",
                Some(names("play.example.com", "live", &["张", "张.m3u8"])),
            ),
            ("room1", None),
            ("a/b", None),
            ("a.example/b/%00", None),
            ("a.example/b%0A/c", None),
            ("//", None),
        ] {
            assert_eq!(names_of_url(text), expected, "{text}");
        }
    }

    #[test]
    fn each_word_is_a_literal_part_of_the_joined_names() {
        assert_eq!(search_of(" 50%  a_b ").patterns, ["%50\\%%", "%a\\_b%"]);
        assert_eq!(search_of("rtmp://a.example/live/room 1?k=v").patterns, ["%a.example/live/room 1%"]);
        assert_eq!(search_of("a.example/live/room1?k=v").patterns, ["%a.example/live/room1%"]);
    }
}
