//! Kept rejections: who sees them, for how long they are kept, and how much a flood of them takes.

use reqwest::Method;
use serde_json::{Value, json};
use test_support::messages::{DOMAIN, Push};

use super::retry::{domain_path, kept, of_all_time, run_sql, start_with_wrong_key};
use crate::helpers::until;

#[tokio::test]
async fn administrators_alone_see_what_is_kept_and_no_credentials() {
    let app = start_with_wrong_key().await;
    let genuine = Push::of("room", 50).start();
    app.callback(&genuine, 401).await;
    app.callback_to("/callbacks/huawei", "{\"domain\":\"push.example.com\", \"stream\":", 400).await;
    app.callback_to("/callbacks/huawei", "{\"publish_domain\":\"push.example.com\"}", 400).await;
    app.callback_to("/callbacks/huawei/a-guessed-token", Push::of("guess", 50).start().to_string(), 401).await;
    let rows = kept(&app, 3).await;
    let causes: Vec<_> = rows.iter().map(|row| row["cause"].as_str().unwrap()).collect();
    assert_eq!(causes, ["secret_path_wrong", "not_a_notification", "signature_mismatch"]);
    let path = |row: &Value| format!("/v1/rejections/kept/{}", row["rejection_id"].as_str().unwrap());
    let readable = app.get(&path(&rows[2]), 200).await;
    assert_eq!((&readable["sample"]["stream"], &readable["body"]), (&json!("room"), &Value::Null));
    assert!(readable["sample"]["user_args"].as_str().unwrap().starts_with("auth_info=masked-"));
    let text = readable.to_string();
    assert!(!text.contains("very-secret") && !text.contains(genuine["auth_sign"].as_str().unwrap()), "{text}");
    let unreadable = app.get(&path(&rows[1]), 200).await;
    assert_eq!(unreadable["body"], "{\"domain\":\"push.example.com\", \"stream\":");
    assert_eq!(app.get(&path(&rows[0]), 200).await["sample"]["secret_path"], true);
    app.get("/v1/rejections/kept/4b2f3c1e-0000-4000-8000-000000000000", 404).await;
    app.get("/v1/rejections/kept?colour=red", 400).await;

    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("select sealed_body from kept_rejection").fetch_all(&app.pool).await.unwrap();
    for sealed in stored {
        assert!(!sealed.windows(11).any(|part| part == b"very-secret" || part == b"publish_tim"), "it is encrypted");
    }
    for scopes in [&["read", "personal"][..], &["billing"]] {
        let token = app.make_token(scopes, None).await;
        let caller = app.with_token(&token);
        caller.get("/v1/rejections/kept", 403).await;
        caller.get(&path(&rows[2]), 403).await;
        caller.send(Method::POST, "/v1/rejections/retry", Some(&of_all_time(DOMAIN)), 403).await;
    }
}

#[tokio::test]
async fn what_is_kept_survives_a_restart_but_not_its_time() {
    let mut app = start_with_wrong_key().await;
    for number in 0..3 {
        app.callback(&Push::of(&format!("room{number}"), 50).start(), 401).await;
    }
    // Written when the service stops.
    app.restart(&["--roles", "receiver,api"]).await;
    let newest = kept(&app, 3).await[0]["rejection_id"].as_str().unwrap().to_owned();
    let old = "update kept_rejection set received_at = received_at - interval '7 days' where rejection_id = ";
    run_sql(&app, &format!("{old}'{newest}'")).await;
    // What is too old is removed when the service starts, and from time to time.
    app.restart(&["--roles", "receiver,api"]).await;
    kept(&app, 2).await;
    app.restart(&["--roles", "receiver,api", "--keep-rejections", "1s"]).await;
    kept(&app, 0).await;
}

#[tokio::test]
async fn personal_data_are_kept_no_longer_here_than_elsewhere() {
    let mut app = start_with_wrong_key().await;
    app.callback(&Push::of("room", 50).start(), 401).await;
    kept(&app, 1).await;
    run_sql(&app, "update kept_rejection set received_at = received_at - interval '25 hours'").await;
    app.restart(&["--roles", "receiver,api", "--keep-personal", "26h"]).await;
    kept(&app, 1).await;
    app.restart(&["--roles", "receiver,api", "--keep-personal", "24h"]).await;
    kept(&app, 0).await;
}

#[tokio::test]
async fn a_flood_takes_no_more_than_its_part_and_removes_nothing() {
    let mut app = start_with_wrong_key().await;
    app.put(&domain_path("other.example.com"), &json!({}), 201).await;
    app.restart(&["--roles", "receiver,api", "--rejection-capacity", "1"]).await;
    let unregistered = |name: &str| Push { domain: name.to_owned(), ..Push::of("room", 50) };
    app.callback(&Push::of("before", 50).start(), 401).await;
    app.callback(&unregistered("early.example.com").start(), 401).await;
    kept(&app, 2).await;
    // Filled up: with callbacks of 60 KiB, so that few are needed.
    let padded = |message: &Value| {
        let mut message = message.clone();
        message["padding"] = "x".repeat(60_000).into();
        message
    };
    for number in 0..30 {
        app.callback(&padded(&Push::of("flood", 50).start()), 401).await;
        app.callback(&padded(&unregistered(&format!("flood{number}.example.com")).start()), 401).await;
    }
    let other = Push { domain: "other.example.com".to_owned(), ..Push::of("room", 50) };
    app.callback(&padded(&other.start()), 401).await;
    let of = async |domain: &str| app.list(&format!("/v1/rejections/kept?limit=500&domain={domain}")).await.len();
    until(async || of("other.example.com").await == 1).await;
    let flood = of(DOMAIN).await;
    assert!((2..20).contains(&flood), "{flood}");
    assert_eq!(of("early.example.com").await, 1);
    let kept_streams = app.list(&format!("/v1/rejections/kept?domain={DOMAIN}&limit=500")).await;
    let oldest = kept_streams.last().unwrap()["rejection_id"].as_str().unwrap();
    assert_eq!(app.get(&format!("/v1/rejections/kept/{oldest}"), 200).await["sample"]["stream"], "before");
    let bytes: i64 =
        sqlx::query_scalar("select pg_total_relation_size('kept_rejection')").fetch_one(&app.pool).await.unwrap();
    assert!(bytes < 1 << 20, "{bytes}");
    // All of them are counted, and how many are kept.
    let of_flood = |rows: &[Value], member: &str| -> i64 {
        let rows = rows.iter().filter(|row| row["domain"] == DOMAIN);
        rows.map(|row| row[member].as_i64().unwrap()).sum()
    };
    let counted = app.rejections(|rows| of_flood(rows, "count") == 31).await;
    assert_eq!(of_flood(&counted, "kept"), i64::try_from(flood).unwrap());
    let metrics = app.client.get(format!("{}/metrics", app.address)).send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("streamtally_rejections_not_kept_total{cause=\"no_space\",claim=\"registered\"}"),
        "{metrics}"
    );
}
