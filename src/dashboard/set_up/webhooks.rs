//! Creates, shows, tests and changes webhooks.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::{DateTime, TimeDelta};
use maud::{Markup, html};
use secrecy::ExposeSecret;

use super::super::draft::{Draft, FieldError};
use super::super::error::PageError;
use super::super::form::{self, AdminForm, SubmittedForm};
use super::super::layout::{self, NavItem};
use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::{AdminVisitor, Visitor};
use super::super::{links, words};
use super::Confirmation;
use super::secret::{self, SecretKind, redirect_with};
use crate::api::problem::{ApiError, parse_id};
use crate::app::state::AppState;
use crate::delivery::admin::{BeginAt, WebhookAdmin, WebhookSettings};
use crate::delivery::answer::Answer;
use crate::delivery::feed::Selection;
use crate::delivery::lag::{self, WebhookStatus};
use crate::delivery::replay::{Replay, ReplayOf};
use crate::delivery::test::{TestError, test_webhook};
use crate::delivery::transport::{Attempt, Received};
use crate::model::session::Renditions;
use crate::model::webhook::{DeliveryState, DisabledReason, WebhookKind, WebhookState};
use crate::platform::clock;
use crate::store;
use crate::store::webhook::WebhookRow;
use crate::store::webhook_delivery::DeliveryRow;

/// How many deliveries the page of a webhook shows.
const DELIVERIES: i64 = 50;

/// How long the secret before a replacement signs, too.
const OVERLAP: TimeDelta = TimeDelta::hours(24);

#[get("/set-up/webhooks")]
pub async fn show_webhooks(visitor: AdminVisitor, state: Data<AppState>) -> Result<HttpResponse, PageError> {
    webhooks_page(&visitor, &state, &Draft::default()).await
}

async fn webhooks_page(visitor: &Visitor, state: &AppState, draft: &Draft) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let statuses = lag::list_statuses(&state.work_pool).await?;
    let content = html! {
        h1 { (text.webhooks()) }
        p.hint { (text.webhooks_hint()) }
        div.columns {
            div {
                @if statuses.is_empty() { div.card { p { (text.webhooks_none()) } } } @else { (table(visitor.view, &statuses)) }
            }
            (form::form(visitor, "card", &links::webhooks(), &fields(text, draft)))
        }
    };
    let page = layout::page(visitor, NavItem::SetUp, &text.webhooks(), &content);
    Ok(draft.answer(page))
}

fn table(view: View, statuses: &[WebhookStatus]) -> Markup {
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr {
                th { (text.setup_token_name()) } th { (text.webhooks_kind()) } th { (text.webhooks_state()) }
                th { (text.webhooks_last_success()) } th { (text.webhooks_oldest_unsent()) }
            } }
            tbody { @for WebhookStatus { row, oldest_unsent_at } in statuses { tr {
                td.name { a href=(links::webhook(row.webhook_id)) { bdi { (row.name) } } }
                td data-label=(text.webhooks_kind()) { (kind(text, row.kind)) }
                td data-label=(text.webhooks_state()) { (state(view, row)) }
                td data-label=(text.webhooks_last_success()) { (words::maybe_ago(view, row.last_success_at)) }
                td data-label=(text.webhooks_oldest_unsent()) { (words::maybe_ago(view, *oldest_unsent_at)) }
            } } }
        } }
    }
}

fn kind(text: Language, kind: WebhookKind) -> String {
    match kind {
        WebhookKind::Events => text.webhooks_events(),
        WebhookKind::Relay => text.webhooks_relay(),
    }
}

/// Whether a webhook sends, and if not, why.
pub fn state(view: View, row: &WebhookRow) -> Markup {
    let text = view.language;
    html! {
        @match (row.disabled_reason, row.failing_since) {
            (Some(DisabledReason::Administrator), _) => (text.webhooks_disabled()),
            (Some(DisabledReason::Failing), _) => span.flag { (text.webhooks_disabled_failing()) },
            (Some(DisabledReason::Gone), _) => span.flag { (text.webhooks_disabled_gone()) },
            (None, Some(since)) => {
                span.flag { (text.webhooks_failing()) } " "
                (words::fill(&text.webhooks_first_failure(), &[words::ago(view, since)]))
            },
            (None, None) => (text.webhooks_enabled()),
        }
    }
}

