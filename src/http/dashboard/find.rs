//! One box for all that somebody may look for: a name or a part of one, an id, or the URL that an encoder pushes to.

use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use maud::{Markup, html};
use uuid::Uuid;

use super::error::PageError;
use super::frame::{self, Place};
use super::visitor::Visitor;
use super::{ROOT, words};
use crate::http::problem::ApiError;
use crate::http::query_string::{FromQuery, Query, QueryReader};
use crate::http::state::AppState;
use crate::query;
use crate::store::stream::{StreamFilter, StreamRow};

/// The most streams that are shown.
const MOST: u16 = 50;

/// What somebody looks for.
pub struct FindPage {
    text: Option<String>,
}

impl FromQuery for FindPage {
    fn from_query(query: &mut QueryReader) -> Self {
        query.forget_empty();
        Self { text: query.text("text") }
    }
}

#[get("/find")]
pub async fn find(
    visitor: Visitor,
    state: Data<AppState>,
    asked: Result<Query<FindPage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let Query(FindPage { text }) = asked?;
    let text = text.as_deref().map(str::trim).unwrap_or_default();
    if let Ok(id) = Uuid::try_parse(text)
        && let Some(page) = page_of_id(&visitor, &state, id).await?
    {
        return Ok(HttpResponse::SeeOther().insert_header((LOCATION, page)).finish());
    }
    let mut found = Vec::new();
    if !text.is_empty() {
        for filter in filters(&visitor, text) {
            found = query::streams::list_streams(&state.query_pool, &filter, None, MOST).await?.rows;
            if !found.is_empty() {
                break;
            }
        }
    }
    let page = frame::page(&visitor, Place::Find, "Find", &content(text, &found));
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page.0))
}

/// The page of what has an id, if that exists for the visitor.
async fn page_of_id(visitor: &Visitor, state: &AppState, id: Uuid) -> Result<Option<String>, PageError> {
    let pool = &state.query_pool;
    if query::streams::get_stream(pool, &visitor.principal, id).await?.is_some() {
        return Ok(Some(format!("{ROOT}/streams/{id}")));
    }
    let session = query::sessions::get_session(pool, &visitor.principal, id).await?;
    Ok(session.map(|_| format!("{ROOT}/sessions/{id}")))
}

/// What the text may mean, the most exact first.
fn filters(visitor: &Visitor, text: &str) -> Vec<StreamFilter> {
    let any = StreamFilter::all(visitor.principal.visible_domains());
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

/// Domain, application and stream of an address such as `rtmp://push.example.com/live/room1?auth_info=…`, or of
/// `push.example.com/live/room1`.
fn parts_of_push_url(text: &str) -> Option<(&str, &str, &str)> {
    let path = text.split_once("://").map_or(text, |(_, rest)| rest);
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (host, path) = path.split_once('/')?;
    let (app, stream) = path.split_once('/')?;
    let domain = host.split_once(':').map_or(host, |(domain, _)| domain);
    (!domain.is_empty() && !app.is_empty() && !stream.is_empty()).then_some((domain, app, stream))
}

fn content(text: &str, found: &[StreamRow]) -> Markup {
    html! {
        h1 { "Find" }
        form.filters method="get" action=(format!("{ROOT}/find")) role="search" {
            label.wide { "Stream, part of its name, domain, id, or push URL"
                input type="search" name="text" value=(text) maxlength="512" autofocus;
            }
            button { "Find" }
        }
        @if !text.is_empty() && found.is_empty() {
            div.card role="status" {
                p { "Nothing is known by that, or nothing that is yours to see." }
                p.hint { "A part of a name is found in upper and lower case as it is written." }
            }
        }
        @if !found.is_empty() {
            table {
                thead { tr { th { "Stream" } th { "Domain" } th { "Application" } th { "State" } th { "Last began" } } }
                tbody {
                    @for row in found {
                        tr {
                            td.name { a href=(format!("{ROOT}/streams/{}", row.stream_id)) { bdi { (row.stream) } } }
                            td { (row.domain) }
                            td { (row.app) }
                            td { (words::state(row.live_sessions > 0, false)) }
                            td { (words::time(row.last_started_at)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_url_is_taken_apart() {
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
