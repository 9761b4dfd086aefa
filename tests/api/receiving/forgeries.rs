//! What one captured message lets an attacker try. Each test performs the forgery with a truly valid signature, shows
//! what it could not change, and beside it sends the honest message that is nearest to it.

use serde_json::{Value, json};
use streamtally::huawei::signature::{self, SignedFields, SigningKey};
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, KEY, Push};

use crate::helpers::TestApp;

const DOMAIN_PATH: &str = "/v1/domains/push.example.com";

fn now() -> i64 {
    clock::now().timestamp()
}

/// A captured message with some members changed, and its signature as it was.
fn forged(captured: &Value, changes: &[(&str, Value)]) -> Value {
    let mut message = captured.clone();
    for (member, value) in changes {
        message[*member] = value.clone();
    }
    assert!(verifies(&message), "the forgery's signature is valid");
    message
}

/// Whether a message's signature is that of its fields, joined as the provider joins them.
fn verifies(message: &Value) -> bool {
    let fields = SignedFields {
        event: message["event"].as_str().unwrap(),
        domain: message["domain"].as_str().unwrap(),
        app: message["app"].as_str().unwrap(),
        stream: message["stream"].as_str().unwrap(),
        auth_timestamp: message["auth_timestamp"].as_i64().unwrap(),
    };
    let auth_sign = signature::from_hex(message["auth_sign"].as_str().unwrap()).unwrap();
    signature::verify(&SigningKey::new(KEY), FieldSeparator::Nothing, &fields, &auth_sign)
}

async fn log_size(app: &TestApp) -> usize {
    app.list("/v1/events?limit=500").await.len()
}

/// Why the newest message of the log is quarantined.
async fn newest_reason(app: &TestApp) -> Value {
    let newest = &app.get("/v1/events?limit=1", 200).await["data"][0];
    assert_eq!(newest["disposition"], "quarantined", "{newest}");
    newest["reason"].clone()
}

/// The only session of a stream, without what grows with time.
async fn session_of(app: &TestApp, stream: &str) -> Value {
    app.fold().await;
    let mut session = app.session(&format!("stream={stream}")).await;
    session.as_object_mut().unwrap().remove("duration_seconds");
    session
}

#[tokio::test]
async fn every_worked_example_is_refused_or_set_aside() {
    let app = TestApp::start().await;
    let examples: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/forgeries.json")).unwrap();
    assert_eq!(examples.len(), 5);
    for example in &examples {
        let (seen, mut message) = (&example["seen"], example["forged"].clone());
        message["auth_sign"] = example["auth_sign"].clone();
        assert!(verifies(&message), "{example}");
        assert_ne!(*seen, example["forged"]);
        message["publish_timestamp"] = "1700000000".into();
        let with_every_app = if example["id"] == "F5" { 200 } else { 401 };
        app.put(DOMAIN_PATH, &json!({}), 200).await;
        app.callback(&message, with_every_app).await;
        app.put(DOMAIN_PATH, &json!({ "apps": ["live"] }), 200).await;
        app.callback(&message, 401).await;
    }
    assert_eq!(newest_reason(&app).await, "expired");
    app.fold().await;
    assert!(app.list("/v1/sessions").await.is_empty());
}

#[tokio::test]
async fn f1_a_digit_of_the_streams_tail_does_not_become_the_head_of_the_expiry() {
    let app = TestApp::start().await;
    let captured = Push::of("room1", 5).message("PUBLISH", now() + 60);
    let later = format!("1{}", captured["auth_timestamp"]).parse::<i64>().unwrap();
    app.callback(&forged(&captured, &[("stream", "room".into()), ("auth_timestamp", later.into())]), 401).await;
    assert_eq!(log_size(&app).await, 0);
    app.receive(&[captured, Push::of("room", 6).start()]).await;
    assert_eq!(app.list("/v1/sessions").await.len(), 2);
}

