//! A test callback: signed with the domain's newest key, then handled like any other.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, post};
use maud::{Markup, html};
use secrecy::ExposeSecret;

use super::super::ROOT;
use super::super::error::PageError;
use super::super::form::{self, SubmittedForm};
use super::super::layout::{self, NavItem};
use super::super::visitor::Visitor;
use super::{find_domain, page_of};
use crate::api::problem::ApiError;
use crate::app::client_address::source_address;
use crate::app::state::AppState;
use crate::config::Role;
use crate::http::callbacks;
use crate::huawei::admission::Verdict;
use crate::huawei::advice;
use crate::huawei::composing::{Message, Signing, compose};
use crate::huawei::notification::Event;
use crate::huawei::signature::SigningKey;
use crate::model::access::{Scope, SignatureRule};
use crate::platform::clock;
use crate::registry::open_key;
use crate::session::{SessionKey, StreamKey};
use crate::store;
use crate::store::domain::DomainRow;

const STREAM: &str = "streamtally-test";

const VALIDITY_SECONDS: i64 = 60;

pub fn section(visitor: &Visitor, state: &AppState, domain: &DomainRow, keys: usize) -> Markup {
    html! {
        h2 { "Test" }
        @if domain.signature == SignatureRule::None {
            p.hint {
                "The secret path is not stored. Someone who knows it can send a test callback: set "
                code { "STREAMTALLY_CALLBACK_PATH" } " to it, then run "
                code { "streamtally send start --domain " (domain.domain) " --stream test" } "."
            }
        } @else if keys == 0 {
            p.hint { "Add a key first." }
        } @else if !state.roles.contains(&Role::Receiver) {
            p.hint { "This process does not receive callbacks. Open this page on a process with the role receiver." }
        } @else {
            (form::form(visitor, "actions", &format!("{}/test", page_of(&domain.domain)), &html! { button { "Send a test callback" } }))
            p.hint { "Sends the start and the end of a push of zero seconds, of the stream " code { (STREAM) } ", signed with the newest key. This tests the key, not whether the provider reaches the callback URL. The session stays in the history." }
        }
    }
}

#[post("/set-up/domains/{domain}/test")]
pub async fn send_test_callback(
    submitted: SubmittedForm,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_scope(Scope::Admin)?;
    let row = find_domain(&state, &domain).await?;
    let keys = store::signing_key::list_signing_keys(&state.work_pool).await?;
    let key = keys.iter().find(|key| key.domain == row.domain).ok_or(ApiError::NotFound("key"))?;
    let key =
        open_key(key, &state.registry.current().master_key).map_err(|error| ApiError::Unavailable(error.into()))?;
    let key = SigningKey::new(key.expose_secret());
    let app = row.apps.as_ref().and_then(|apps| apps.first()).map_or("live", String::as_str);
    let now = clock::now().timestamp();
    let source_ip = source_address(&request);
    let mut verdicts = Vec::new();
    for event in [Event::Publish, Event::PublishDone] {
        let message = Message {
            domain: &row.domain,
            app,
            stream: STREAM,
            user_args: "",
            client_ip: "127.0.0.1",
            node_ip: "127.0.0.1",
            publish_timestamp: now,
            event: &event,
        };
        let signing = Signing { key: &key, joiner: row.joiner, auth_timestamp: now + VALIDITY_SECONDS };
        let body = compose(&message, Some(signing));
        verdicts.push((event, callbacks::take(&state, source_ip, None, body.as_bytes()).await?));
    }
    let stream = StreamKey { domain: row.domain.clone(), app: app.to_owned(), stream: STREAM.to_owned() };
    let session_id = SessionKey { stream, publish_timestamp: now }.id().0;
    let content = html! {
        h1 { "Test of " (row.domain) }
        dl.facts { @for (event, verdict) in &verdicts {
            dt { code { (event.word()) } }
            dd { (describe(verdict)) }
        } }
        p { a href=(format!("{ROOT}/sessions/{session_id}")) { "The resulting session" } " · " a href=(page_of(&row.domain)) { "Back to " (row.domain) } }
    };
    Ok(layout::page(&submitted.visitor, NavItem::SetUp, "Test", &content))
}

fn describe(verdict: &Verdict) -> Markup {
    match verdict {
        Verdict::Accept(_) => html! { span.state.live { "accepted" } " Authenticated and stored." },
        Verdict::Quarantine(_, reason) => {
            html! { span.state.unconfirmed { "quarantined" } " " (advice::of_reason(*reason)) }
        }
        Verdict::Reject(cause) => html! { span.wrong { "rejected" } " " (advice::of_rejection(*cause)) },
    }
}