fn fields(text: Language, draft: &Draft) -> Markup {
    html! {
        h2 { (text.webhooks_new()) }
        label { (text.setup_token_name())
            input type="text" name="name" required maxlength="200" value=(draft.value("name")) aria-invalid=[draft.invalid("name")] aria-describedby=[draft.described_by("name")];
        }
        (draft.error("name"))
        label { (text.webhooks_url())
            input type="url" name="url" required maxlength="2048" value=(draft.value("url")) aria-invalid=[draft.invalid("url")] aria-describedby=[draft.described_by("url")]
                autocapitalize="off" spellcheck="false" placeholder="https://receiver.example.com/streams";
        }
        (draft.error("url"))
        label { (text.webhooks_domains())
            input type="text" name="domains" value=(draft.value("domains")) aria-invalid=[draft.invalid("domains")] aria-describedby=[draft.described_by("domains")]
                autocapitalize="off" spellcheck="false";
        }
        (draft.error("domains"))
        label.tick { input type="checkbox" name="relay" value="yes" checked[draft.has("relay", "yes")]; span { (text.webhooks_relay_hint()) } }
        label.tick { input type="checkbox" name="personal" value="yes" checked[draft.has("personal", "yes")]; span { (text.webhooks_personal_hint()) } }
        (draft.error("kind"))
        button.primary { (text.webhooks_create()) }
    }
}

#[post("/set-up/webhooks")]
pub async fn create_webhook(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let settings = read_settings(&submitted);
    let now = clock::now();
    match admin(&state).create(&visitor.principal.actor, settings, BeginAt::Now, now).await {
        Ok((row, secret)) => {
            state.registry.refresh_after_change().await;
            let page = links::webhook(row.webhook_id);
            redirect_with(&state, &request, visitor, &page, (SecretKind::Webhook, &secret))
        }
        Err(error) => {
            let error = FieldError::of(error.into(), visitor.view.language)?;
            webhooks_page(visitor, &state, &Draft::typed(&submitted, [error])).await
        }
    }
}

fn read_settings(submitted: &SubmittedForm) -> WebhookSettings {
    let domains = submitted.words("domains");
    WebhookSettings {
        name: submitted.text("name").unwrap_or_default(),
        kind: if submitted.is_checked("relay") { WebhookKind::Relay } else { WebhookKind::Events },
        url: submitted.text("url").unwrap_or_default(),
        selection: Selection {
            event_types: None,
            domains: (!domains.is_empty()).then_some(domains),
            apps: None,
            renditions: Renditions::Include,
            personal: submitted.is_checked("personal"),
        },
        headers: None,
        state: WebhookState::Enabled,
    }
}

/// A webhook with its last deliveries; shows its secret if it was created a short time ago.
#[get("/set-up/webhooks/{webhook_id}")]
pub async fn show_webhook(
    visitor: AdminVisitor,
    state: Data<AppState>,
    request: HttpRequest,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let row = find(&state, &webhook_id).await?;
    let secret = secret::find(&state, &request, &visitor).filter(|(kind, _)| *kind == SecretKind::Webhook);
    let new_secret = secret.map(|(_, secret)| {
        let text = visitor.view.language;
        html! {
            div.card.success {
                p { (text.setup_secret_once()) }
                dl.facts { dt { (text.webhooks_secret()) } dd { code.secret data-copy="" { (secret.expose_secret()) } } }
            }
        }
    });
    webhook_page(&visitor, &state, row, &new_secret.unwrap_or_default()).await
}

async fn webhook_page(
    visitor: &Visitor,
    state: &AppState,
    row: WebhookRow,
    news: &Markup,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let deliveries =
        store::webhook_delivery::list_deliveries(&state.query_pool, row.webhook_id, None, None, None, DELIVERIES)
            .await?;
    let path = links::webhook(row.webhook_id);
    let (act, button) = match row.state {
        WebhookState::Enabled => ("disable", text.webhooks_disable()),
        WebhookState::Disabled => ("enable", text.webhooks_enable()),
    };
    let content = html! {
        h1 { (text.webhook()) " " bdi { (row.name) } }
        (news)
        dl.facts {
            dt { (text.webhooks_kind()) } dd { (kind(text, row.kind)) }
            dt { (text.webhooks_url()) } dd { bdi { (row.url) } }
            dt { (text.setup_domains()) }
            dd { (row.domains.as_ref().map_or_else(|| text.setup_all(), |domains| domains.join(", "))) }
            dt { (text.webhooks_state()) } dd { (self::state(view, &row)) }
            dt { (text.webhooks_last_success()) } dd { (words::maybe_ago(view, row.last_success_at)) }
            @if let Some(error) = &row.last_error { dt { (text.webhooks_last_error()) } dd { bdi { (error) } } }
        }
        div.actions {
            (form::form(visitor, "inline", &format!("{path}/test"), &html! { button { (text.webhooks_test()) } }))
            (form::form(visitor, "inline", &format!("{path}/{act}"), &html! { button { (button) } }))
            (form::form(visitor, "inline", &format!("{path}/replay"), &html! { button { (text.webhooks_replay_failed()) } }))
            a.button href=(format!("{path}/secret")) { (text.webhooks_replace_secret()) }
            a.button href=(format!("{path}/remove")) { (text.webhooks_remove()) }
        }
        h2 { (text.webhooks_deliveries()) }
        @if deliveries.is_empty() { p.hint { (text.webhooks_no_deliveries()) } } @else { (delivery_table(visitor, &path, &deliveries)) }
    };
    Ok(layout::page(visitor, NavItem::SetUp, &row.name, &content))
}

