//! Bodies with members of every shape, compressed or not.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::messages::{DOMAIN, Push};

use super::{DOMAIN_PATH, PATH, assert_rebuilt, gzip, post, session_of};
use crate::helpers::{TestApp, answer};

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn no_unsigned_member_of_any_shape_rejects_a_callback() {
    let app = TestApp::start().await;
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    let values = [
        json!([]).to_string(),
        json!({ "auth_info": "very-secret", "cdn": "hw" }).to_string(),
        json!(["a=1", 2, null, [true]]).to_string(),
        "-0.5e-3".to_owned(),
        "1e400".to_owned(),
        "\"a\tb\u{1}\"".to_owned(),
        r#""a\u0000\ud800\x""#.to_owned(),
        format!("\"{}\"", "é".repeat(10_000)),
        r#"{"a":1,"a":2}"#.to_owned(),
        "null".to_owned(),
        "\"\"".to_owned(),
        deep,
    ];
    let mut number = 0;
    for member in ["user_args", "client_ip", "node_ip", "encoder"] {
        for value in &values {
            number += 1;
            let mut message = Push::of(&format!("room{number}"), 5).start();
            message[member] = "PLACE".into();
            app.callback_to(PATH, message.to_string().replace("\"PLACE\"", value), 200).await;
        }
        let mut message = Push::of(&format!("gbk-{member}"), 5).start();
        message[member] = "PLACE".into();
        let text = message.to_string();
        let (before, after) = text.split_once("PLACE").unwrap();
        app.callback_to(PATH, [before.as_bytes(), b"a=\xb9\xe3\xb2\xa5&b=2", after.as_bytes()].concat(), 200).await;
    }
    assert_rebuilt(&app).await;
    assert_eq!(app.get("/v1/live", 200).await["live_sessions"], number + 4);
    let shown = "select string_agg(concat(client_ip, node_ip, user_args), '') from log_entry";
    let shown: String = sqlx::query_scalar(shown).fetch_one(&app.pool).await.unwrap();
    assert!(!shown.contains("very-secret"), "{shown}");
}

#[tokio::test]
async fn an_event_says_which_members_were_altered_and_keeps_what_can_be_read() {
    let app = TestApp::start().await;
    for (stream, member, value, kept, altered) in [
        ("tab", "user_args", json!("cdn=1\tb"), json!("cdn=1\\tb"), json!(["user_args"])),
        ("object", "user_args", json!({ "cdn": "hw", "x": [1, 2] }), json!("cdn=hw&x=1&2"), json!(["user_args"])),
        ("empty", "client_ip", json!(""), Value::Null, json!([])),
        ("list", "client_ip", json!(["203.0.113.9"]), json!("203.0.113.9"), json!(["client_ip"])),
        ("dropped", "node_ip", json!([]), Value::Null, json!(["node_ip"])),
        ("extra", "encoder", json!("x".repeat(9_000)), Value::Null, json!(["undocumented"])),
        ("plain", "user_args", json!("cdn=hw"), json!("cdn=hw"), json!([])),
    ] {
        let mut message = Push::of(stream, 5).start();
        message[member] = value;
        app.callback(&message, 200).await;
        let event = &app.list(&format!("/v1/events?stream={stream}")).await[0];
        assert_eq!(event["altered_members"], altered, "{stream}");
        if member != "encoder" {
            // A value without a name may be a credential, and is masked.
            let shown = event[member].as_str().map(|text| text.split("masked-").next().unwrap());
            assert!(
                event[member] == kept || shown.is_some_and(|shown| kept.as_str().unwrap().starts_with(shown)),
                "{event}"
            );
        }
    }
    let long = format!("cdn={}", "x".repeat(30_000));
    let mut message = Push::of("long", 5).start();
    message["user_args"] = long.into();
    app.callback(&message, 200).await;
    let event = &app.list("/v1/events?stream=long").await[0];
    let kept = event["user_args"].as_str().unwrap();
    assert!(kept.starts_with("cdn=xxx") && kept.ends_with('…') && kept.len() < 5_000, "{}", kept.len());
    assert_eq!(event["altered_members"], json!(["user_args"]));
}

#[tokio::test]
async fn what_is_signed_is_read_strictly_all_the_same() {
    let app = TestApp::start().await;
    let genuine = Push::of("room", 5).start();
    for member in ["domain", "app", "stream", "event"] {
        for value in [json!([]), json!(1), json!("a\tb"), json!("")] {
            let mut message = genuine.clone();
            message[member] = value;
            app.callback(&message, 400).await;
        }
        let mut message = genuine.clone();
        message[member] = "PLACE".into();
        let text = message.to_string();
        let (before, after) = text.split_once("PLACE").unwrap();
        app.callback_to(PATH, [before.as_bytes(), b"a\xb9\xe3", after.as_bytes()].concat(), 400).await;
    }
    for value in [json!([]), json!("1.79E9"), json!(1.5), json!("soon")] {
        for member in ["publish_timestamp", "auth_timestamp"] {
            let mut message = genuine.clone();
            message[member] = value.clone();
            app.callback(&message, 400).await;
        }
    }
    assert_eq!(app.list("/v1/events").await.len(), 0);
}

