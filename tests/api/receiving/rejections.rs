//! Refused messages: what support sees of them.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use test_support::messages::{DOMAIN, Push};

use crate::helpers::{TestApp, answer};

#[tokio::test]
async fn a_wrong_key_is_seen_with_domain_cause_and_a_masked_sample() {
    let app = TestApp::start().await;
    let wrong = Push { key: "w".repeat(32), ..Push::of("room", 5) }.start();
    for _ in 0..3 {
        app.callback(&wrong, 401).await;
    }
    let all = |rows: &[Value]| rows.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>() == 3;
    // One entry, unless a minute begins in between.
    let rejections = app.rejections(all).await;
    assert!(rejections.len() <= 2);
    let rejection = rejections.last().unwrap();
    assert_eq!(rejection["domain"], DOMAIN);
    assert_eq!(rejection["cause"], "signature_mismatch");
    assert!(rejection["advice"].as_str().unwrap().contains("key"));
    assert!(rejection["minute_at"].as_str().unwrap().ends_with(":00Z"), "{rejection}");
    assert!(rejection["first_at"].as_str() <= rejection["last_at"].as_str());
    let sample = &rejection["sample"];
    assert_eq!(
        (&sample["app"], &sample["stream"], &sample["event"]),
        (&json!("live"), &json!("room"), &json!("PUBLISH"))
    );
    assert_eq!(sample["auth_timestamp"], wrong["auth_timestamp"]);
    assert_eq!((&sample["signature"], &sample["secret_path"]), (&json!("well_formed"), &json!(false)));
    assert_eq!((&sample["source_ip"], &sample["client_ip"]), (&json!("127.0.0.1"), &json!("203.0.113.7")));
    assert!(sample["user_args"].as_str().unwrap().starts_with("auth_info=masked-"));
    let text = rejection.to_string();
    assert!(!text.contains("very-secret") && !text.contains(wrong["auth_sign"].as_str().unwrap()), "{text}");

    let token = app.make_token(&["read"], None).await;
    let without_personal = app.with_token(&token).get("/v1/rejections", 200).await;
    let sample = without_personal["data"][0]["sample"].as_object().unwrap();
    for member in ["source_ip", "client_ip", "node_ip", "user_args"] {
        assert!(!sample.contains_key(member), "{member}");
    }
}

#[tokio::test]
async fn each_cause_is_told_apart() {
    let app = TestApp::start().await;
    app.put("/v1/domains/unsigned.example.com", &json!({ "signature": "none" }), 201).await;
    app.put("/v1/domains/keyless.example.com", &json!({}), 201).await;
    app.put("/v1/domains/apps.example.com", &json!({ "apps": ["vod"] }), 201).await;
    let genuine = Push::of("room", 5);
    let of = |domain: &str| Push { domain: domain.to_owned(), ..genuine.clone() }.start();
    let with = |member: &str, value: Value| {
        let mut message = genuine.start();
        message[member] = value;
        message
    };
    let soon = genuine.start()["auth_timestamp"].as_i64().unwrap();
    for (message, cause) in [
        (of("nowhere.example.com"), "unknown_domain"),
        (of("apps.example.com"), "app_not_allowed"),
        (of("unsigned.example.com"), "secret_path_missing"),
        (of("keyless.example.com"), "no_key"),
        (with("auth_sign", Value::Null), "signature_missing"),
        (with("auth_sign", "ff".into()), "signature_malformed"),
        (with("auth_timestamp", 170_000_000.into()), "expiry_malformed"),
        (genuine.message("PUBLISH", soon + 86_400), "expiry_too_far"),
        (with("stream", "other".into()), "signature_mismatch"),
    ] {
        app.callback(&message, 401).await;
        let path = format!("/v1/rejections?cause={cause}");
        app.rejections(|rows| rows.iter().any(|row| row["cause"] == cause)).await;
        let rows = app.list(&path).await;
        assert!(rows.iter().all(|row| row["cause"] == cause && row["domain"] == message["domain"]), "{rows:?}");
    }
    app.callback_to("/callbacks/huawei/guess", of("unsigned.example.com").to_string(), 401).await;
    app.rejections(|rows| rows.iter().any(|row| row["cause"] == "secret_path_wrong")).await;
    app.callback_to("/callbacks/huawei", "{\"domain\":\"s3cret\"}", 400).await;
    app.rejections(|rows| rows.iter().any(|row| row["cause"] == "not_a_notification")).await;
    let malformed = app.list("/v1/rejections?cause=not_a_notification").await;
    assert_eq!(malformed[0]["domain"], "s3cret");
    assert_eq!(malformed[0]["sample"]["problem"], "the member `app` is missing");
}