fn delivery_table(visitor: &Visitor, path: &str, rows: &[DeliveryRow]) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        div.scroll { table {
            thead { tr {
                th { (text.webhooks_event()) } th { (text.webhooks_state()) } th.number { (text.webhooks_attempts()) }
                th { (text.webhooks_last_attempt()) } th { (text.webhooks_last_error()) }
                th.number { (text.action()) }
            } }
            tbody { @for row in rows { tr {
                td.name {
                    @match row.session_id {
                        Some(session_id) => a href=(links::session(session_id)) { (row.event_type) },
                        None => (row.event_type),
                    }
                }
                td data-label=(text.webhooks_state()) {
                    @match row.state {
                        DeliveryState::Delivered => (text.webhooks_delivered()),
                        DeliveryState::Waiting => span.flag { (text.webhooks_waiting()) },
                        DeliveryState::Dead => span.flag { (text.webhooks_dead()) },
                    }
                }
                td.number data-label=(text.webhooks_attempts()) { (row.attempts) }
                td data-label=(text.webhooks_last_attempt()) { (words::ago(view, row.last_attempt_at)) }
                td { @if let Some(error) = &row.last_error { bdi { (error) } } }
                td.number { @if row.state != DeliveryState::Delivered {
                    (form::form(visitor, "inline", &format!("{path}/replay"), &html! {
                        input type="hidden" name="delivery_id" value=(row.delivery_id);
                        button.small { (text.webhooks_send_again()) }
                    }))
                } }
            } } }
        } }
    }
}

/// Sends a test event, and shows what the receiver answered.
#[post("/set-up/webhooks/{webhook_id}/test")]
pub async fn test(
    submitted: AdminForm,
    state: Data<AppState>,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let text = visitor.view.language;
    let row = find(&state, &webhook_id).await?;
    let keys = state.registry.master_keys();
    let news = match test_webhook(&state.work_pool, keys, &state.transport, row.clone(), clock::now()).await {
        Ok(Attempt { result: Ok(Received { answer: Answer::Accepted, status, .. }), took }) => {
            html! { div.card.success { p { (text.webhooks_test_accepted(status, took.as_millis())) } } }
        }
        Ok(Attempt { result: Ok(Received { status, text: answered, .. }), .. }) => html! {
            div.card.failure { p { (text.webhooks_test_rejected(status)) } @if !answered.is_empty() { p { bdi { (answered) } } } }
        },
        Ok(Attempt { result: Err(error), .. }) => html! { div.card.failure { p { bdi { (error) } } } },
        Err(TestError::Settings(error)) => html! { div.card.failure { p { bdi { (error) } } } },
        Err(TestError::Database(error)) => return Err(ApiError::from(error).into()),
    };
    webhook_page(visitor, &state, row, &news).await
}

/// Sends a delivery again, or all that failed.
#[post("/set-up/webhooks/{webhook_id}/replay")]
pub async fn replay(
    submitted: AdminForm,
    state: Data<AppState>,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let text = visitor.view.language;
    let row = find(&state, &webhook_id).await?;
    let now = clock::now();
    let what = match submitted.text("delivery_id") {
        Some(delivery_id) => ReplayOf::Deliveries(vec![parse_id(&delivery_id, "delivery")?]),
        None => ReplayOf::Period { from: DateTime::UNIX_EPOCH, to: now },
    };
    let replay = Replay { what, only_failed: true };
    let replayed = admin(&state).replay(&visitor.principal.actor, row.webhook_id, &replay, now).await;
    let events = replayed.map_err(ApiError::from)?;
    let news = html! { div.card.success { p { (text.webhooks_replayed(events)) } } };
    webhook_page(visitor, &state, row, &news).await
}

