//! Callbacks as they arrive in the field: nothing but what counts may cost a customer a push.

use std::io::Write;

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use streamtally::clock;
use streamtally::reconciler::infer::{Rules, infer};
use streamtally::reconciler::rebuild::Purpose;

use crate::helpers::{TestApp, answer};
use crate::messages::{DOMAIN, Push};
use crate::rebuild::differences;

const PATH: &str = "/callbacks/huawei";
const DOMAIN_PATH: &str = "/v1/domains/push.example.com";

fn now() -> i64 {
    clock::now().timestamp()
}

/// Infers as if `seconds` had passed, and folds.
async fn infer_in(app: &TestApp, seconds: i64) -> usize {
    let rules = Rules { supersede_after: TimeDelta::seconds(300), close_unconfirmed_after: None };
    let found = infer(&app.pool, &rules, clock::now() + TimeDelta::seconds(seconds)).await.unwrap();
    app.fold().await;
    found
}

async fn session_of(app: &TestApp, push: &Push) -> Value {
    app.fold().await;
    app.session(&format!("stream={}&publish_timestamp={}", push.stream, push.publish_timestamp)).await
}

/// Lets what was received so far have been received longer ago.
async fn age(app: &TestApp, seconds: i32) {
    let age = "update log_entry set received_at = received_at - make_interval(secs => $1)";
    sqlx::query(age).bind(f64::from(seconds)).execute(&app.pool).await.unwrap();
    differences(app, Purpose::Replace).await;
}

async fn reasons(app: &TestApp) -> Vec<Value> {
    let quarantined = app.list("/v1/events?disposition=quarantined").await;
    quarantined.iter().map(|event| event["reason"].clone()).collect()
}

/// Bills of the month's push seconds.
async fn push_seconds(app: &TestApp) -> Value {
    app.get("/v1/reports/push-duration?from=2020-01-01&to=2100-01-01", 200).await["totals"]["push_seconds"].clone()
}

async fn assert_rebuilt(app: &TestApp) {
    app.fold().await;
    assert_eq!(differences(app, Purpose::Verify).await, []);
}

/// One situation of the fixture.
struct Case {
    about: Value,
    told: Value,
    now: i64,
}

impl Case {
    fn all() -> Vec<Self> {
        let fixture: Value = serde_json::from_str(include_str!("../fixtures/field.json")).unwrap();
        let cases = fixture["cases"].as_array().unwrap();
        cases.iter().map(|case| Self { about: fixture.clone(), told: case.clone(), now: now() }).collect()
    }

    fn name(&self) -> &str {
        self.told["name"].as_str().unwrap()
    }

    /// The push that a message names.
    fn push(&self, start: i64) -> Push {
        Push { publish_timestamp: self.now + start, ..Push::of(self.about["stream"].as_str().unwrap(), 0) }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        let prefix = hex::decode(self.told["body_prefix_hex"].as_str().unwrap_or_default()).unwrap();
        let mut bodies = Vec::new();
        for message in self.told["messages"].as_array().unwrap_or(&Vec::new()) {
            let push = self.push(message["start"].as_i64().unwrap_or_default());
            let mut body =
                push.message(message["event"].as_str().unwrap(), self.now + message["expires"].as_i64().unwrap());
            for member in ["user_args", "client_ip", "publish_timestamp"] {
                if let Some(value) = message.get(member) {
                    body[member] = value.clone();
                }
            }
            if body["publish_timestamp"] == "now-5 in milliseconds" {
                body["publish_timestamp"] = ((self.now - 5) * 1000).into();
            }
            bodies.push([&prefix, body.to_string().as_bytes()].concat());
        }
        if let Some(mut body) = self.told.get("body").cloned() {
            body["auth_timestamp"] = (self.now + 60).into();
            bodies.push(body.to_string().into_bytes());
        }
        bodies
    }

