//! Changing a key at the provider, revoking a token, and rotating the master key: several processes on one database, and
//! what each knows of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use streamtally::access::Actor;
use streamtally::platform::clock;
use streamtally::platform::data_dir::DataDir;
use streamtally::registry::installation::find_master_key;
use streamtally::registry::master_key::{MasterKey, SealingKey};
use streamtally::registry::master_keys::MasterKeys;
use streamtally::registry::open_key;
use streamtally::registry::rotation::rotate;
use streamtally::store::signing_key::list_signing_keys;
use test_support::messages::{KEY, Push};
use tokio::time::timeout;
use uuid::Uuid;

use crate::helpers::{MASTER_KEY, TestApp, until};

const KEYS: &str = "/v1/domains/push.example.com/keys";

/// Changes of the registry take effect everywhere within this.
const EVERYWHERE: Duration = Duration::from_secs(2);

fn signed_with(key: &str, stream: &str) -> Push {
    Push { key: key.to_owned(), ..Push::of(stream, 5) }
}

/// Sends messages that are all to be accepted, to both processes, while something else is done.
async fn accepted_throughout(app: &TestApp, another: &str, push: &Push, doing: impl Future<Output = ()>) {
    let (done, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let sending = async {
        while !done.load(Ordering::Relaxed) {
            let (start, end) = (push.start(), push.end());
            tokio::join!(app.callback(&start, 200), app.callback_at(another, &end, 200));
            sent.fetch_add(1, Ordering::Relaxed);
        }
    };
    let doing = async {
        until(async || sent.load(Ordering::Relaxed) > 2).await;
        doing.await;
        let so_far = sent.load(Ordering::Relaxed);
        until(async || sent.load(Ordering::Relaxed) > so_far + 2).await;
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(sending, doing);
}

/// Waits until both processes answer a message so.
async fn answered_everywhere(app: &TestApp, another: &str, push: &Push, status: u16) {
    let everywhere = until(async || {
        let here = app.try_callback_at(&app.address, &push.start()).await;
        let there = app.try_callback_at(another, &push.start()).await;
        (here, there) == (status, status)
    });
    timeout(EVERYWHERE, everywhere).await.expect("within 2 s");
}

#[tokio::test]
async fn a_key_is_changed_without_losing_a_message_signed_with_either() {
    let app = TestApp::start().await;
    let (another, _stop) = app.start_another(&["--roles", "receiver"]).await;
    let new_key = "n".repeat(32);
    let old_id = app.get("/v1/domains/push.example.com", 200).await["keys"][0]["key_id"].as_str().unwrap().to_owned();
    let (old, new) = (signed_with(KEY, "old"), signed_with(&new_key, "new"));

    answered_everywhere(&app, &another, &new, 401).await;
    accepted_throughout(&app, &another, &old, async {
        app.post(KEYS, &json!({ "key": new_key }), 201).await;
        answered_everywhere(&app, &another, &new, 200).await;
    })
    .await;
    // Around the change at the provider both come.
    accepted_throughout(&app, &another, &old, accepted_throughout(&app, &another, &new, async {})).await;
    accepted_throughout(&app, &another, &new, async {
        app.delete(&format!("{KEYS}/{old_id}"), 204).await;
        answered_everywhere(&app, &another, &signed_with(KEY, "after"), 401).await;
    })
    .await;
    app.fold().await;
    assert_eq!(app.list("/v1/sessions?stream=old").await.len(), 1);
    assert_eq!(app.list("/v1/sessions?stream=new").await.len(), 1);
}

#[tokio::test]
async fn a_removed_key_is_of_no_more_use_and_says_so_to_operators_alone() {
    let app = TestApp::start().await;
    let (another, _stop) = app.start_another(&["--roles", "receiver"]).await;
    let old_id = app.get("/v1/domains/push.example.com", 200).await["keys"][0]["key_id"].as_str().unwrap().to_owned();
    app.post(KEYS, &json!({ "key": "n".repeat(32) }), 201).await;
    app.delete(&format!("{KEYS}/{old_id}"), 204).await;
    let captured = signed_with(KEY, "room");
    answered_everywhere(&app, &another, &captured, 401).await;
    app.rejections(|rows| rows.iter().any(|row| row["cause"] == "signature_mismatch")).await;
    // The same key may come back, under another id.
    let again = app.post(KEYS, &json!({ "key": KEY }), 201).await;
    assert_ne!(again["key_id"], old_id.as_str());
    answered_everywhere(&app, &another, &captured, 200).await;
}

#[tokio::test]
async fn a_revoked_token_is_of_no_more_use_anywhere() {
    let app = TestApp::start().await;
    let (another, _stop) = app.start_another(&["--roles", "api"]).await;
    let made = app.post("/v1/tokens", &json!({ "name": "wall", "scopes": ["read"] }), 201).await;
    let ask = async |address: &str| {
        let request = app.client.get(format!("{address}/v1/live")).bearer_auth(made["token"].as_str().unwrap());
        request.send().await.unwrap().status().as_u16()
    };
    let everywhere = async |status: u16| {
        let answered = until(async || (ask(&app.address).await, ask(&another).await) == (status, status));
        timeout(EVERYWHERE, answered).await.expect("within 2 s");
    };
    everywhere(200).await;
    app.delete(&format!("/v1/tokens/{}", made["token_id"].as_str().unwrap()), 204).await;
    everywhere(401).await;
}

/// The key of kept rejections, which is the same after a rotation.
async fn rejection_key(app: &TestApp, master_key: &MasterKey) -> SealingKey {
    let query = sqlx::query_as("select installation_id, sealed_rejection_key from installation");
    let (installation_id, sealed): (Uuid, Vec<u8>) = query.fetch_one(&app.pool).await.unwrap();
    master_key.open_rejection_key(installation_id, &sealed).unwrap()
}

#[tokio::test]
async fn rotations_of_the_master_key_that_run_at_once_do_not_mix_up_their_keys() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("master-key"), MASTER_KEY).unwrap();
    let keys = MasterKeys::Files(DataDir::find(Some(folder.path())).unwrap());
    let actor = Actor { name: "an operator".to_owned(), token_id: None };
    let present = keys.present().unwrap().unwrap();
    let before = present.check();
    let sealed = rejection_key(&app, &present).await.seal(b"place", b"kept");
    for done in join_all((0..4).map(|_| rotate(&app.pool, &keys, &actor, clock::now()))).await {
        done.unwrap();
    }
    assert!(keys.next().unwrap().is_none());
    let master_key = find_master_key(&app.pool, &keys).await.unwrap().unwrap();
    assert_ne!(master_key.check(), before);
    let rows = list_signing_keys(&app.pool).await.unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| open_key(row, &master_key).is_ok()));
    assert_eq!(rejection_key(&app, &master_key).await.open(b"place", &sealed).unwrap(), b"kept");
}