#[post("/set-up/webhooks/{webhook_id}/enable")]
pub async fn enable(
    submitted: AdminForm,
    state: Data<AppState>,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    set_state(&submitted, &state, &webhook_id, WebhookState::Enabled).await
}

#[post("/set-up/webhooks/{webhook_id}/disable")]
pub async fn disable(
    submitted: AdminForm,
    state: Data<AppState>,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    set_state(&submitted, &state, &webhook_id, WebhookState::Disabled).await
}

async fn set_state(
    submitted: &SubmittedForm,
    state: &AppState,
    webhook_id: &str,
    wanted: WebhookState,
) -> Result<HttpResponse, PageError> {
    let row = find(state, webhook_id).await?;
    let webhook_id = row.webhook_id;
    let settings = WebhookSettings { state: wanted, ..WebhookSettings::of(row) };
    let actor = &submitted.visitor.principal.actor;
    admin(state).change(actor, webhook_id, settings, BeginAt::Last, clock::now()).await.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&links::webhook(webhook_id)))
}

#[get("/set-up/webhooks/{webhook_id}/secret")]
pub async fn show_secret_replacement(
    visitor: AdminVisitor,
    state: Data<AppState>,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let row = find(&state, &webhook_id).await?;
    let path = links::webhook(row.webhook_id);
    let confirmation = Confirmation {
        title: &text.webhooks_replace_secret(),
        what: &html! { p { bdi { strong { (row.name) } } } p { (text.webhooks_replace_secret_hint()) } },
        back: &path,
        path: &format!("{path}/secret"),
        button: &text.webhooks_replace_secret(),
        destroys: false,
    };
    Ok(confirmation.page(&visitor))
}

#[post("/set-up/webhooks/{webhook_id}/secret")]
pub async fn replace_secret(
    submitted: AdminForm,
    state: Data<AppState>,
    request: HttpRequest,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let visitor = &submitted.visitor;
    let webhook_id = parse_id(&webhook_id, "webhook")?;
    let replaced = admin(&state).replace_secret(&visitor.principal.actor, webhook_id, OVERLAP, clock::now()).await;
    let secret = replaced.map_err(ApiError::from)?;
    redirect_with(&state, &request, visitor, &links::webhook(webhook_id), (SecretKind::Webhook, &secret))
}

#[get("/set-up/webhooks/{webhook_id}/remove")]
pub async fn show_removal(
    visitor: AdminVisitor,
    state: Data<AppState>,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    let text = visitor.view.language;
    let row = find(&state, &webhook_id).await?;
    let path = links::webhook(row.webhook_id);
    let what = html! {
        p { bdi { strong { (row.name) } } }
        (form::confirmation(&text.webhooks_remove_confirm()))
    };
    let confirmation = Confirmation {
        title: &text.webhooks_remove(),
        what: &what,
        back: &path,
        path: &format!("{path}/remove"),
        button: &text.webhooks_remove(),
        destroys: true,
    };
    Ok(confirmation.page(&visitor))
}

#[post("/set-up/webhooks/{webhook_id}/remove")]
pub async fn remove(
    submitted: AdminForm,
    state: Data<AppState>,
    webhook_id: Path<String>,
) -> Result<HttpResponse, PageError> {
    submitted.require_confirmation()?;
    let webhook_id = parse_id(&webhook_id, "webhook")?;
    let actor = &submitted.visitor.principal.actor;
    admin(&state).remove(actor, webhook_id, clock::now()).await.map_err(ApiError::from)?;
    state.registry.refresh_after_change().await;
    Ok(layout::redirect_to(&links::webhooks()))
}

async fn find(state: &AppState, webhook_id: &str) -> Result<WebhookRow, PageError> {
    let webhook_id = parse_id(webhook_id, "webhook")?;
    let rows = store::webhook::list_webhooks(&state.work_pool).await?;
    Ok(rows.into_iter().find(|row| row.webhook_id == webhook_id).ok_or(ApiError::NotFound("webhook"))?)
}

fn admin(state: &AppState) -> WebhookAdmin<'_> {
    WebhookAdmin { pool: &state.work_pool, master_keys: state.registry.master_keys(), transport: &state.transport }
}
