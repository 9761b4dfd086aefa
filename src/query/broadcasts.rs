//! Broadcasts of a stream: a view for people. Sessions and bills remain per push.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::store;
use crate::store::broadcast::{BroadcastFilter, BroadcastRow};

#[derive(Debug)]
pub struct BroadcastList {
    pub page: Rows<BroadcastRow>,
    pub as_of: DateTime<Utc>,
}

/// A page of a stream's broadcasts, newest first; empty when the caller may not see the stream.
pub async fn list_broadcasts(
    pool: &PgPool,
    principal: &Principal,
    stream_id: Uuid,
    merge_gap_seconds: u32,
    before: Option<DateTime<Utc>>,
    limit: u16,
) -> Result<BroadcastList, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let domain = store::stream::get_domain(&mut *snapshot, stream_id).await?;
    let rows = if domain.is_some_and(|domain| principal.sees(&domain)) {
        let filter = BroadcastFilter { stream_id, merge_gap_seconds, as_of };
        store::broadcast::list_broadcasts(&mut *snapshot, filter, before, i64::from(limit) + 1).await?
    } else {
        Vec::new()
    };
    snapshot.commit().await?;
    Ok(BroadcastList { page: Rows::of(rows, limit), as_of })
}
