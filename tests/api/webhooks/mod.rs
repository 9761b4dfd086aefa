//! Webhooks: their settings, what they send, and receivers that fail.

mod model;
mod notices;
mod receiver;
mod receivers;
mod relay;
mod replay;
mod sending;
mod settings;

use serde_json::{Value, json};

use crate::helpers::TestApp;
use receiver::Receiver;

/// A service that sends to receivers of this machine, and folds by itself.
const SENDS: [&str; 4] =
    ["--webhook-allow-http", "--webhook-allow-networks=127.0.0.0/8", "--roles", "receiver,api,reconciler,sender"];

/// Creates a webhook with these settings; returns its id and its secret.
async fn create(app: &TestApp, receiver: &Receiver, settings: Value) -> (String, String) {
    let mut body = json!({ "name": "of a test", "url": receiver.url });
    body.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let created = app.post("/v1/webhooks", &body, 201).await;
    (created["webhook_id"].as_str().unwrap().to_owned(), created["secret"].as_str().unwrap().to_owned())
}