#[tokio::test]
async fn f2_the_expirys_first_digit_does_not_become_the_streams_tail() {
    let app = TestApp::start().await;
    let captured = Push::of("room", 5).message("PUBLISH", now() + 60);
    let rest = captured["auth_timestamp"].to_string()[1..].parse::<i64>().unwrap();
    app.callback(&forged(&captured, &[("stream", "room1".into()), ("auth_timestamp", rest.into())]), 401).await;
    assert_eq!(log_size(&app).await, 0);
    app.receive(&[captured, Push::of("room1", 6).start()]).await;
    assert_eq!(app.list("/v1/sessions").await.len(), 2);
}

#[tokio::test]
async fn f3_an_end_does_not_become_a_start() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    let captured = push.end();
    let as_start = forged(&captured, &[("event", "PUBLISH".into()), ("domain", "_DONEpush.example.com".into())]);
    app.callback(&as_start, 401).await;
    // Not even where a domain of that name is registered: it cannot have the same key.
    app.put("/v1/domains/_DONEpush.example.com", &json!({}), 201).await;
    app.post("/v1/domains/_DONEpush.example.com/keys", &json!({ "key": KEY }), 409).await;
    app.post("/v1/domains/_DONEpush.example.com/keys", &json!({ "key": "d".repeat(32) }), 201).await;
    app.callback(&as_start, 401).await;
    assert_eq!(log_size(&app).await, 0);
    app.receive(&[captured]).await;
    assert_eq!(session_of(&app, "room").await["status"], "ended");
}

#[tokio::test]
async fn f4_the_domains_tail_does_not_become_the_apps_head() {
    let app = TestApp::start().await;
    app.put("/v1/domains/push.example.co", &json!({}), 201).await;
    app.post("/v1/domains/push.example.co/keys", &json!({ "key": KEY }), 409).await;
    app.post("/v1/domains/push.example.co/keys", &json!({ "key": "c".repeat(32) }), 201).await;
    let captured = Push::of("room", 5).start();
    app.callback(&forged(&captured, &[("domain", "push.example.co".into()), ("app", "mlive".into())]), 401).await;
    assert_eq!(log_size(&app).await, 0);
    let neighbour = Push { domain: "push.example.co".to_owned(), app: "mlive".to_owned(), ..Push::of("room", 5) };
    app.receive(&[captured, Push { key: "c".repeat(32), ..neighbour }.start()]).await;
    assert_eq!(app.list("/v1/sessions").await.len(), 2);
}

fn f5_forgery(captured: &Value) -> Value {
    forged(captured, &[("app", "live2".into()), ("stream", "abc".into())])
}

#[tokio::test]
async fn f5_the_streams_head_does_not_become_the_apps_tail_where_apps_are_listed() {
    let app = TestApp::start().await;
    app.put(DOMAIN_PATH, &json!({ "apps": ["live"] }), 200).await;
    let captured = Push::of("2abc", 5).start();
    app.callback(&f5_forgery(&captured), 401).await;
    app.receive(&[captured]).await;
    assert_eq!(session_of(&app, "2abc").await["status"], "live");
    app.put(DOMAIN_PATH, &json!({ "apps": ["live", "live2"] }), 400).await;
}

#[tokio::test]
async fn f5_one_signature_does_not_count_for_two_streams() {
    let app = TestApp::start().await;
    let captured = Push::of("2abc", 5).start();
    app.receive(&[captured.clone(), f5_forgery(&captured), captured.clone()]).await;
    assert_eq!(app.list("/v1/events?reason=signature_of_another_stream").await.len(), 1);
    assert_eq!(app.list("/v1/sessions?app=live2").await.len(), 0);
    assert_eq!(app.list("/v1/streams").await.len(), 1);
    let session = session_of(&app, "2abc").await;
    assert_eq!((&session["start_deliveries"], &session["flags"]), (&json!(2), &json!([])));
    // A message of that stream with a signature of its own counts.
    app.receive(&[Push { app: "live2".to_owned(), ..Push::of("abc", 4) }.start()]).await;
    assert_eq!(session_of(&app, "abc").await["flags"], json!([]));
}

