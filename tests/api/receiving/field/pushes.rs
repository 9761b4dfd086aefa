//! Pushes that begin and end about one moment, that last or do not, and ends that reach far back.

use serde_json::json;
use streamtally::reconciler::rebuild::Purpose;
use test_support::messages::Push;

use super::{DOMAIN_PATH, assert_rebuilt, infer_in, now, reasons, session_of};
use crate::folding::rebuild::differences;
use crate::helpers::TestApp;

/// Lets what was received so far have been received longer ago.
async fn age(app: &TestApp, seconds: i32) {
    let age = "update log_entry set received_at = to_timestamp(extract(epoch from received_at) - $1)";
    sqlx::query(age).bind(f64::from(seconds)).execute(&app.pool).await.unwrap();
    differences(app, Purpose::Replace).await;
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