    /// Sends all of it, and folds: the statuses.
    async fn send(&self, app: &TestApp) -> Vec<u16> {
        let path = self.told["path"].as_str().unwrap_or(PATH);
        let encoding = self.told["headers"]["Content-Encoding"].as_str();
        let mut statuses = Vec::new();
        for body in self.bodies() {
            let response = match encoding {
                Some(encoding) => post(app, path, encoding, gzip(&body)).await,
                None => app.client.post(format!("{}{path}", app.address)).body(body).send().await.unwrap(),
            };
            statuses.push(response.status().as_u16());
        }
        app.fold().await;
        statuses
    }

    async fn assert_then(&self, app: &TestApp, statuses: &[u16]) {
        let expected = if ["milliseconds", "a recording callback at the wrong address"].contains(&self.name()) {
            400
        } else {
            200
        };
        assert!(statuses.iter().all(|status| *status == expected), "{statuses:?}");
        match self.name() {
            "an intruder comes and goes" => {
                infer_in(app, 301).await;
                assert_eq!(session_of(app, &self.push(-3_600)).await["status"], "live");
                assert_eq!(app.get("/v1/live", 200).await["live_streams"], 1);
            }
            "a later push that lasts supersedes" => {
                infer_in(app, 301).await;
                let session = session_of(app, &self.push(-3_600)).await;
                assert_eq!(
                    (&session["ended_at_source"], &session["duration_seconds"]),
                    (&json!("superseded"), &json!(1_800))
                );
            }
            "main and backup encoder stop together" => {
                for start in [-7_200, -3_600] {
                    assert_eq!(session_of(app, &self.push(start)).await["ended_at_source"], "notification");
                }
            }
            "connects, drops, connects again within a second" => {
                assert_eq!(session_of(app, &self.push(-3)).await["status"], "ended");
                assert_eq!(session_of(app, &self.push(-2)).await["status"], "live");
            }
            "an end that says 1970" => {
                assert_eq!(reasons(app).await, ["end_of_unknown_push"]);
                assert_eq!(push_seconds(app).await, 0);
            }
            "one delivery lacks the address" => {
                let session = session_of(app, &self.push(-5)).await;
                assert_eq!((&session["start_deliveries"], &session["flags"]), (&json!(2), &json!([])));
            }
            "address with a port" => {
                assert_eq!(app.session("client_ip=203.0.113.77").await["client_ip"], "203.0.113.77:2572");
            }
            "milliseconds" => assert_rejected(app, "milliseconds").await,
            "a recording callback at the wrong address" => assert_rejected(app, "recording callback").await,
            "user_args is a list" | "user_args holds a tab" | "byte order mark" | "gzip" | "trailing slash" => {
                assert_eq!(session_of(app, &self.push(-5)).await["status"], "live");
            }
            other => panic!("no expectation for {other:?}"),
        }
    }
}

/// That one callback was rejected, with the domain named, and advice that says this.
async fn assert_rejected(app: &TestApp, advice: &str) {
    let rejections = app.rejections(|rows| rows.len() == 1).await;
    assert_eq!(rejections[0]["domain"], DOMAIN);
    assert!(rejections[0]["advice"].as_str().unwrap().contains(advice), "{rejections:?}");
}