#[tokio::test]
async fn f5_nor_does_it_in_another_process_or_after_a_restart() {
    let mut app = TestApp::start().await;
    let captured = Push::of("2abc", 5).start();
    app.callback(&captured, 200).await;
    let (another, stop) = app.start_another(&["--roles", "receiver"]).await;
    app.callback_at(&another, &f5_forgery(&captured), 200).await;
    assert_eq!(newest_reason(&app).await, "signature_of_another_stream");
    drop(stop);
    app.stop().await;
    let (restarted, _stop) = app.start_another(&["--roles", "receiver"]).await;
    app.callback_at(&restarted, &f5_forgery(&captured), 200).await;
    app.callback_at(&restarted, &captured, 200).await;
    let dispositions: Vec<String> =
        sqlx::query_scalar("select disposition from log_entry order by position").fetch_all(&app.pool).await.unwrap();
    assert_eq!(dispositions, ["accepted", "quarantined", "quarantined", "accepted"]);
}

#[tokio::test]
async fn f5_of_two_splits_that_come_at_once_to_two_processes_one_counts() {
    let app = TestApp::start().await;
    let (another, _stop) = app.start_another(&["--roles", "receiver"]).await;
    for number in 0..20 {
        let captured = Push::of(&format!("2abc{number}"), 5).start();
        let forgery = forged(&captured, &[("app", "live2".into()), ("stream", format!("abc{number}").into())]);
        tokio::join!(app.callback(&captured, 200), app.callback_at(&another, &forgery, 200));
    }
    app.fold().await;
    assert_eq!(app.list("/v1/sessions").await.len(), 20);
    assert_eq!(app.list("/v1/events?reason=signature_of_another_stream").await.len(), 20);
}

#[tokio::test]
async fn f6_a_start_makes_no_phantom_sessions() {
    let app = TestApp::start().await;
    let push = Push::of("room", 3_600);
    let captured = push.start();
    app.callback(&captured, 200).await;
    let expiry = captured["auth_timestamp"].as_i64().unwrap();
    for (publish_timestamp, reason) in [
        (push.publish_timestamp - 3, "signature_of_another_push"),
        (push.publish_timestamp + 3, "signature_of_another_push"),
        (expiry + 300, "signature_of_another_push"),
        (expiry + 301, "start_outside_window"),
        (expiry - 86_401, "start_outside_window"),
        (1, "start_outside_window"),
    ] {
        app.callback(&forged(&captured, &[("publish_timestamp", publish_timestamp.to_string().into())]), 200).await;
        assert_eq!(newest_reason(&app).await, reason, "{publish_timestamp}");
    }
    app.fold().await;
    assert_eq!(app.list("/v1/sessions").await.len(), 1);
    // An encoder that connects twice within a second has one signature for both: whoever can alter a callback in flight can
    // choose its start anyway, and so gains one more push at the most, and that only at once.
    for (off, sessions) in [(1, 2), (2, 2), (-1, 2)] {
        let start = (push.publish_timestamp + off).to_string();
        app.receive(&[forged(&captured, &[("publish_timestamp", start.into())])]).await;
        assert_eq!(app.list("/v1/sessions").await.len(), sessions);
    }
    let flagged = app.session(&format!("publish_timestamp={}", push.publish_timestamp + 1)).await;
    assert_eq!(flagged["flags"], json!(["shared_signature"]));
    let other = Push::of("other", 3_600);
    let captured_later = other.start();
    app.receive(std::slice::from_ref(&captured_later)).await;
    let age = "update log_entry set received_at = to_timestamp(extract(epoch from received_at) - 11)";
    sqlx::query(age).execute(&app.pool).await.unwrap();
    let start = (other.publish_timestamp + 1).to_string();
    app.callback(&forged(&captured_later, &[("publish_timestamp", start.into())]), 200).await;
    assert_eq!(newest_reason(&app).await, "signature_of_another_push", "it comes too late");
    // The next push of the stream, with a signature of its own.
    app.receive(&[Push { publish_timestamp: push.publish_timestamp + 3, ..push }.start()]).await;
    assert_eq!(app.list("/v1/sessions?stream=room").await.len(), 3);
}

