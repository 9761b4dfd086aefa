//! Sign-in to the dashboard with a token, and sign-out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::store;

/// A sign-in is valid until it expires or the visitor signs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    pub id: Uuid,
    pub until: DateTime<Utc>,
}

/// Ends a sign-in before it expires, in every process. Also deletes records of sign-ins that have expired.
pub async fn sign_out(pool: &PgPool, sign_in: SignIn, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    store::installation::lock_registry(&mut *transaction).await?;
    store::signed_out::delete_ended(&mut *transaction, now).await?;
    store::signed_out::insert_signed_out(&mut *transaction, sign_in.id, sign_in.until).await?;
    transaction.commit().await
}
