//! A test callback: signed with the domain's newest key, then handled like any other.
//!
//! The form redirects to the page that it was sent from, which shows the verdict.

use actix_web::HttpRequest;
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, post};
use maud::{Markup, html};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::form::{self, AdminForm};
use super::super::view::View;
use super::super::visitor::Visitor;
use super::super::{layout, links, words};
use super::find_domain;
use crate::api::problem::ApiError;
use crate::app::client_address::source_address;
use crate::app::state::AppState;
use crate::config::Role;
use crate::http::callbacks;
use crate::huawei::admission::Verdict;
use crate::huawei::composing::{Message, Signing, compose};
use crate::huawei::notification::Event;
use crate::huawei::signature::SigningKey;
use crate::model::access::SignatureRule;
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;
use crate::platform::clock;
use crate::registry::open_key;
use crate::session::{SessionKey, StreamKey};
use crate::store;
use crate::store::domain::DomainRow;

/// The stream of test callbacks.
pub const STREAM: &str = "streamtally-test";

const VALIDITY_SECONDS: i64 = 60;

/// The result of a test, sealed in the link that shows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct TestResult {
    session_id: Uuid,
    verdicts: Vec<TestVerdict>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum TestVerdict {
    Accepted,
    Quarantined(QuarantineReason),
    Rejected(RejectionReason),
}

impl From<&Verdict> for TestVerdict {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Accept(_) => Self::Accepted,
            Verdict::Quarantine(_, reason) => Self::Quarantined(*reason),
            Verdict::Reject(cause) => Self::Rejected(*cause),
        }
    }
}

/// The page that the form is on, and that shows the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestedFrom {
    Domain,
    Connect,
}

impl TestedFrom {
    fn page(self, domain: &str) -> String {
        match self {
            Self::Domain => links::domain(domain),
            Self::Connect => links::connect(domain),
        }
    }
}

pub fn section(
    visitor: &Visitor,
    state: &AppState,
    domain: &DomainRow,
    has_key: bool,
    from: TestedFrom,
    tested: Option<&TestResult>,
) -> Markup {
    let text = visitor.view.language;
    html! {
        @if domain.signature == SignatureRule::None {
            p.hint {
                (words::fill(&text.setup_test_by_command(), &[
                    html! { code { "STREAMTALLY_CALLBACK_PATH" } },
                    html! { code { "streamtally send start --domain " (domain.domain) " --stream test" } },
                ]))
            }
        } @else if !has_key {
            p.hint { (text.setup_test_needs_key()) }
        } @else if !state.roles.contains(&Role::Receiver) {
            p.hint { (text.setup_test_needs_receiver()) }
        } @else {
            (form::form(visitor, "actions", &format!("{}/test", links::domain(&domain.domain)), &html! {
                @if from == TestedFrom::Connect { input type="hidden" name="from" value="connect"; }
                button.primary[from == TestedFrom::Connect && tested.is_none()] { (text.setup_step_test()) }
            }))
            @if let Some(tested) = tested { (verdicts(visitor.view, tested)) }
            p.hint { (words::fill(&text.setup_test_hint(), &[html! { code { (STREAM) } }])) }
        }
    }
}

fn verdicts(view: View, tested: &TestResult) -> Markup {
    let text = view.language;
    let is_accepted = tested.verdicts.iter().all(|verdict| matches!(verdict, TestVerdict::Accepted));
    html! {
        div #tested.card.success[is_accepted].error[!is_accepted] role="status" {
            @if is_accepted {
                p { strong { (text.setup_test_accepted()) } " " (text.setup_test_accepted_hint()) }
            } @else {
                @for verdict in &tested.verdicts {
                    p { @match verdict {
                        TestVerdict::Accepted => (text.setup_test_accepted()),
                        TestVerdict::Quarantined(reason) => {
                            strong { (text.setup_test_quarantined()) " " (text.quarantine_name(*reason)) }
                            " " (text.quarantine_advice(*reason))
                        }
                        TestVerdict::Rejected(cause) => {
                            strong { (text.setup_test_rejected()) " " (text.rejection_name(*cause)) }
                            " " (text.rejection_advice(*cause))
                        }
                    } }
                }
            }
            p { a href=(links::session(tested.session_id)) { (text.setup_test_session()) } }
        }
    }
}

#[post("/set-up/domains/{domain}/test")]
pub async fn send_test_callback(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
    domain: Path<String>,
) -> Result<HttpResponse, PageError> {
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
        verdicts.push(TestVerdict::from(&callbacks::take(&state, source_ip, None, None, body.as_bytes()).await?));
    }
    let stream = StreamKey { domain: row.domain.clone(), app: app.to_owned(), stream: STREAM.to_owned() };
    let session_id = SessionKey { stream, publish_timestamp: now }.id().0;
    let from = if submitted.text("from").is_some() { TestedFrom::Connect } else { TestedFrom::Domain };
    let sealed = state.cipher.seal(&bound_to(&row.domain), &TestResult { session_id, verdicts });
    let page = links::with(&from.page(&row.domain), &[("tested", sealed.as_deref())]);
    Ok(layout::redirect_to(&format!("{page}#tested")))
}

/// The result in a link to a domain's page.
pub fn result_of(state: &AppState, domain: &str, sealed: Option<&str>) -> Option<TestResult> {
    state.cipher.open(&bound_to(domain), sealed?)
}

fn bound_to(domain: &str) -> String {
    format!("test of {domain}")
}
