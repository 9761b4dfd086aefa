//! Broadcasts of a stream: a view for people. Sessions and bills remain per push.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::store;
use crate::store::broadcast::{BroadcastFilter, BroadcastRow};
use crate::store::session::SessionRow;

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
        let filter = BroadcastFilter { stream_id, merge_gap_seconds, as_of, from: None };
        store::broadcast::list_broadcasts(&mut *snapshot, filter, before, i64::from(limit) + 1).await?
    } else {
        Vec::new()
    };
    snapshot.commit().await?;
    Ok(BroadcastList { page: Rows::of(rows, limit), as_of })
}

/// Which broadcasts a page shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct BroadcastPeriod {
    /// Only those that were on air after this time.
    pub from: Option<DateTime<Utc>>,
    /// Only those that started before this time.
    pub before: Option<DateTime<Utc>>,
}

/// A broadcast with its first sessions.
#[derive(Debug)]
pub struct BroadcastWithSessions {
    pub broadcast: BroadcastRow,
    pub sessions: Vec<SessionRow>,
}

/// A page of a stream's broadcasts, newest first, each with its first sessions, at most `max_sessions`; empty when the
/// caller may not see the stream.
pub async fn list_broadcasts_with_sessions(
    pool: &PgPool,
    principal: &Principal,
    stream_id: Uuid,
    merge_gap_seconds: u32,
    period: BroadcastPeriod,
    limit: u16,
    max_sessions: usize,
) -> Result<Rows<BroadcastWithSessions>, sqlx::Error> {
    let mut snapshot = store::snapshot::begin(pool).await?;
    let as_of = store::snapshot::get_transaction_time(&mut *snapshot).await?;
    let domain = store::stream::get_domain(&mut *snapshot, stream_id).await?;
    if !domain.is_some_and(|domain| principal.sees(&domain)) {
        return Ok(Rows::of(Vec::new(), limit));
    }
    let filter = BroadcastFilter { stream_id, merge_gap_seconds, as_of, from: period.from };
    let rows = store::broadcast::list_broadcasts(&mut *snapshot, filter, period.before, i64::from(limit) + 1).await?;
    let Rows { rows, more } = Rows::of(rows, limit);
    let shown = |row: &BroadcastRow| row.session_ids.iter().take(max_sessions).copied().collect::<Vec<_>>();
    let ids: Vec<Uuid> = rows.iter().flat_map(&shown).collect();
    let mut sessions = store::broadcast::list_sessions_of_stream(&mut *snapshot, stream_id, &ids).await?;
    snapshot.commit().await?;
    let rows = rows.into_iter().map(|broadcast| {
        let ids = shown(&broadcast);
        let (own, others) = sessions.drain(..).partition(|session| ids.contains(&session.session_id));
        sessions = others;
        BroadcastWithSessions { broadcast, sessions: own }
    });
    Ok(Rows { rows: rows.collect(), more })
}
