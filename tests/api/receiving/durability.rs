//! What is answered 200 is on disk: no speed is bought with that.

use sqlx::{Connection, PgConnection};
use streamtally::store::pool::{self, PoolRole};

use crate::server::TestDatabase;

#[tokio::test]
async fn only_folding_may_commit_before_it_is_on_disk() {
    let database = TestDatabase::create().await;
    // As it is set where nobody has set it.
    let durable = database.options.clone().options([("synchronous_commit", "on")]);
    for purpose in
        [PoolRole::Append, PoolRole::Drain, PoolRole::Work, PoolRole::Query, PoolRole::Report, PoolRole::Fold]
    {
        let mut connection = PgConnection::connect_with(&pool::options(&durable, purpose, false)).await.unwrap();
        let commits: String = sqlx::query_scalar("show synchronous_commit").fetch_one(&mut connection).await.unwrap();
        assert_eq!(commits, if purpose == PoolRole::Fold { "off" } else { "on" }, "{purpose:?}");
    }
}