async fn post(app: &TestApp, path: &str, encoding: &str, body: Vec<u8>) -> Response {
    let request = app.client.post(format!("{}{path}", app.address)).header("content-encoding", encoding);
    request.body(body).send().await.unwrap()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

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
async fn every_situation_of_the_field_ends_as_users_expect() {
    for case in Case::all() {
        let app = TestApp::start().await;
        if let Some(settings) = case.told.get("domain") {
            app.put(DOMAIN_PATH, settings, 200).await;
        }
        // Shown when the test fails.
        println!("{}", case.name());
        let statuses = case.send(&app).await;
        case.assert_then(&app, &statuses).await;
        assert_rebuilt(&app).await;
    }
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
async fn a_push_supersedes_another_only_by_lasting() {
    let app = TestApp::start().await;
    let (first, brief, lasting) = (Push::of("room", 3_600), Push::of("room", 500), Push::of("room", 850));
    app.receive(&[first.start(), brief.start(), brief.message("PUBLISH_DONE", brief.publish_timestamp + 299)]).await;
    assert_eq!(infer_in(&app, 100_000).await, 0);
    assert_eq!(session_of(&app, &first).await["status"], "live");
    // It lasted, but has ended.
    app.receive(&[lasting.start(), lasting.message("PUBLISH_DONE", lasting.publish_timestamp + 300)]).await;
    assert_eq!(infer_in(&app, 299).await, 0, "an end may still be on its way");
    assert_eq!(infer_in(&app, 301).await, 1);
    let session = session_of(&app, &first).await;
    assert_eq!((&session["ended_at_source"], &session["duration_seconds"]), (&json!("superseded"), &json!(2_750)));
    assert_rebuilt(&app).await;
}

#[tokio::test]
async fn two_ends_of_one_second_share_a_signature_and_a_third_does_not() {
    let app = TestApp::start().await;
    let pushes = [7_200, 3_600, 1_800].map(|seconds_ago| Push::of("room", seconds_ago));
    let expiry = now() + 60;
    app.receive(&pushes.clone().map(|push| push.start())).await;
    let ends = pushes.clone().map(|push| push.message("PUBLISH_DONE", expiry));
    // Repeats of both are repeats.
    app.receive(&[ends[0].clone(), ends[1].clone(), ends[2].clone(), ends[1].clone(), ends[0].clone()]).await;
    for (push, status, deliveries, flags) in [
        (&pushes[0], "ended", 2, json!([])),
        (&pushes[1], "ended", 2, json!(["shared_signature"])),
        (&pushes[2], "live", 0, json!(["quarantined_messages"])),
    ] {
        let session = session_of(&app, push).await;
        assert_eq!((&session["status"], &session["end_deliveries"]), (&json!(status), &json!(deliveries)));
        assert_eq!(session["flags"], flags);
    }
    let shared = &app.list("/v1/events?event=PUBLISH_DONE&disposition=accepted").await;
    let first = session_of(&app, &pushes[0]).await["session_id"].clone();
    assert!(shared.iter().any(|event| event["signature_shared_with"] == first), "{shared:?}");
    assert_eq!(app.list("/v1/sessions?flag=shared_signature").await.len(), 1);
    assert_rebuilt(&app).await;
}

#[tokio::test]
async fn a_signature_is_shared_only_at_once_and_only_where_that_is_plausible() {
    let app = TestApp::start().await;
    let expiry = now() + 60;
    let [first, second, third] = [7_200, 3_600, 60].map(|seconds_ago| Push::of("room", seconds_ago));
    let unknown = Push::of("room", 1_234);
    app.receive(&[first.start(), second.start(), third.start(), third.end(), first.message("PUBLISH_DONE", expiry)])
        .await;
    for push in [&unknown, &third] {
        app.callback(&push.message("PUBLISH_DONE", expiry), 200).await;
    }
    assert_eq!(reasons(&app).await, ["signature_of_another_push"; 2], "neither is live");
    age(&app, 11).await;
    app.callback(&second.message("PUBLISH_DONE", expiry), 200).await;
    assert_eq!(reasons(&app).await, ["signature_of_another_push"; 3], "it comes too late");
    assert_eq!(session_of(&app, &second).await["status"], "live");

    let [start, near, far] = [10, 8, 7].map(|seconds_ago| Push::of("other", seconds_ago));
    let starts = [&start, &far, &near].map(|push| push.message("PUBLISH", expiry));
    app.receive(&starts).await;
    assert_eq!(app.list("/v1/sessions?stream=other").await.len(), 2);
    assert_eq!(session_of(&app, &near).await["flags"], json!(["shared_signature"]));
    // Who shares the signature of its start shares none of its end: a phantom would end with what it began with.
    app.receive(&[start.message("PUBLISH_DONE", expiry + 1), near.message("PUBLISH_DONE", expiry + 1)]).await;
    assert_eq!(session_of(&app, &near).await["status"], "live");
    app.receive(&[near.message("PUBLISH_DONE", expiry + 2)]).await;
    assert_eq!(session_of(&app, &near).await["status"], "ended");
    assert_rebuilt(&app).await;
}

#[tokio::test]
async fn an_end_reaches_far_back_only_if_its_start_was_received() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--start-window-before", "100d"]).await;
    let [near, far, known] = [29, 31, 40].map(|days: i64| Push::of(&format!("room{days}"), days * 86_400));
    app.receive(&[near.end(), far.end(), known.start(), known.end()]).await;
    assert_eq!(reasons(&app).await, ["end_of_unknown_push"]);
    assert_eq!(session_of(&app, &near).await["flags"], json!(["start_missing"]));
    assert_eq!(session_of(&app, &known).await["status"], "ended");
    let quarantined = &app.list("/v1/events?reason=end_of_unknown_push").await[0];
    app.post(&format!("/v1/events/{}/release", quarantined["event_id"].as_str().unwrap()), &json!({}), 200).await;
    assert_eq!(session_of(&app, &far).await["status"], "ended");
    assert_rebuilt(&app).await;

    app.put(DOMAIN_PATH, &json!({ "signature": "none" }), 200).await;
    let path = app.post(&format!("{DOMAIN_PATH}/callback-token"), &json!({}), 201).await;
    let mut message = Push::of("unsigned", 5).end();
    message["publish_timestamp"] = "0".into();
    app.callback_to(path["callback_path"].as_str().unwrap(), message.to_string(), 200).await;
    assert_eq!(app.list("/v1/events?reason=end_of_unknown_push&stream=unsigned").await.len(), 1);
}

#[tokio::test]
async fn an_absent_or_masked_address_is_no_conflict_and_another_one_is() {
    let app = TestApp::start().await;
    for (stream, second, conflict) in [
        ("absent", Value::Null, false),
        ("empty", json!(""), false),
        ("masked", json!("203.0.*.*"), false),
        ("port", json!("203.0.113.7:4711"), false),
        ("mapped", json!("::ffff:203.0.113.7"), false),
        ("elsewhere", json!("198.51.*.*"), true),
        ("other", json!("203.0.113.8"), true),
    ] {
        let push = Push::of(stream, 5);
        let mut message = push.start();
        message["client_ip"] = second;
        for pair in [[push.start(), message.clone()], [message, push.start()]] {
            app.receive(&pair).await;
        }
        let session = session_of(&app, &push).await;
        assert_eq!(session["flags"], if conflict { json!(["key_conflict"]) } else { json!([]) }, "{stream}");
        assert_eq!(session["client_ip"], "203.0.113.7", "{stream}");
    }
    assert_rebuilt(&app).await;
}

#[tokio::test]
async fn sessions_are_found_by_an_address_in_any_spelling_and_show_it_as_received() {
    let app = TestApp::start().await;
    for (stream, received) in [
        ("v4", "203.0.113.77:2572"),
        ("v6", "[2001:DB8:0:0::1]:443"),
        ("zone", "fe80::1%eth0"),
        ("mapped", "::ffff:198.51.100.9"),
        ("masked", "203.0.*.*"),
        ("odd", "relay-7"),
    ] {
        let push = Push { client_ip: received.to_owned(), ..Push::of(stream, 5) };
        app.receive(&[push.start()]).await;
    }
    for (stream, spelled) in [
        ("v4", "203.0.113.77"),
        ("v4", "::ffff:203.0.113.77"),
        ("v6", "2001:db8::1"),
        ("v6", "2001:0db8:0000:0000:0000:0000:0000:0001"),
        ("zone", "fe80::1"),
        ("mapped", "198.51.100.9"),
        ("masked", "203.0.*.*"),
        ("odd", "relay-7"),
    ] {
        let session = app.session(&format!("client_ip={spelled}")).await;
        assert_eq!(session["stream"], stream, "{spelled}");
    }
    assert_eq!(app.session("stream=v6").await["client_ip"], "[2001:DB8:0:0::1]:443");
    // What the first start lacked, a later one told.
    let push = Push::of("late", 5);
    let mut without = push.start();
    without["client_ip"] = Value::Null;
    let with = Push { client_ip: "192.0.2.1:1".to_owned(), ..push }.start();
    app.receive(&[without, with]).await;
    assert_eq!(app.session("client_ip=192.0.2.1").await["client_ip"], "192.0.2.1");
    assert_rebuilt(&app).await;
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