#[tokio::test]
async fn f7_an_end_does_not_end_another_session_of_its_stream() {
    let app = TestApp::start().await;
    let (first, overlapping) = (Push::of("room", 600), Push::of("room", 30));
    let captured = first.message("PUBLISH_DONE", now() - 10);
    let later = Push::of("room", 2);
    app.receive(&[first.start(), overlapping.start(), later.start(), captured.clone()]).await;
    // At once, one push that is live could end with it: both encoders may have stopped together.
    let age = "update log_entry set received_at = to_timestamp(extract(epoch from received_at) - 11)";
    sqlx::query(age).execute(&app.pool).await.unwrap();
    let beside = Push { publish_timestamp: first.publish_timestamp + 1, ..first.clone() };
    for (push, reason) in [
        (&overlapping, "signature_of_another_push"),
        (&beside, "signature_of_another_push"),
        (&later, "end_predates_session"),
    ] {
        let aimed = forged(&captured, &[("publish_timestamp", push.publish_timestamp.to_string().into())]);
        app.callback(&aimed, 200).await;
        assert_eq!(newest_reason(&app).await, reason);
    }
    app.fold().await;
    for (push, status) in [(&first, "ended"), (&overlapping, "live"), (&later, "live")] {
        let session = app.session(&format!("publish_timestamp={}", push.publish_timestamp)).await;
        let flags = if status == "live" { json!(["quarantined_messages"]) } else { json!([]) };
        assert_eq!((&session["status"], &session["flags"]), (&json!(status), &flags));
    }
    app.receive(&[overlapping.end()]).await;
    let session = app.session(&format!("publish_timestamp={}", overlapping.publish_timestamp)).await;
    assert_eq!(session["status"], "ended");
}

#[tokio::test]
async fn f8_altered_addresses_and_arguments_change_no_key_no_time_and_not_what_came_first() {
    let app = TestApp::start().await;
    let captured = Push::of("room", 60).start();
    app.receive(std::slice::from_ref(&captured)).await;
    let before = session_of(&app, "room").await;
    let markup = "<script>alert(1)</script>";
    let altered = forged(
        &captured,
        &[
            ("client_ip", markup.into()),
            ("node_ip", "::1".into()),
            ("user_args", format!("token=stolen&{}", "a=1&".repeat(5_000)).into()),
        ],
    );
    app.receive(&[altered]).await;
    let after = session_of(&app, "room").await;
    for member in ["session_id", "status", "started_at", "start_received_at", "client_ip", "node_ip", "user_args"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(after["flags"], json!(["key_conflict"]));
    let kept = &app.get("/v1/events?limit=1", 200).await["data"][0];
    assert_eq!(kept["client_ip"], markup);
    let user_args = kept["user_args"].as_str().unwrap();
    assert!(user_args.len() < 5_000 && !user_args.contains("stolen"), "{user_args}");
    app.receive(&[captured]).await;
    assert_eq!(session_of(&app, "room").await["start_deliveries"], 3);
}

#[tokio::test]
async fn f9_a_replay_brings_no_ended_session_back_and_moves_no_end() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    let (start, end) = (push.start(), push.end());
    app.receive(&[start.clone(), end.clone()]).await;
    let ended = session_of(&app, "room").await;
    assert_eq!(ended["status"], "ended");
    app.receive(&[start.clone(), end, start]).await;
    let mut replayed = session_of(&app, "room").await;
    assert_eq!((&replayed["start_deliveries"], &replayed["end_deliveries"]), (&json!(3), &json!(2)));
    for member in ["start_deliveries", "end_deliveries"] {
        replayed[member] = ended[member].clone();
    }
    assert_eq!(replayed, ended);
    // The next push of the stream is another session.
    app.receive(&[Push::of("room", 1).start()]).await;
    assert_eq!(app.get("/v1/live", 200).await["live_sessions"], 1);
}

