//! Provider accounts, and what the provider's API says.

mod accounts;
mod check;
mod lists;
mod provider;

use serde_json::{Value, json};

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
