//! One search box: a name or a part of it, an ID, an IP address, or a push URL.

use std::cmp::Reverse;
use std::net::IpAddr;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::layout::{self, NavItem};
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Scope;
use crate::model::filter::{SessionFilter, StreamFilter};
use crate::model::session::SessionOrder;
use crate::query;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;
use crate::store::stream::StreamRow;

const MAX_RESULTS: u16 = 50;

pub struct SearchPage {
    text: Option<String>,
}

impl FromQuery for SearchPage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        Self { text: query.string("text") }
    }
}

#[get("/find")]
pub async fn search(
    visitor: Visitor,
    state: Data<AppState>,
    asked: Result<Query<SearchPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(SearchPage { text }) = asked?;
    let text = text.as_deref().map(str::trim).unwrap_or_default();
    if let Ok(id) = Uuid::try_parse(text)
        && let Some(page) = page_of_id(&visitor, &state, id).await?
    {
        return Ok(layout::redirect_to(&page));
    }
    let at_address = list_at_address(&visitor, &state, text).await?;
    let mut found = Vec::new();
    if !text.is_empty() && at_address.is_empty() {
        for filter in filters(text) {
            found = query::streams::list_streams(&state.query_pool, &visitor.principal, &filter, None, MAX_RESULTS)
                .await?
                .rows;
            if !found.is_empty() {
                break;
            }
        }
    }
    Ok(layout::page(&visitor, NavItem::Search, "Find", &content(&visitor, text, &found, &at_address)))
}

/// The page of the stream or session with an ID, if the visitor may see it.
async fn page_of_id(visitor: &Visitor, state: &AppState, id: Uuid) -> Result<Option<String>, PageError> {
    let pool = &state.query_pool;
    if query::streams::get_stream(pool, &visitor.principal, id).await?.is_some() {
        return Ok(Some(format!("{ROOT}/streams/{id}")));
    }
    let session = query::sessions::get_session(pool, &visitor.principal, id).await?;
    Ok(session.map(|_| format!("{ROOT}/sessions/{id}")))
}

/// The newest sessions with an IP address, of the encoder or the node, if the visitor may see addresses.
async fn list_at_address(visitor: &Visitor, state: &AppState, text: &str) -> Result<Vec<SessionRow>, PageError> {
    if text.parse::<IpAddr>().is_err() || !visitor.principal.may(Scope::Personal) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for node in [false, true] {
        let filter = SessionFilter {
            client_ip: (!node).then(|| text.to_owned()),
            node_ip: node.then(|| text.to_owned()),
            ..SessionFilter::default()
        };
        let newest = SessionPage { order: SessionOrder::NewestFirst, after: None, limit: MAX_RESULTS };
        let pool = &state.query_pool;
        let principal = &visitor.principal;
        let list =
            query::sessions::list_sessions(pool, principal, state.unconfirmed_after, &filter, newest, false).await?;
        found.extend(list.page.rows);
    }
    found.sort_by_key(|row| Reverse(row.session_id));
    found.dedup_by_key(|row| row.session_id);
    Ok(found)
}

/// The possible meanings of the text, most exact first.
fn filters(text: &str) -> Vec<StreamFilter> {
    let any = StreamFilter::default();
    let owned = |text: &str| Some(text.to_owned());
    let mut filters = Vec::new();
    if let Some((domain, app, stream)) = parts_of_push_url(text) {
        filters.push(StreamFilter { domain: owned(domain), app: owned(app), stream: owned(stream), ..any.clone() });
    }
    filters.push(StreamFilter { stream: owned(text), ..any.clone() });
    filters.push(StreamFilter { domain: owned(text), ..any.clone() });
    filters.push(StreamFilter { search: owned(text), ..any });
    filters
}

/// Domain, app and stream of a URL such as `rtmp://push.example.com/live/room1?auth_info=…`, or of
/// `push.example.com/live/room1`.
fn parts_of_push_url(text: &str) -> Option<(&str, &str, &str)> {
    let path = text.split_once("://").map_or(text, |(_, rest)| rest);
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (host, path) = path.split_once('/')?;
    let (app, stream) = path.split_once('/')?;
    let domain = host.split_once(':').map_or(host, |(domain, _)| domain);
    (!domain.is_empty() && !app.is_empty() && !stream.is_empty()).then_some((domain, app, stream))
}

fn content(visitor: &Visitor, text: &str, found: &[StreamRow], at_address: &[SessionRow]) -> Markup {
    let view = visitor.view;
    let personal = visitor.principal.may(Scope::Personal);
    html! {
        h1 { "Find" }
        form.filters method="get" action=(format!("{ROOT}/find")) role="search" {
            label.wide { "Stream, part of its name, domain, ID, " @if personal { "IP address, " } "or push URL"
                input type="search" name="text" value=(text) maxlength="512" autofocus list="suggestions" autocomplete="off" autocapitalize="off" spellcheck="false";
            }
            datalist #suggestions {}
            button { "Find" }
        }
        @if !text.is_empty() && found.is_empty() && at_address.is_empty() {
            div.card role="status" {
                p { "Nothing found, or you don't have access." }
                p.hint { "The search distinguishes upper and lower case." }
            }
        }
        @if !found.is_empty() { (stream_table(view, found)) }
        @if !at_address.is_empty() { (session_table(view, at_address)) }
    }
}

fn stream_table(view: View, found: &[StreamRow]) -> Markup {
    html! {
        table {
            thead { tr { th { "Stream" } th { "Domain" } th { "App" } th { "Status" } th { "Last started" } } }
            tbody { @for row in found { tr {
                td.name { a href=(format!("{ROOT}/streams/{}", row.stream_id)) { bdi { (row.stream) } } }
                td { (row.domain) }
                td { (row.app) }
                td { @if row.live_sessions > 0 { (words::state(view, true, false)) } @else { "offline" } }
                td data-label="last started" { (words::time(view, row.last_started_at)) }
            } } }
        }
    }
}

fn session_table(view: View, sessions: &[SessionRow]) -> Markup {
    html! {
        table {
            thead { tr { th { "Stream" } th { "Domain" } th { "App" } th { "Started" } th { "Encoder" } th { "Node" } } }
            tbody { @for row in sessions { tr {
                td.name { a href=(format!("{ROOT}/sessions/{}", row.session_id)) { bdi { (row.stream) } } }
                td { (row.domain) }
                td { (row.app) }
                td data-label="started" { (words::time(view, row.started_at)) }
                td data-label="encoder" { (row.shown_client_ip().unwrap_or("–")) }
                td data-label="node" { (row.shown_node_ip().unwrap_or("–")) }
            } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_url_is_split_into_its_parts() {
        for (text, parts) in [
            ("rtmp://push.example.com/live/room1?auth_info=x", Some(("push.example.com", "live", "room1"))),
            ("rtmps://push.example.com:443/live/a/b", Some(("push.example.com", "live", "a/b"))),
            ("push.example.com/live/room1", Some(("push.example.com", "live", "room1"))),
            ("room1", None),
            ("a/b", None),
            ("//", None),
        ] {
            assert_eq!(parts_of_push_url(text), parts, "{text}");
        }
    }
}
