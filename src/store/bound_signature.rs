//! Signatures, each bound to the push that it came with first.

use sqlx::PgExecutor;
use uuid::Uuid;

/// The push that a signature is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundSignatureRow {
    /// Its session.
    pub session_id: Uuid,
    /// Unix second at which it began.
    pub publish_timestamp: i64,
}

/// What a signature is bound to, if it is.
///
/// # Errors
/// Those of the database.
pub async fn get_bound_signature(
    executor: impl PgExecutor<'_>,
    shard: i16,
    signature_tag: Uuid,
) -> Result<Option<BoundSignatureRow>, sqlx::Error> {
    sqlx::query_as!(
        BoundSignatureRow,
        "select session_id, publish_timestamp from bound_signature where shard = $1 and signature_tag = $2",
        shard,
        signature_tag
    )
    .fetch_optional(executor)
    .await
}

/// Forgets the signatures that expired before `auth_timestamp`, in Unix seconds. Gives their number.
///
/// # Errors
/// Those of the database.
pub async fn delete_bound_signatures(executor: impl PgExecutor<'_>, auth_timestamp: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("delete from bound_signature where auth_timestamp < $1", auth_timestamp);
    Ok(done.execute(executor).await?.rows_affected())
}
