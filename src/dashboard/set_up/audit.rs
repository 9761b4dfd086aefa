//! The audit log: who changed what, newest first.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use uuid::Uuid;

use super::super::error::PageError;
use super::super::layout::{self, NavItem};
use super::super::texts::Language;
use super::super::view::View;
use super::super::visitor::AdminVisitor;
use super::super::{links, words};
use super::credentials::short_id;
use crate::api::page::PageRequest;
use crate::api::problem::ApiError;
use crate::api::query_reader::{FromQuery, QueryReader};
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::access::Act;
use crate::query::Rows;
use crate::store;
use crate::store::audit::AuditRow;

pub struct AuditQuery {
    page: PageRequest<(DateTime<Utc>, Uuid)>,
}

impl FromQuery for AuditQuery {
    fn from_query(query: &mut QueryReader) -> Self {
        Self { page: PageRequest::from_query(query) }
    }
}

#[get("/set-up/audit")]
pub async fn show_audit_log(
    visitor: AdminVisitor,
    state: Data<AppState>,
    asked: Result<Query<AuditQuery>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let text = view.language;
    let Query(AuditQuery { page }) = asked?;
    let rows = store::audit::list_audit_entries(&state.work_pool, page.after, i64::from(page.limit) + 1).await?;
    let (rows, next) = page.page(Rows::of(rows, page.limit), |row| (row.done_at, row.audit_id), |row| row);
    let address = links::page("set-up/audit");
    let content = html! {
        h1 { (text.setup_audit()) }
        p.hint { (text.setup_audit_hint()) }
        @if rows.is_empty() { div.card { p { (text.setup_audit_empty()) } } } @else { (table(view, &rows)) }
        div.actions {
            @if page.after.is_some() { a.button href=(address) { (text.newest()) } }
            @if let Some(next) = &next { a.button href=(links::with(&address, &[("cursor", Some(next))])) { (text.setup_audit_older()) } }
            a.button href=(links::set_up()) { (text.setup()) }
        }
    };
    Ok(layout::page(&visitor, NavItem::SetUp, &text.setup_audit(), &content))
}

fn table(view: View, rows: &[AuditRow]) -> Markup {
    let text = view.language;
    html! {
        div.scroll { table #audit {
            thead { tr {
                th { (text.time()) } th { (text.setup_audit_actor()) } th.number { (text.action()) }
                th { (text.domain()) } th { (text.id()) } th { (text.setup_audit_details()) }
            } }
            tbody { @for row in rows { tr {
                td { (words::time(view, row.done_at)) }
                td { bdi { (row.actor) } }
                td { (act(text, row.act)) }
                td { @if let Some(domain) = &row.domain { bdi { (domain) } } }
                td { @if let Some(id) = row.subject_id { code title=(id) { (short_id(id)) } } }
                td { @if let Some(details) = &row.details { details { summary { (text.setup_audit_details()) } code.json { (details) } } } }
            } } }
        } }
    }
}

fn act(text: Language, act: Act) -> String {
    match act {
        Act::DomainRegistered => text.setup_act_domain_registered(),
        Act::DomainChanged => text.setup_act_domain_changed(),
        Act::DomainRemoved => text.setup_act_domain_removed(),
        Act::KeyAdded => text.setup_act_key_added(),
        Act::KeyRemoved => text.setup_act_key_removed(),
        Act::CallbackPathReplaced => text.setup_act_callback_path_replaced(),
        Act::TokenCreated => text.setup_act_token_created(),
        Act::TokenRevoked => text.setup_act_token_revoked(),
        Act::EventReleased => text.setup_act_event_released(),
        Act::EventsReleased => text.setup_act_events_released(),
        Act::RejectionsRetried => text.setup_act_rejections_retried(),
        Act::SessionEnded => text.setup_act_session_ended(),
        Act::SessionEndWithdrawn => text.setup_act_session_end_withdrawn(),
        Act::SessionConfirmed => text.setup_act_session_confirmed(),
        Act::SealedReportDeleted => text.setup_act_sealed_report_deleted(),
        Act::WebhookCreated => text.setup_act_webhook_created(),
        Act::WebhookChanged => text.setup_act_webhook_changed(),
        Act::WebhookRemoved => text.setup_act_webhook_removed(),
        Act::WebhookSecretReplaced => text.setup_act_webhook_secret_replaced(),
        Act::WebhookReplayed => text.setup_act_webhook_replayed(),
        Act::ProviderAccountCreated => text.setup_act_provider_account_created(),
        Act::ProviderAccountChanged => text.setup_act_provider_account_changed(),
        Act::ProviderAccountRemoved => text.setup_act_provider_account_removed(),
        Act::ClockRepaired => text.setup_act_clock_repaired(),
        Act::MasterKeyRotated => text.setup_act_master_key_rotated(),
    }
}
