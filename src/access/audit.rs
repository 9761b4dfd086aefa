//! The audit log. An administrative action is recorded in its own transaction; if it appends to the event log, which
//! commits by itself, it is recorded just before.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Actor;
use crate::model::access::Act;
use crate::store;
use crate::store::audit::AuditRow;

/// The object of an action.
#[derive(Debug, Clone, Default)]
pub struct Subject<'a> {
    pub domain: Option<&'a str>,
    pub id: Option<Uuid>,
    /// Details; never a secret.
    pub details: Option<Value>,
}

/// Records an action.
pub async fn record(
    executor: impl PgExecutor<'_>,
    actor: &Actor,
    done_at: DateTime<Utc>,
    act: Act,
    subject: Subject<'_>,
) -> Result<(), sqlx::Error> {
    let row = AuditRow {
        audit_id: Uuid::new_v4(),
        done_at,
        actor: actor.name.clone(),
        token_id: actor.token_id,
        act,
        domain: subject.domain.map(str::to_owned),
        subject_id: subject.id,
        details: subject.details,
    };
    store::audit::insert_audit_entry(executor, &row).await
}
