//! Callbacks: what is stored, what is refused, and what the answer means.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row;
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::{HOLD_LOG, TestApp, answer};

/// The documented example, character for character.
const DOCUMENTED_EXAMPLE: &str = include_str!("../../fixtures/documented_example.json");

async fn log_size(app: &TestApp) -> i64 {
    sqlx::query_scalar("select count(*) from log_entry").fetch_one(&app.pool).await.unwrap()
}

#[tokio::test]
async fn the_documented_example_passes_through_the_secret_path_of_an_unsigned_domain() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "signature": "none" }), 200).await;
    let path = app.post(&format!("/v1/domains/{DOMAIN}/callback-token"), &json!({}), 201).await;
    let path = path["callback_path"].as_str().unwrap();

    let confirmation = app.callback_to(path, DOCUMENTED_EXAMPLE, 200).await;
    assert_eq!(confirmation, json!({ "status": 1, "result": "success" }));
    app.fold().await;

    let session = app.session("").await;
    assert_eq!(session["stream"], "example_stream");
    assert_eq!(session["publish_timestamp"], 1_587_954_134);
    assert_eq!(session["started_at"], "2020-04-27T02:22:14Z");
    assert_eq!(session["status"], "live");
    assert_eq!(session["unconfirmed"], true);
    assert_eq!(session["client_ip"], "100.111.*.*");
    let user_args = session["user_args"].as_str().unwrap();
    assert!(user_args.starts_with("auth_info=masked-") && user_args.ends_with("&cdn=hw"), "{user_args}");
}

#[tokio::test]
async fn the_documented_example_does_not_verify_on_a_signed_domain() {
    let app = TestApp::start().await;
    let refusal = app.callback_to("/callbacks/huawei", DOCUMENTED_EXAMPLE, 401).await;
    assert_eq!(refusal["code"], "not_verified");
    assert_eq!(log_size(&app).await, 0);
}

#[tokio::test]
async fn an_unsigned_domain_is_closed_to_the_open_path_and_to_other_secrets() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "signature": "none" }), 200).await;
    let token_path = format!("/v1/domains/{DOMAIN}/callback-token");
    let old = app.post(&token_path, &json!({}), 201).await;
    let new = app.post(&token_path, &json!({}), 201).await;
    for path in ["/callbacks/huawei", "/callbacks/huawei/guess", old["callback_path"].as_str().unwrap()] {
        app.callback_to(path, DOCUMENTED_EXAMPLE, 401).await;
    }
    app.callback_to(new["callback_path"].as_str().unwrap(), DOCUMENTED_EXAMPLE, 200).await;
}

#[tokio::test]
async fn every_refusal_for_want_of_proof_reads_the_same() {
    let app = TestApp::start().await;
    let genuine = Push::of("room", 5);
    let mut unknown_domain = genuine.start();
    unknown_domain["domain"] = "push.example.co".into();
    let mut unsigned = genuine.start();
    unsigned.as_object_mut().unwrap().remove("auth_sign");
    let mut other_stream = genuine.start();
    other_stream["stream"] = "room1".into();
    let other_key = Push { key: "x".repeat(32), ..genuine.clone() }.start();
    let other_joiner = Push { joiner: FieldSeparator::Plus, ..genuine.clone() }.start();
    let far_future = genuine.message("PUBLISH", clock::now().timestamp() + 2 * 86_400);
    let mut seen: Option<Value> = None;
    for message in [unknown_domain, unsigned, other_stream, other_key, other_joiner, far_future] {
        let refusal = app.callback(&message, 401).await;
        assert_eq!(*seen.get_or_insert_with(|| refusal.clone()), refusal);
    }
    assert_eq!(log_size(&app).await, 0);
    app.callback(&genuine.start(), 200).await;
    assert_eq!(log_size(&app).await, 1);
}

#[tokio::test]
async fn a_domain_set_to_a_plus_sign_verifies_signatures_joined_so() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "joiner": "+" }), 200).await;
    app.callback(&Push::of("room", 5).start(), 401).await;
    app.callback(&Push { joiner: FieldSeparator::Plus, ..Push::of("room", 5) }.start(), 200).await;
}

