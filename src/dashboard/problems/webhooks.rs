//! Webhooks whose receivers fail.

use maud::{Markup, html};

use super::super::set_up::webhooks::state;
use super::super::visitor::Visitor;
use super::super::{links, words};
use crate::app::state::AppState;
use crate::delivery::lag::{self, WebhookStatus};
use crate::model::access::Scope;
use crate::model::webhook::DisabledReason;

/// The failing ones, for administrators only.
pub async fn list_failing(visitor: &Visitor, state: &AppState) -> Result<Vec<WebhookStatus>, sqlx::Error> {
    if !visitor.principal.may(Scope::Admin) {
        return Ok(Vec::new());
    }
    let mut statuses = lag::list_statuses(&state.query_pool).await?;
    statuses.retain(WebhookStatus::is_failing);
    Ok(statuses)
}

pub fn cards(visitor: &Visitor, failing: &[WebhookStatus]) -> Markup {
    let view = visitor.view;
    let text = view.language;
    html! {
        @if !failing.is_empty() {
            h2 #webhooks { (text.problems_webhooks()) }
            @for WebhookStatus { row, oldest_unsent_at } in failing {
                section.card.(severity(row.disabled_reason)) {
                    h3 { a href=(links::webhook(row.webhook_id)) { bdi { (row.name) } } }
                    p { (state(view, row)) }
                    @if let Some(error) = &row.last_error { p.hint { bdi { (error) } } }
                    @if let Some(oldest) = oldest_unsent_at { p.hint { (text.webhooks_oldest_unsent()) ": " (words::ago(view, *oldest)) } }
                    p.hint { (text.problems_webhooks_hint()) }
                }
            }
        }
    }
}

fn severity(disabled: Option<DisabledReason>) -> &'static str {
    match disabled {
        Some(DisabledReason::Failing | DisabledReason::Gone) => "failure",
        Some(DisabledReason::Administrator) | None => "warning",
    }
}