#[tokio::test]
async fn a_number_that_is_whole_counts_however_a_relay_writes_it() {
    let app = TestApp::start().await;
    let push = Push::of("room", 5);
    let genuine = push.start();
    let digits = genuine["auth_timestamp"].to_string();
    let exponent = format!("{}.{}E9", &digits[..1], &digits[1..]);
    for (start, expiry) in [
        (format!("{}.0", push.publish_timestamp), format!("{digits}.0")),
        (push.publish_timestamp.to_string(), exponent),
    ] {
        let mut message = genuine.clone();
        (message["publish_timestamp"], message["auth_timestamp"]) = ("START".into(), "EXPIRY".into());
        let body = message.to_string().replace("\"START\"", &start).replace("\"EXPIRY\"", &expiry);
        app.callback_to(PATH, body, 200).await;
    }
    assert_eq!(session_of(&app, &push).await["start_deliveries"], 2);
}

#[tokio::test]
async fn empty_signature_members_are_absent() {
    let app = TestApp::start().await;
    app.put(DOMAIN_PATH, &json!({ "signature": "none" }), 200).await;
    let path = app.post(&format!("{DOMAIN_PATH}/callback-token"), &json!({}), 201).await;
    let path = path["callback_path"].as_str().unwrap();
    let mut message = Push::of("room", 5).start();
    (message["auth_timestamp"], message["auth_sign"]) = ("".into(), "".into());
    app.callback_to(path, message.to_string(), 200).await;
    // A slash at the end changes nothing.
    app.callback_to(&format!("{path}/"), message.to_string(), 200).await;
    app.callback_to(&format!("{PATH}/"), message.to_string(), 401).await;
    app.put(DOMAIN_PATH, &json!({}), 200).await;
    app.callback(&message, 401).await;
    app.rejections(|rows| rows.iter().any(|row| row["cause"] == "signature_missing")).await;
}

#[tokio::test]
async fn bodies_are_decoded_from_gzip_and_deflate_within_the_limit() {
    let app = TestApp::start().await;
    let push = Push::of("room", 5);
    let body = push.start().to_string().into_bytes();
    for (encoding, encoded) in [
        ("gzip", gzip(&body)),
        ("x-gzip", gzip(&body)),
        ("GZIP", gzip(&body)),
        ("deflate", zlib(&body)),
        ("deflate", deflate(&body)),
        ("identity", body.clone()),
        ("deflate, gzip", gzip(&zlib(&body))),
    ] {
        answer(&Method::POST, PATH, post(&app, PATH, encoding, encoded).await, 200).await;
    }
    assert_eq!(session_of(&app, &push).await["start_deliveries"], 7);
    let padded = |length: usize| [&body[..], " ".repeat(length - body.len()).as_bytes()].concat();
    for (encoding, encoded, status) in [
        ("gzip", gzip(&padded(64 * 1024)), 200),
        ("gzip", gzip(&padded(64 * 1024 + 1)), 413),
        ("gzip", gzip(&vec![b' '; 20 << 20]), 413),
        ("gzip", body.clone(), 400),
        ("deflate", zlib(&body)[..40].to_vec(), 400),
    ] {
        answer(&Method::POST, PATH, post(&app, PATH, encoding, encoded).await, status).await;
    }
    for encoding in ["br", "zstd", "compress", "gzip, br"] {
        let response = post(&app, PATH, encoding, gzip(&body)).await;
        assert_eq!(response.headers()["accept-encoding"], "gzip, deflate");
        answer(&Method::POST, PATH, response, 415).await;
    }
}

#[tokio::test]
async fn a_rejection_names_the_domain_as_far_as_the_body_can_be_read() {
    let app = TestApp::start().await;
    let genuine = Push::of("room", 5).start();
    let text = genuine.to_string();
    for body in [
        text.replace("\"live\"", "\"not an app\""),
        text.replacen('{', "{\"app\":\"live\",", 1),
        text[..text.len() - 1].to_owned(),
        text.replace("\"publish_timestamp\"", "\"start\""),
        json!({ "publish_domain": DOMAIN, "event_type": "SNAPSHOT_DONE" }).to_string(),
    ] {
        app.callback_to(PATH, body, 400).await;
    }
    let count = |rows: &[Value]| rows.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>();
    let rows = app.rejections(|rows| count(rows) == 5).await;
    assert!(rows.iter().all(|row| row["domain"] == DOMAIN), "{rows:?}");
}