#[tokio::test]
async fn what_is_not_a_notification_is_refused_with_the_member_named() {
    let app = TestApp::start().await;
    let genuine = Push::of("room", 5).start();
    let with = |name: &str, value: Value| {
        let mut message = genuine.clone();
        message[name] = value;
        message.to_string()
    };
    for (name, body) in [
        ("publish_timestamp", with("publish_timestamp", "01700000000".into())),
        ("publish_timestamp", with("publish_timestamp", json!(1.5))),
        ("auth_timestamp", with("auth_timestamp", "soon".into())),
        ("stream", with("stream", "".into())),
        ("stream", with("stream", "x".repeat(513).into())),
        ("app", with("app", "not an app".into())),
        ("domain", with("domain", Value::Null)),
    ] {
        let refusal = app.callback_to("/callbacks/huawei", body, 400).await;
        assert_eq!(refusal["code"], "not_a_notification");
        assert_eq!(refusal["invalid_parameters"][0]["name"], name);
    }
    for body in ["", "{", "[]", "null", "{\"domain\":\"a\",\"domain\":\"a\"}", "\u{feff}{}"] {
        app.callback_to("/callbacks/huawei", body, 400).await;
    }
    app.callback_to("/callbacks/huawei", b"{\"domain\":\"\xff\"}".to_vec(), 400).await;
    app.callback_to("/callbacks/huawei", with("stream", "a\u{0}b".into()), 400).await;
    let repeated = genuine.to_string().replacen('{', "{\"stream\":\"other\",", 1);
    app.callback_to("/callbacks/huawei", repeated, 400).await;
    assert_eq!(log_size(&app).await, 0);
}

#[tokio::test]
async fn a_body_may_have_64_kib_and_no_byte_more() {
    let app = TestApp::start().await;
    let message = Push::of("room", 5).start().to_string();
    let padded = |length: usize| format!("{message}{}", " ".repeat(length - message.len()));
    app.callback_to("/callbacks/huawei", padded(64 * 1024), 200).await;
    app.callback_to("/callbacks/huawei", padded(64 * 1024 + 1), 413).await;
}

#[tokio::test]
async fn timestamps_may_be_strings_or_integers_and_any_content_type_is_read() {
    let app = TestApp::start().await;
    let push = Push::of("room", 5);
    let mut swapped = push.start();
    swapped["publish_timestamp"] = push.publish_timestamp.into();
    swapped["auth_timestamp"] = swapped["auth_timestamp"].to_string().into();
    let path = "/callbacks/huawei";
    for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let request = app.client.post(format!("{}{path}", app.address)).header("content-type", content_type);
        let response = request.body(swapped.to_string()).send().await.unwrap();
        answer(&Method::POST, path, response, 200).await;
    }
    app.fold().await;
    assert_eq!(app.session("").await["start_deliveries"], 4);
}

#[tokio::test]
async fn the_log_keeps_what_was_received_with_its_proof_and_without_its_credentials() {
    let app = TestApp::start().await;
    let mut message = Push::of("room", 5).start();
    message["quality"] = json!({ "fps": 25 });
    message["auth_sign"] = message["auth_sign"].as_str().unwrap().to_uppercase().into();
    app.callback(&message, 200).await;
    let row = sqlx::query("select * from log_entry").fetch_one(&app.pool).await.unwrap();
    assert_eq!(hex::encode(row.get::<Vec<u8>, _>("auth_sign")), message["auth_sign"].as_str().unwrap().to_lowercase());
    assert_eq!(row.get::<i64, _>("auth_timestamp"), message["auth_timestamp"]);
    assert_eq!(row.get::<Value, _>("extra"), json!({ "quality": { "fps": 25 } }));
    assert_eq!(row.get::<String, _>("source_ip"), "127.0.0.1");
    assert!(row.get::<String, _>("user_args").starts_with("auth_info=masked-"));
    let whole: String = sqlx::query_scalar("select log_entry::text from log_entry").fetch_one(&app.pool).await.unwrap();
    assert!(!whole.contains("very-secret"), "{whole}");
}

#[tokio::test]
async fn an_expired_message_is_confirmed_and_quarantined_and_makes_no_session() {
    let app = TestApp::start().await;
    let push = Push::of("room", 5);
    let late = push.message("PUBLISH", clock::now().timestamp() - 601);
    app.receive(&[late]).await;
    assert!(app.list("/v1/sessions").await.is_empty());
    assert!(app.list("/v1/streams").await.is_empty());
    assert_eq!(app.get("/v1/live", 200).await["live_sessions"], 0);

    app.receive(&[push.start()]).await;
    let session = app.session("").await;
    assert_eq!(session["flags"], json!(["quarantined_messages"]));
    let events = app.list(&format!("/v1/sessions/{}/events", session["session_id"].as_str().unwrap())).await;
    assert_eq!(events[1]["disposition"], "quarantined");
    assert_eq!(events[1]["reason"], "expired");
    assert_eq!(events[0]["disposition"], "accepted");
}

