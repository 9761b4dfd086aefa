//! Provider accounts, and what the provider's API says.

mod accounts;
mod check;
mod lists;
mod missed;
mod provider;
pub mod shown;

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use streamtally::model::event::OwnEvent;
use streamtally::platform::clock;
use streamtally::session::{SessionKey, StreamKey};
use streamtally::store;
use streamtally::store::log::NewEntryRow;
use test_support::messages::Push;

use crate::helpers::TestApp;

/// A service that may ask a provider on this machine.
const ASKS: [&str; 4] =
    ["--poll-allow-http", "--webhook-allow-networks=127.0.0.0/8", "--roles", "receiver,api,reconciler"];

const ACCESS_KEY: &str = "AKIDEXAMPLE0000000AK";
const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000000000SK";

const DOMAIN_PATH: &str = "/v1/domains/push.example.com";

/// The settings of an account.
fn account(name: &str, endpoint: &str) -> Value {
    json!({
        "name": name, "endpoint": endpoint, "project_id": "0123456789abcdef0123456789abcdef",
        "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
    })
}

/// Creates an account; returns its id.
async fn create(app: &TestApp, name: &str, endpoint: &str) -> String {
    let created = app.post("/v1/provider-accounts", &account(name, endpoint), 201).await;
    created["account_id"].as_str().unwrap().to_owned()
}

/// Appends what a list or the history says of a push that ended 30 s after its start.
pub async fn append(app: &TestApp, push: &Push, event: OwnEvent) {
    let Push { domain, app: name, stream, publish_timestamp, .. } = push.clone();
    let stream = StreamKey { domain, app: name, stream };
    let shards: i16 = sqlx::query_scalar("select shards from installation").fetch_one(&app.pool).await.unwrap();
    let (shard, id) = (stream.shard(shards), SessionKey { stream: stream.clone(), publish_timestamp }.id().0);
    let (now, origin, word) = (clock::now(), event.origin(), event.as_str());
    let entry = NewEntryRow::internal(shard, id, stream, publish_timestamp, origin, word, now);
    let ended_at = DateTime::from_timestamp(publish_timestamp, 0).unwrap() + TimeDelta::seconds(30);
    let entry = NewEntryRow { ended_at: Some(ended_at), ..entry };
    store::log::insert_entries(&app.pool, &[entry], now).await.unwrap();
}
