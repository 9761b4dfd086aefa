//! The settings of provider accounts, who may change them, and what is shown of their keys.

use reqwest::Method;
use serde_json::{Value, json};
use streamtally::access::Actor;
use streamtally::platform::clock;
use streamtally::platform::data_dir::DataDir;
use streamtally::polling::secrets::open_account;
use streamtally::registry::master_keys::MasterKeys;
use streamtally::registry::rotation::{RotationError, rotate};
use streamtally::store;
use uuid::Uuid;

use super::{ACCESS_KEY, DOMAIN_PATH, SECRET_KEY, account, create};
use crate::helpers::{MASTER_KEY, TestApp};

const ENDPOINT: &str = "https://live.cn-north-4.myhuaweicloud.com";

#[tokio::test]
async fn only_administrators_see_and_change_provider_accounts() {
    let app = TestApp::start().await;
    let id = create(&app, "main", ENDPOINT).await;
    let token = app.make_token(&["read", "personal", "billing"], None).await;
    let caller = app.with_token(&token);
    let settings = account("other", ENDPOINT);
    let one = format!("/v1/provider-accounts/{id}");
    caller.get("/v1/provider-accounts", 403).await;
    caller.get(&one, 403).await;
    caller.send(Method::POST, "/v1/provider-accounts", Some(&settings), 403).await;
    caller.send(Method::PUT, &one, Some(&settings), 403).await;
    caller.send(Method::DELETE, &one, None, 403).await;
    caller.send(Method::POST, &format!("{DOMAIN_PATH}/provider-check"), None, 403).await;
}

#[tokio::test]
async fn an_account_is_created_changed_and_deleted_and_no_answer_and_no_entry_shows_its_keys() {
    let app = TestApp::start().await;
    let mut shown = Vec::new();
    let created = app.post("/v1/provider-accounts", &account("main", ENDPOINT), 201).await;
    assert_eq!((&created["access_key_ending"], &created["domains"]), (&json!("00AK"), &json!([])));
    let path = format!("/v1/provider-accounts/{}", created["account_id"].as_str().unwrap());
    shown.push(app.post("/v1/provider-accounts", &account("main", ENDPOINT), 409).await);
    assert_eq!(app.get(&path, 200).await, created);
    let settings = json!({ "name": "beijing", "endpoint": ENDPOINT, "project_id": "p1" });
    let changed = app.put(&path, &settings, 200).await;
    assert_eq!((&changed["name"], &changed["access_key_ending"]), (&json!("beijing"), &json!("00AK")));
    assert_eq!(app.list("/v1/provider-accounts").await[0], changed);
    let keys = json!({ "access_key": "ANOTHER-KEY-WXYZ", "secret_key": "another-secret-of-a-test" });
    let mut with_keys = settings.clone();
    with_keys.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    let replaced = app.put(&path, &with_keys, 200).await;
    assert_eq!(replaced["access_key_ending"], "WXYZ");
    shown.extend([created, changed, replaced]);
    app.delete(&path, 204).await;
    app.get(&path, 404).await;
    app.put(&path, &settings, 404).await;
    app.delete(&path, 404).await;

    let entries = app.list("/v1/audit").await;
    let of_accounts =
        entries.iter().filter_map(|entry| entry["act"].as_str()).filter(|act| act.starts_with("provider"));
    let acts = ["removed", "changed", "changed", "created"].map(|act| format!("provider_account_{act}"));
    assert_eq!(of_accounts.collect::<Vec<_>>(), acts);
    shown.extend(entries);
    let shown = Value::from(shown).to_string();
    for secret in [ACCESS_KEY, SECRET_KEY, "ANOTHER-KEY-WXYZ", "another-secret-of-a-test"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_rejected_and_named_without_quoting_keys() {
    let app = TestApp::start().await;
    let id = create(&app, "main", ENDPOINT).await;
    for (member, value) in [
        ("name", json!("")),
        ("endpoint", json!("http://live.cn-north-4.myhuaweicloud.com")),
        ("endpoint", json!("https://127.0.0.1")),
        ("endpoint", json!("https://169.254.169.254")),
        ("endpoint", json!("https://live.example.com/v1")),
        ("endpoint", json!("https://me:secret@live.example.com")),
        ("endpoint", json!("live.example.com")),
        ("endpoint", json!("\0https://live.example.com")),
        ("endpoint", json!("https://live.\nexample.com")),
        ("endpoint", json!("https://live.example.com\u{1b}")),
        ("project_id", json!("../v1")),
        ("project_id", json!("")),
        ("access_key", json!("short")),
        ("access_key", json!("with space in it")),
        ("access_key", json!("Access=1, Signature=2")),
        ("secret_key", json!("of-a-test\nof-a-test")),
        ("secret_key", json!("of-a-test-".repeat(13))),
        ("region", json!("cn-north-4")),
    ] {
        let mut settings = account("other", ENDPOINT);
        settings[member] = value;
        let problem = app.post("/v1/provider-accounts", &settings, 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], member, "{settings}");
        assert!(!problem.to_string().contains("of-a-test"), "{problem}");
    }
    for (given, missing) in [("access_key", "secret_key"), ("secret_key", "access_key")] {
        let mut settings = account("main", ENDPOINT);
        settings.as_object_mut().unwrap().remove(missing);
        let problem = app.put(&format!("/v1/provider-accounts/{id}"), &settings, 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], missing, "{given} alone");
        app.post("/v1/provider-accounts", &settings, 400).await;
    }
}