#[tokio::test]
async fn an_unknown_event_is_kept_and_changes_nothing() {
    let app = TestApp::start().await;
    let push = Push::of("room", 5);
    app.receive(&[push.message("PUBLISH_PAUSED", clock::now().timestamp() + 60)]).await;
    assert!(app.list("/v1/sessions").await.is_empty());
    app.receive(&[push.start(), push.message("OPERATOR_END", clock::now().timestamp() + 60)]).await;
    let session = app.session("").await;
    assert_eq!(session["status"], "live");
    let events = app.list(&format!("/v1/sessions/{}/events", session["session_id"].as_str().unwrap())).await;
    assert_eq!(
        events.iter().map(|e| e["event"].as_str().unwrap()).collect::<Vec<_>>(),
        ["OPERATOR_END", "PUBLISH", "PUBLISH_PAUSED"]
    );
}

#[tokio::test]
async fn nothing_is_confirmed_before_the_commit() {
    let app = TestApp::start().await;
    let mut holder = app.pool.begin().await.unwrap();
    sqlx::query(HOLD_LOG).execute(&mut *holder).await.unwrap();
    let message = Push::of("room", 5).start().to_string();
    let request = app.client.post(format!("{}/callbacks/huawei", app.address)).body(message);
    let mut answering = tokio::spawn(request.send());
    app.wait_for_a_blocked_statement().await;
    assert!(!answering.is_finished(), "answered while the append was waiting");
    holder.rollback().await.unwrap();
    assert_eq!((&mut answering).await.unwrap().unwrap().status(), 200);
    assert_eq!(log_size(&app).await, 1);
}

#[tokio::test]
async fn after_its_connection_was_cut_the_next_message_is_stored_all_the_same() {
    let app = TestApp::start().await;
    app.callback(&Push::of("room", 5).start(), 200).await;
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
    sqlx::query(cut).execute(&app.pool).await.unwrap();
    app.callback(&Push::of("room", 5).end(), 200).await;
    assert_eq!(log_size(&app).await, 2);
}

#[tokio::test]
async fn what_is_not_signed_is_kept_in_bounds() {
    let app = TestApp::start().await;
    let mut message = Push::of("room", 5).start();
    message["user_args"] = "a&".repeat(30_000).into();
    app.callback(&message, 200).await;
    let kept = "select octet_length(user_args) from log_entry";
    assert!(sqlx::query_scalar::<_, i32>(kept).fetch_one(&app.pool).await.unwrap() < 5_000);
    message["user_args"] = "".into();
    message["more"] = "x".repeat(9_000).into();
    app.callback(&message, 200).await;
    let kept: i64 = sqlx::query_scalar("select count(extra) from log_entry").fetch_one(&app.pool).await.unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_and_keeps_what_it_took() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--queue-capacity", "1"]).await;
    let mut holder = app.pool.begin().await.unwrap();
    sqlx::query(HOLD_LOG).execute(&mut *holder).await.unwrap();
    let send = |stream: &str| {
        let message = Push::of(stream, 5).start().to_string();
        tokio::spawn(app.client.post(format!("{}/callbacks/huawei", app.address)).body(message).send())
    };
    // One is being written, one waits on the queue; of more, each is refused.
    let first = send("first");
    app.wait_for_a_blocked_statement().await;
    let mut rest: Vec<_> = (0..4).map(|number| send(&format!("more{number}"))).collect();
    let mut refused = 0;
    while refused < 3 {
        let (response, _, others) = futures_util::future::select_all(rest).await;
        assert_eq!(response.unwrap().unwrap().status(), 503);
        refused += 1;
        rest = others;
    }
    holder.rollback().await.unwrap();
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(rest.pop().unwrap().await.unwrap().unwrap().status(), 200);
    assert_eq!(log_size(&app).await, 2);
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight() {
    let mut app = TestApp::start().await;
    let mut holder = app.pool.begin().await.unwrap();
    sqlx::query(HOLD_LOG).execute(&mut *holder).await.unwrap();
    let message = Push::of("room", 5).start().to_string();
    let answering = tokio::spawn(app.client.post(format!("{}/callbacks/huawei", app.address)).body(message).send());
    app.wait_for_a_blocked_statement().await;
    let stopped = app.stop();
    let released = async { holder.rollback().await.unwrap() };
    tokio::join!(stopped, released);
    assert_eq!(answering.await.unwrap().unwrap().status(), 200);
    assert_eq!(log_size(&app).await, 1);
}