#[tokio::test]
async fn f10_a_replay_after_expiry_and_grace_counts_for_nothing() {
    let app = TestApp::start().await;
    let push = Push::of("room", 3_600);
    app.receive(&[push.start(), push.message("PUBLISH_DONE", now() - 540)]).await;
    let session = session_of(&app, "room").await;
    assert_eq!(session["status"], "ended");
    let other = Push::of("other", 3_600);
    app.receive(&[other.start(), other.message("PUBLISH_DONE", now() - 601)]).await;
    assert_eq!(newest_reason(&app).await, "expired");
    let session = session_of(&app, "other").await;
    assert_eq!((&session["status"], &session["flags"]), (&json!("live"), &json!(["quarantined_messages"])));
}

#[tokio::test]
async fn f12_without_its_signature_a_message_of_a_signed_domain_counts_on_no_path() {
    let app = TestApp::start().await;
    let path = app.post(&format!("{DOMAIN_PATH}/callback-token"), &json!({}), 201).await["callback_path"].clone();
    let captured = Push::of("room", 5).start();
    for stripped in [&["auth_sign"][..], &["auth_timestamp"], &["auth_sign", "auth_timestamp"]] {
        for null in [false, true] {
            let mut message = captured.clone();
            for member in stripped {
                message[*member] = Value::Null;
                if !null {
                    message.as_object_mut().unwrap().remove(*member);
                }
            }
            app.callback(&message, 401).await;
            app.callback_to(path.as_str().unwrap(), message.to_string(), 401).await;
        }
    }
    assert_eq!(log_size(&app).await, 0);
    app.callback_to(path.as_str().unwrap(), captured.to_string(), 200).await;
    app.receive(&[captured]).await;
    assert_eq!(session_of(&app, "room").await["start_deliveries"], 2);
}

#[tokio::test]
async fn f13_a_member_that_comes_twice_is_refused_whichever_one_is_signed() {
    let app = TestApp::start().await;
    let captured = Push::of("room", 5).start();
    let text = captured.to_string();
    for member in ["domain", "app", "stream", "publish_timestamp", "event", "auth_timestamp", "auth_sign", "user_args"]
    {
        let other = format!("\"{member}\":\"other\"");
        app.callback_to("/callbacks/huawei", text.replacen('{', &format!("{{{other},"), 1), 400).await;
        app.callback_to("/callbacks/huawei", format!("{},{other}}}", text.trim_end_matches('}')), 400).await;
    }
    assert_eq!(log_size(&app).await, 0);
    app.receive(&[captured]).await;
    assert_eq!(session_of(&app, "room").await["start_deliveries"], 1);
}

#[tokio::test]
async fn f17_a_flood_of_bad_signatures_reaches_no_table_but_one_of_bounded_size() {
    let app = TestApp::start().await;
    let wrong = Push { key: "w".repeat(32), ..Push::of("room", 5) };
    let flood = (0..1_500).map(|number| {
        let domain = if number % 3 == 0 { DOMAIN.to_owned() } else { format!("flood{number}.example.com") };
        Push { domain, stream: format!("room{number}"), ..wrong.clone() }.start()
    });
    let flood: Vec<Value> = flood.collect();
    for some in flood.chunks(50) {
        futures_util::future::join_all(some.iter().map(|message| app.callback(message, 401))).await;
    }
    app.callback_to("/callbacks/huawei", "x".repeat(64 * 1024 + 1), 413).await;
    app.receive(&[Push::of("room", 5).start()]).await;
    assert_eq!(log_size(&app).await, 1);
    assert_eq!(session_of(&app, "room").await["status"], "live");
    // The body that is too long is one more.
    let count = |rows: &[Value]| rows.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>();
    let rejections = app.rejections(|rows| count(rows) == 1_501).await;
    // Ten names, those beyond, the registered domain, and what is too long: each minute that the flood touched.
    assert!(rejections.len() <= 2 * 13, "{}", rejections.len());
    let ours = rejections.iter().filter(|row| row["domain"] == DOMAIN);
    assert_eq!(ours.map(|row| row["count"].as_i64().unwrap()).sum::<i64>(), 500);
}
