//! Connects a domain in three steps: the callback URL and the key, a test, and the first callback of the provider.
//!
//! Shows a new key or a new secret path; see [`secret`].

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use maud::{Markup, html};
use secrecy::ExposeSecret;

use super::super::error::PageError;
use super::super::layout::{self, NavItem};
use super::super::problems::rejections;
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::secret::{self, SecretKind};
use super::test_callback::{self, TestedFrom};
use super::{DomainQuery, callback_url, credentials, find_domain};
use crate::api::problem::ApiError;
use crate::app::state::AppState;
use crate::http::external_url::url_of;
use crate::http::extract::Query;
use crate::model::access::SignatureRule;
use crate::model::filter::SessionFilter;
use crate::model::session::SessionOrder;
use crate::query;
use crate::store;
use crate::store::domain::DomainRow;
use crate::store::session::SessionRow;
use crate::store::session_list::SessionPage;

/// How many of a domain's newest sessions are searched for one that is not of a test.
const SEARCHED_SESSIONS: u16 = 50;

#[get("/set-up/domains/{domain}/connect")]
pub async fn show_connection(
    visitor: AdminVisitor,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
    asked: Result<Query<DomainQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let Query(asked) = asked?;
    let row = find_domain(&state, &domain).await?;
    let has_key = !credentials::list_keys(&state, &row.domain).await?.is_empty();
    let tested = test_callback::result_of(&state, &row.domain, asked.tested.as_deref());
    let content = html! {
        h1 { (text.setup_connect(&row.domain)) }
        ol.steps {
            li.card {
                h2 { (text.setup_step_provider()) }
                p { (text.setup_step_provider_hint()) }
                (to_copy(&visitor, &state, &request, &row, has_key))
            }
            li.card {
                h2 { (text.setup_step_test()) }
                (test_callback::section(&visitor, &state, &row, has_key, TestedFrom::Connect, tested.as_ref()))
            }
            li.card {
                h2 { (text.setup_step_wait()) }
                (arrival(&visitor, &state, &row).await?)
            }
        }
        div.actions { a.button href=(links::domain(&row.domain)) { (text.setup_done()) } }
    };
    Ok(layout::page(&visitor, NavItem::SetUp, &row.domain, &content))
}

/// The callback URL and the key, as far as they may be shown.
fn to_copy(visitor: &Visitor, state: &AppState, request: &HttpRequest, row: &DomainRow, has_key: bool) -> Markup {
    let text = visitor.view.language;
    let new = secret::find(state, request, visitor);
    let new_url = new.as_ref().filter(|(kind, _)| *kind == SecretKind::CallbackUrl);
    let new_key = new.as_ref().filter(|(kind, _)| *kind == SecretKind::Key);
    let signed = row.signature == SignatureRule::Required;
    html! {
        dl.facts {
            dt { (text.setup_callback_url()) }
            dd {
                @if let Some((_, url)) = new_url {
                    code.secret data-copy="" { (url.expose_secret()) }
                    p.hint { (text.setup_secret_once()) }
                } @else if signed {
                    code data-copy="" { (url_of(request, "/callbacks/huawei")) }
                } @else if row.callback_token_hash.is_some() {
                    (text.setup_url_hidden()) " " a href=(format!("{}#secret-path", links::domain(&row.domain))) { (text.setup_path_replace()) }
                } @else { a href=(format!("{}#secret-path", links::domain(&row.domain))) { (text.setup_path_create()) } }
                (callback_url::warnings(visitor.view, request))
            }
            @if signed {
                dt { (text.setup_key()) }
                dd {
                    @if let Some((_, key)) = new_key {
                        code.secret data-copy="" { (key.expose_secret()) }
                        p.hint { (text.setup_secret_once()) }
                    } @else if has_key { (text.setup_key_hidden()) " " a href=(format!("{}#keys", links::domain(&row.domain))) { (text.setup_keys()) } }
                    @else { (text.setup_key_none()) " " a href=(format!("{}#keys", links::domain(&row.domain))) { (text.problems_add_key()) } }
                }
            }
        }
    }
}

/// Whether a callback of the provider has arrived. The script reads this again until it has.
async fn arrival(visitor: &Visitor, state: &AppState, row: &DomainRow) -> Result<Markup, PageError> {
    let view = visitor.view;
    let text = view.language;
    let newest = newest_session(state, visitor, row).await?;
    let has_quarantined =
        newest.is_none() && store::silence::has_unseen_session(&state.query_pool, &row.domain).await?;
    let pool = &state.query_pool;
    let principal = &visitor.principal;
    let rejected =
        query::rejections::list_rejection_groups(pool, principal, Some(&row.domain), view.now, rejections::MAX_GROUPS);
    // Before the registration, every callback of the domain was rejected.
    let rejected: Vec<_> = rejected.await?.rows.into_iter().filter(|group| group.last_at >= row.created_at).collect();
    let waiting = newest.is_none() && !has_quarantined;
    Ok(html! {
        div #arrival data-waiting=[waiting.then_some("")] aria-live="polite" {
            @if let Some(session) = &newest {
                p { span.state.live { (text.setup_arrived()) } " " (words::fill(&text.setup_arrived_of(), &[
                    html! { a href=(links::session(session.session_id)) { bdi { (session.stream) } } },
                    words::ago(view, session.started_at),
                ])) }
            } @else if has_quarantined {
                p { span.state.unconfirmed { (text.setup_arrived_quarantined()) } " " a href=(links::page("problems#quarantined")) { (text.problems_quarantined()) } }
            } @else {
                p { strong { (text.setup_waiting()) } " " a href=(links::connect(&row.domain)) { (text.setup_reload()) } }
                p.hint { (text.setup_waiting_hint()) }
            }
            @if !rejected.is_empty() && newest.is_none() {
                p.wrong { (text.setup_arrived_rejected()) }
                div.cards { @for group in &rejected { (rejections::card(visitor, group)) } }
            }
        }
    })
}

/// The newest session since the registration that is not of a test callback.
async fn newest_session(
    state: &AppState,
    visitor: &Visitor,
    domain: &DomainRow,
) -> Result<Option<SessionRow>, PageError> {
    let filter = SessionFilter {
        domain: Some(domain.domain.clone()),
        from: Some(domain.created_at),
        ..SessionFilter::default()
    };
    let page = SessionPage { order: SessionOrder::NewestFirst, after: None, limit: SEARCHED_SESSIONS };
    Ok(visitor
        .list_sessions(state, &filter, page)
        .await?
        .rows
        .into_iter()
        .find(|session| session.stream != test_callback::STREAM))
}
