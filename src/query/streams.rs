//! Lists of streams, and single streams.

use std::collections::HashSet;

use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::model::filter::StreamFilter;
use crate::store;
use crate::store::stream::{AfterStream, FoundStreamRow, NameSearch, StreamRow, StreamScope};

/// A page of the streams that match.
pub async fn list_streams(
    pool: &PgPool,
    principal: &Principal,
    filter: &StreamFilter,
    after: Option<AfterStream>,
    limit: u16,
) -> Result<Rows<StreamRow>, sqlx::Error> {
    let scope = StreamScope { visible_domains: principal.visible_domains(), stream_id: None };
    let rows = store::stream::list_streams(pool, scope, filter, after, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}

/// A stream, if the caller may see it.
pub async fn get_stream(
    pool: &PgPool,
    principal: &Principal,
    stream_id: Uuid,
) -> Result<Option<StreamRow>, sqlx::Error> {
    let scope = StreamScope { visible_domains: principal.visible_domains(), stream_id: Some(stream_id) };
    Ok(store::stream::list_streams(pool, scope, &StreamFilter::default(), None, 1).await?.pop())
}

/// Those of these streams that have a page. The caller must be allowed to see all of them.
pub async fn list_known(pool: &PgPool, stream_ids: &[Uuid]) -> Result<HashSet<Uuid>, sqlx::Error> {
    Ok(store::stream::list_known_streams(pool, stream_ids).await?.into_iter().collect())
}

/// The streams that a search found.
#[derive(Debug, Default)]
pub struct FoundStreams {
    /// Exact matches first.
    pub rows: Vec<FoundStreamRow>,
    /// How many match, with those that are not in the rows.
    pub matches: i64,
}

/// The streams that match, at most `limit`.
pub async fn find_streams(
    pool: &PgPool,
    principal: &Principal,
    search: &NameSearch,
    limit: u16,
) -> Result<FoundStreams, sqlx::Error> {
    let visible_domains = principal.visible_domains();
    let names = store::stream::find_names(pool, visible_domains, search, i64::from(limit)).await?;
    let matches = names.first().map_or(0, |name| name.matches);
    let mut rows = store::stream::list_found_streams(pool, &names).await?;
    rows.sort_by_cached_key(|row| names.iter().position(|name| name.stream_id == row.stream_id));
    Ok(FoundStreams { rows, matches })
}
