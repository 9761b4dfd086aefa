//! Quarantined messages: shown with their reason, without effect, and released by an operator.

use chrono::TimeDelta;
use serde_json::{Value, json};
use streamtally::model::event::QuarantineReason::{Expired, StartOutsideWindow};
use streamtally::platform::clock;
use streamtally::store;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::TestApp;

/// A message that is too late to count by itself.
fn late(push: &Push, event: &str) -> Value {
    push.message(event, clock::now().timestamp() - 700)
}

async fn quarantined(app: &TestApp) -> Vec<Value> {
    app.list("/v1/events?disposition=quarantined").await
}

fn release_path(event: &Value) -> String {
    format!("/v1/events/{}/release", event["event_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_released_message_counts_as_if_it_had_been_accepted_when_it_arrived() {
    let app = TestApp::start().await;
    let push = Push::of("room", 1_000);
    app.receive(&[late(&push, "PUBLISH"), late(&push, "PUBLISH_DONE")]).await;
    assert!(app.list("/v1/sessions").await.is_empty());
    let [end, start] = quarantined(&app).await.try_into().unwrap();
    assert_eq!(
        (&start["event"], &start["reason"], &start["released_at"]),
        (&json!("PUBLISH"), &json!("expired"), &Value::Null)
    );

    let release = app.post(&release_path(&start), &json!({ "reason": "our clock was wrong" }), 200).await;
    assert_eq!((&release["event"], &release["disposition"]), (&json!("RELEASED"), &json!("released")));
    assert_eq!(release["original_event_id"], start["event_id"]);
    assert_eq!((&release["actor"], &release["note"]), (&json!("administrator"), &json!("our clock was wrong")));
    app.fold().await;
    let session = app.session("").await;
    assert_eq!(session["status"], "live");
    assert_eq!(session["start_received_at"], start["received_at"]);
    assert_eq!(session["client_ip"], start["client_ip"]);
    assert_eq!(session["flags"], json!(["quarantined_messages"]));

    app.post(&release_path(&end), &json!({}), 200).await;
    app.fold().await;
    let session = app.session("").await;
    assert_eq!((&session["status"], &session["ended_at_source"]), (&json!("ended"), &json!("notification")));
    // The end was made before its signature expired, which is earlier than its receipt.
    let expired_at = clock::now().timestamp() - 700;
    let ended_at = chrono::DateTime::parse_from_rfc3339(session["ended_at"].as_str().unwrap()).unwrap().timestamp();
    assert!((expired_at - 60..=expired_at).contains(&ended_at), "{session}");
    assert_eq!(session["flags"], json!([]));
    assert_eq!((&session["start_deliveries"], &session["end_deliveries"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_message_is_released_once() {
    let app = TestApp::start().await;
    app.receive(&[late(&Push::of("room", 1_000), "PUBLISH")]).await;
    let event = quarantined(&app).await[0].clone();
    let path = release_path(&event);
    let url = format!("{}{path}", app.address);
    let attempts = (0..8).map(|_| async {
        let request = app.client.post(&url).bearer_auth(crate::helpers::ADMIN_TOKEN).body("{}");
        request.send().await.unwrap().status().as_u16()
    });
    let mut statuses = futures_util::future::join_all(attempts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    app.post(&path, &json!({}), 409).await;
    app.fold().await;
    let session = app.session("").await;
    assert_eq!((&session["start_deliveries"], &session["flags"]), (&json!(1), &json!([])));
    let shown = quarantined(&app).await[0].clone();
    assert!(shown["released_at"].is_string(), "{shown}");
    let released = app.list("/v1/events?disposition=released").await;
    assert_eq!(released.len(), 1);
    assert_eq!(released[0]["recorded_at"], shown["released_at"]);
}

#[tokio::test]
async fn what_waits_is_counted_by_reason_until_it_is_released_or_old() {
    let app = TestApp::start().await;
    let far = Push::of("room", 200_000).message("PUBLISH", clock::now().timestamp() + 60);
    app.receive(&[late(&Push::of("one", 1_000), "PUBLISH"), late(&Push::of("two", 1_000), "PUBLISH"), far]).await;
    app.receive(&[Push::of("counts", 5).start()]).await;
    let waiting = async |days_ago: i64, most: i64| {
        let since = clock::now() - TimeDelta::days(days_ago);
        let rows = store::release::count_waiting(&app.pool, since, most).await.unwrap();
        let mut counts: Vec<_> = rows.into_iter().map(|row| (row.reason, row.messages)).collect();
        counts.sort();
        counts
    };
    assert_eq!(waiting(7, 100).await, [(Expired, 2), (StartOutsideWindow, 1)]);
    assert_eq!(waiting(7, 2).await.iter().map(|(_, messages)| messages).sum::<i64>(), 2);
    assert_eq!(waiting(-1, 100).await, []);
    let late = app.list("/v1/events?reason=expired").await;
    app.post(&release_path(&late[0]), &json!({}), 200).await;
    assert_eq!(waiting(7, 100).await, [(Expired, 1), (StartOutsideWindow, 1)]);
}

#[tokio::test]
async fn a_released_message_has_its_signature_as_if_it_had_been_accepted() {
    let app = TestApp::start().await;
    let push = Push::of("room", 200_000);
    let captured = push.message("PUBLISH", clock::now().timestamp() + 60);
    app.receive(std::slice::from_ref(&captured)).await;
    let event = quarantined(&app).await[0].clone();
    assert_eq!(event["reason"], "start_outside_window");
    app.post(&release_path(&event), &json!({}), 200).await;
    let mut forged = captured.clone();
    forged["publish_timestamp"] = clock::now().timestamp().to_string().into();
    app.receive(&[forged]).await;
    assert_eq!(app.list("/v1/sessions").await.len(), 1);
    let second = app.list("/v1/events?reason=signature_of_another_push").await;
    assert_eq!(second.len(), 1);
    // And what is released second leaves it to the first.
    app.post(&release_path(&second[0]), &json!({}), 200).await;
    app.fold().await;
    assert_eq!(app.list("/v1/sessions").await.len(), 2);
    let tagged: i64 =
        sqlx::query_scalar("select count(signature_tag) from log_entry").fetch_one(&app.pool).await.unwrap();
    assert_eq!(tagged, 1);
}

#[tokio::test]
async fn only_quarantined_messages_are_released_and_only_by_administrators() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 5).start(), late(&Push::of("other", 1_000), "PUBLISH")]).await;
    let accepted = app.list("/v1/events?disposition=accepted").await[0].clone();
    app.post(&release_path(&accepted), &json!({}), 404).await;
    app.post("/v1/events/00000000-0000-0000-0000-000000000000/release", &json!({}), 404).await;
    app.post("/v1/events/nothing/release", &json!({}), 404).await;
    let event = quarantined(&app).await[0].clone();
    for body in [json!({ "reason": "x".repeat(501) }), json!({ "reason": "a\nb" }), json!({ "why": "" })] {
        app.post(&release_path(&event), &body, 400).await;
    }
    let reader = app.make_token(&["read", "personal", "billing"], None).await;
    app.with_token(&reader).send(reqwest::Method::POST, &release_path(&event), Some(&json!({})), 403).await;
    assert_eq!(app.list("/v1/events").await.len(), 2);
}

#[tokio::test]
async fn a_release_is_folded_by_itself_where_the_service_folds() {
    let app = TestApp::start_with(&[]).await;
    let push = Push::of("room", 1_000);
    app.callback(&late(&push, "PUBLISH"), 200).await;
    let event = quarantined(&app).await[0].clone();
    app.post(&release_path(&event), &json!({}), 200).await;
    crate::helpers::until(async || app.list("/v1/sessions?status=live").await.len() == 1).await;
}

#[tokio::test]
async fn the_log_is_filtered_and_paged_newest_first() {
    let app = TestApp::start().await;
    let (room, other) = (Push::of("room", 1_000), Push { app: "vod".to_owned(), ..Push::of("other", 900) });
    app.receive(&[
        room.start(),
        other.start(),
        room.end(),
        late(&other, "PUBLISH_DONE"),
        room.message("PAUSE", clock::now().timestamp()),
    ])
    .await;
    let all = app.list("/v1/events").await;
    let words: Vec<_> = all.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(words, ["PAUSE", "PUBLISH_DONE", "PUBLISH_DONE", "PUBLISH", "PUBLISH"]);
    let received_at = all[2]["received_at"].as_str().unwrap();
    for (filter, number) in [
        ("stream=room", 3),
        ("app=vod", 2),
        ("event=PAUSE", 1),
        ("event=PUBLISH_DONE&disposition=accepted", 1),
        ("disposition=quarantined&reason=expired", 1),
        ("reason=start_outside_window", 0),
        (&format!("domain={DOMAIN}"), 5),
        ("domain=nowhere", 0),
        (&format!("from={received_at}"), 3),
        (&format!("to={received_at}"), 2),
    ] {
        assert_eq!(app.list(&format!("/v1/events?{filter}")).await.len(), number, "{filter}");
    }
    let mut paged = Vec::new();
    let mut path = "/v1/events?limit=2".to_owned();
    loop {
        let page = app.get(&path, 200).await;
        paged.extend(page["data"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/events?limit=2&cursor={cursor}");
    }
    assert_eq!(paged, all);
    for filter in ["disposition=lost", "reason=none", "from=now", "colour=red"] {
        app.get(&format!("/v1/events?{filter}"), 400).await;
    }
}