#[tokio::test]
async fn another_endpoint_needs_both_keys_again() {
    let app = TestApp::start().await;
    let path = format!("/v1/provider-accounts/{}", create(&app, "main", ENDPOINT).await);
    let other = "https://live.example.com";
    let settings = |endpoint: &str| json!({ "name": "main", "endpoint": endpoint, "project_id": "p1" });
    for endpoint in [other, "https://live.cn-north-4.myhuaweicloud.com:8443"] {
        let problem = app.put(&path, &settings(endpoint), 400).await;
        let invalid = &problem["invalid_parameters"][0];
        assert_eq!(invalid["name"], "access_key", "{problem}");
        assert!(invalid["reason"].as_str().unwrap().contains("for another endpoint"), "{problem}");
    }
    // Another spelling is no other endpoint.
    let changed = app.put(&path, &settings("HTTPS://Live.cn-north-4.myhuaweicloud.com:443/"), 200).await;
    assert_eq!(changed["endpoint"], ENDPOINT);
    assert_eq!(app.put(&path, &account("main", other), 200).await["endpoint"], other);
}

#[tokio::test]
async fn a_polled_domain_has_an_account_which_cannot_be_deleted_meanwhile() {
    let app = TestApp::start().await;
    let domain = app.get(DOMAIN_PATH, 200).await;
    assert_eq!((&domain["poll_mode"], &domain["provider_account"]), (&json!("off"), &json!(null)));
    let id = create(&app, "main", ENDPOINT).await;
    for (settings, name) in [
        (json!({ "poll_mode": "observe" }), "provider_account"),
        (json!({ "poll_mode": "often", "provider_account": id }), "poll_mode"),
        (json!({ "provider_account": "main" }), "provider_account"),
        (json!({ "poll_mode": "repair", "provider_account": Uuid::nil() }), "provider_account"),
    ] {
        let problem = app.put(DOMAIN_PATH, &settings, 400).await;
        assert_eq!(problem["invalid_parameters"][0]["name"], name, "{settings}");
    }
    let path = format!("/v1/provider-accounts/{id}");
    for mode in ["observe", "repair", "off"] {
        let changed = app.put(DOMAIN_PATH, &json!({ "poll_mode": mode, "provider_account": id }), 200).await;
        assert_eq!((&changed["poll_mode"], &changed["provider_account"]), (&json!(mode), &json!(id)));
        assert_eq!(app.list("/v1/domains").await, [changed]);
        assert_eq!(app.get(&path, 200).await["domains"], json!(["push.example.com"]));
        let problem = app.delete(&path, 409).await;
        assert!(problem["detail"].as_str().unwrap().contains("push.example.com"), "{problem}");
    }
    // What is omitted takes its default, as all settings of a domain do.
    assert_eq!(app.put(DOMAIN_PATH, &json!({}), 200).await["provider_account"], json!(null));
    app.delete(&path, 204).await;
}

#[tokio::test]
async fn lists_of_accounts_are_paged() {
    let app = TestApp::start().await;
    for name in ["c", "a", "b"] {
        create(&app, name, ENDPOINT).await;
    }
    let first = app.get("/v1/provider-accounts?limit=2", 200).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/provider-accounts?limit=2&cursor={cursor}"), 200).await;
    let both = [first["data"].as_array().unwrap().clone(), second["data"].as_array().unwrap().clone()].concat();
    assert_eq!(both, app.list("/v1/provider-accounts").await);
    let names: Vec<_> = both.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[tokio::test]
async fn secret_keys_are_sealed_in_the_database_and_survive_a_rotation_of_the_master_key() {
    let app = TestApp::start().await;
    let id: Uuid = create(&app, "main", ENDPOINT).await.parse().unwrap();
    let sealed = async || -> Vec<u8> {
        sqlx::query_scalar("select sealed_secret_key from provider_account").fetch_one(&app.pool).await.unwrap()
    };
    let before = sealed().await;
    assert!(!before.windows(8).any(|window| SECRET_KEY.as_bytes().windows(8).any(|part| part == window)));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("master-key"), MASTER_KEY).unwrap();
    let keys = MasterKeys::Files(DataDir::find(Some(folder.path())).unwrap());
    let actor = Actor { name: "an operator".to_owned(), token_id: None };
    rotate(&app.pool, &keys, &actor, clock::now()).await.unwrap();
    assert_ne!(sealed().await, before);
    let open = async || {
        let row = store::provider_account::get_provider_account(&app.pool, id).await.unwrap();
        let check = sqlx::query_scalar("select master_key_check from installation").fetch_one(&app.pool);
        let check: Vec<u8> = check.await.unwrap();
        open_account(&keys.find(&check).unwrap(), row.unwrap())
    };
    let account = open().await.unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&account.secret_key), SECRET_KEY);
    assert!(!format!("{account:?}").contains(SECRET_KEY));

    let damage = "update provider_account set sealed_secret_key = sha512(sealed_secret_key)";
    sqlx::query(damage).execute(&app.pool).await.unwrap();
    assert!(open().await.is_err());
    let rotated = rotate(&app.pool, &keys, &actor, clock::now()).await;
    assert!(matches!(rotated, Err(RotationError::DamagedProviderAccount { .. })), "{rotated:?}");
}
