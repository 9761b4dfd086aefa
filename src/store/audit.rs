//! The audit log: administrative actions.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::model::access::Act;

/// An administrative action.
#[derive(Debug, Clone)]
pub struct AuditRow {
    pub audit_id: Uuid,
    pub done_at: DateTime<Utc>,
    pub actor: String,
    /// The token that was used; `None` for the administrator's token and for commands.
    pub token_id: Option<Uuid>,
    pub act: Act,
    pub domain: Option<String>,
    pub subject_id: Option<Uuid>,
    /// Further facts; never a secret.
    pub details: Option<Value>,
}

pub async fn insert_audit_entry(executor: impl PgExecutor<'_>, row: &AuditRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit_entry (audit_id, done_at, actor, token_id, act, domain, subject_id, details)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        row.audit_id,
        row.done_at,
        row.actor,
        row.token_id,
        row.act.as_str(),
        row.domain,
        row.subject_id,
        row.details
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Actions, newest first, after a cursor, at most `limit`.
pub async fn list_audit_entries(
    executor: impl PgExecutor<'_>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<AuditRow>, sqlx::Error> {
    let (done_at, audit_id) = after.unzip();
    sqlx::query_as!(
        AuditRow,
        "select audit_id, done_at, actor, token_id, act, domain, subject_id, details
         from audit_entry
         where $1::timestamptz is null or (done_at, audit_id) < ($1, $2)
         order by done_at desc, audit_id desc
         limit $3",
        done_at,
        audit_id,
        limit
    )
    .fetch_all(executor)
    .await
}
