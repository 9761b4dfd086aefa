//! Streams: lists and single ones.

use sqlx::PgPool;
use uuid::Uuid;

use super::Rows;
use crate::access::Principal;
use crate::store;
use crate::store::stream::{AfterStream, StreamFilter, StreamRow};

/// A page of the streams that fit.
///
/// # Errors
/// Those of the database.
pub async fn list_streams(
    pool: &PgPool,
    filter: &StreamFilter,
    after: Option<AfterStream>,
    limit: u16,
) -> Result<Rows<StreamRow>, sqlx::Error> {
    let rows = store::stream::list_streams(pool, filter, after, i64::from(limit) + 1).await?;
    Ok(Rows::of(rows, limit))
}

/// One stream, if it exists for the caller.
///
/// # Errors
/// Those of the database.
pub async fn get_stream(
    pool: &PgPool,
    principal: &Principal,
    stream_id: Uuid,
) -> Result<Option<StreamRow>, sqlx::Error> {
    let filter = StreamFilter { stream_id: Some(stream_id), ..StreamFilter::all(principal.visible_domains()) };
    Ok(store::stream::list_streams(pool, &filter, None, 1).await?.pop())
}
