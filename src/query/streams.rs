//! Lists of streams, and single streams.

use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::model::filter::StreamFilter;
use crate::store;
use crate::store::stream::{AfterStream, StreamRow, StreamScope};

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
