//! Earlier outcomes of sessions, which are no longer valid.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::column;
use crate::model::session::EndSource;

/// An earlier outcome of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierOutcomeRow {
    pub shard: i16,
    pub session_id: Uuid,
    pub known_from: DateTime<Utc>,
    /// The end of its validity, exclusive.
    pub known_until: DateTime<Utc>,
    pub started_at: DateTime<Utc>,
    /// When the session had ended; `None` when it was live.
    pub ended_at: Option<DateTime<Utc>>,
    pub ended_at_source: Option<EndSource>,
    pub rendition_template: Option<String>,
}

/// Inserts earlier outcomes.
pub async fn insert_earlier_outcomes(
    executor: impl PgExecutor<'_>,
    outcomes: &[EarlierOutcomeRow],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into session_outcome (
             shard, session_id, known_from, known_until, started_at, ended_at, ended_at_source, rendition_template
         )
         select * from unnest(
             $1::smallint[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::text[]
         )",
        &column(outcomes, |outcome| outcome.shard),
        &column(outcomes, |outcome| outcome.session_id),
        &column(outcomes, |outcome| outcome.known_from),
        &column(outcomes, |outcome| outcome.known_until),
        &column(outcomes, |outcome| outcome.started_at),
        &column(outcomes, |outcome| outcome.ended_at) as _,
        &column(outcomes, |outcome| outcome.ended_at_source) as _,
        &column(outcomes, |outcome| outcome.rendition_template.as_deref()) as _,
    )
    .execute(executor)
    .await?;
    Ok(())
}