#[tokio::test]
async fn rejections_are_filtered_and_paged() {
    let app = TestApp::start().await;
    for number in 0..5 {
        app.callback(&Push { domain: format!("d{number}.example.com"), ..Push::of("room", 5) }.start(), 401).await;
    }
    let all = app.rejections(|rows| rows.len() == 5).await;
    let mut paged = Vec::new();
    let mut path = "/v1/rejections?limit=2".to_owned();
    loop {
        let page = app.get(&path, 200).await;
        paged.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/rejections?limit=2&cursor={cursor}");
    }
    assert_eq!(paged, all);
    assert_eq!(app.list("/v1/rejections?domain=d3.example.com").await.len(), 1);
    let first = all.iter().map(|row| row["first_at"].as_str().unwrap()).min().unwrap();
    assert_eq!(app.list(&format!("/v1/rejections?from={first}")).await.len(), 5);
    assert_eq!(app.list(&format!("/v1/rejections?to={first}")).await.len(), 0);
    for filter in ["cause=none", "from=yesterday", "colour=red", "limit=0", "cursor=x"] {
        app.get(&format!("/v1/rejections?{filter}"), 400).await;
    }
}

/// Sends what is no message to callback URLs or near them.
async fn ask(app: &TestApp, method: &Method, path: &str, body: &str) -> Response {
    let request = app.client.request(method.clone(), format!("{}{path}", app.address));
    request.body(body.to_owned()).send().await.unwrap()
}

fn count_of(rows: &[Value], cause: &str) -> i64 {
    rows.iter().filter(|row| row["cause"] == cause).map(|row| row["count"].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn nothing_near_the_callback_address_goes_unseen() {
    let app = TestApp::start().await;
    for (method, path) in [
        (Method::GET, "/callbacks/huawei"),
        (Method::HEAD, "/callbacks/huawei"),
        (Method::PUT, "/callbacks/huawei"),
        (Method::OPTIONS, "/callbacks/huawei"),
        (Method::DELETE, "/callbacks/huawei/s3cret"),
        (Method::from_bytes(b"BREW").unwrap(), "/callbacks/huawei"),
    ] {
        let response = ask(&app, &method, path, "").await;
        assert_eq!(response.headers()["allow"], "POST", "{method} {path}");
        answer(&method, path, response, 405).await;
    }
    for (method, path) in [
        (Method::POST, "/callbacks"),
        (Method::POST, "/callbacks/hauwei"),
        (Method::POST, "/callbacks/huawei/s3cret/b?c=d"),
        (Method::GET, "/callbacks/"),
    ] {
        answer(&method, path, ask(&app, &method, path, "{}").await, 404).await;
    }
    let long = "x".repeat(70_000);
    for path in ["/callbacks/huawei", "/callbacks/huawei/s3cret"] {
        answer(&Method::POST, path, ask(&app, &Method::POST, path, &long).await, 413).await;
    }
    // What is not near it is nobody's callback.
    for path in ["/nothing", "/callback/huawei", "/callbacksx", "/v1/nothing"] {
        answer(&Method::POST, path, ask(&app, &Method::POST, path, "{}").await, 404).await;
    }

    let expected = [("wrong_method", 6), ("wrong_path", 4), ("too_large", 2)];
    let rejections = app.rejections(|rows| expected.iter().all(|(cause, count)| count_of(rows, cause) == *count)).await;
    assert_eq!(rejections.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>(), 12);
    for row in &rejections {
        assert_eq!(row["domain"], Value::Null, "{row}");
        assert_eq!(row["sample"]["source_ip"], "127.0.0.1", "{row}");
        assert!(!row.to_string().contains("s3cret"), "{row}");
    }
    for (cause, problem, words) in [
        ("wrong_method", "GET: the path does not support this method", "test button"),
        ("wrong_path", "POST: path not found", "Compare the callback URL"),
        ("too_large", "POST: the body is longer than 65536 bytes", "64 KiB"),
    ] {
        let rows = app.list(&format!("/v1/rejections?cause={cause}")).await;
        assert_eq!(rows.last().unwrap()["sample"]["problem"], problem);
        assert!(rows.iter().all(|row| row["cause"] == cause && row["advice"].as_str().unwrap().contains(words)));
    }
    let bound = app.make_token(&["read"], Some(&[DOMAIN])).await;
    assert_eq!(app.with_token(&bound).get("/v1/rejections", 200).await["data"], json!([]));
}

#[tokio::test]
async fn a_flood_beside_the_callback_address_is_one_row_a_minute_and_cause() {
    let app = TestApp::start().await;
    for number in 0..500 {
        ask(&app, &Method::GET, "/callbacks/huawei", "").await;
        ask(&app, &Method::POST, &format!("/callbacks/guess{number}"), "{}").await;
    }
    let all = |rows: &[Value]| count_of(rows, "wrong_method") == 500 && count_of(rows, "wrong_path") == 500;
    let rows = app.rejections(all).await;
    let minutes: std::collections::BTreeSet<_> = rows.iter().map(|row| row["minute_at"].to_string()).collect();
    assert!(rows.len() <= 2 * minutes.len(), "{rows:?}");
}
