//! Streams as callers see them.

use serde_json::{Value, json};
use test_support::messages::{DOMAIN, Push};

use crate::helpers::TestApp;

#[tokio::test]
async fn a_stream_is_live_while_a_session_of_it_is() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    app.receive(&[push.start()]).await;
    let live = app.list("/v1/streams").await.remove(0);
    assert_eq!(live["status"], "live");
    assert_eq!(live["live_sessions"], 1);
    assert_eq!(live["last_ended_at"], Value::Null);
    assert_eq!(live["live_since"], live["last_started_at"]);

    app.receive(&[push.end()]).await;
    let offline = app.get(&format!("/v1/streams/{}", live["stream_id"].as_str().unwrap()), 200).await;
    assert_eq!(offline["status"], "offline");
    assert_eq!(offline["live_since"], Value::Null);
    assert_eq!(offline["last_ended_at"], app.session("").await["ended_at"]);
}

#[tokio::test]
async fn streams_are_found_by_name_and_state_and_paged_in_order() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "rendition_templates": ["lud"] }), 200).await;
    let ended = Push::of("alpha", 90);
    app.receive(&[ended.start(), ended.end(), Push::of("beta", 60).start(), Push::of("beta_lud", 60).start()]).await;
    for (filters, expected) in [
        ("", vec!["alpha", "beta", "beta_lud"]),
        ("status=offline", vec!["alpha"]),
        ("status=live", vec!["beta", "beta_lud"]),
        ("search=lph", vec!["alpha"]),
        ("search=%25", vec![]),
        ("stream_prefix=be&renditions=exclude", vec!["beta"]),
        ("renditions=only", vec!["beta_lud"]),
        ("stream=beta&app=live&domain=push.example.com", vec!["beta"]),
    ] {
        let found = app.list(&format!("/v1/streams?{filters}")).await;
        let names: Vec<_> = found.iter().map(|stream| stream["stream"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{filters}");
    }
    let first = app.get("/v1/streams?limit=2", 200).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/streams?limit=2&cursor={cursor}"), 200).await;
    assert_eq!(second["data"][0]["stream"], "beta_lud");
    assert_eq!(second["data"][0]["rendition_of"]["stream"], "beta");
    app.get("/v1/streams?at=now", 400).await;
    app.get("/v1/streams/nothing", 404).await;
}
