//! Counts of what is live.

use serde_json::json;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::TestApp;

#[tokio::test]
async fn live_streams_and_sessions_are_counted_whole_and_by_group() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "rendition_templates": ["lud"] }), 200).await;
    let ended = Push::of("over", 90);
    let vod = Push { app: "vod".to_owned(), ..Push::of("film", 60) };
    app.receive(&[
        Push::of("room", 60).start(),
        Push::of("room", 30).start(),
        Push::of("room_lud", 30).start(),
        vod.start(),
        ended.start(),
        ended.end(),
    ])
    .await;
    let counts =
        |streams, sessions| json!({ "live_streams": streams, "live_sessions": sessions, "unconfirmed_sessions": 0 });
    let group = |app: &str, streams: i64, sessions: i64| {
        let mut group = counts(streams, sessions);
        group["domain"] = DOMAIN.into();
        group["app"] = app.into();
        group
    };
    let mut whole = app.get("/v1/live", 200).await;
    let as_of: chrono::DateTime<chrono::Utc> = whole["as_of"].as_str().unwrap().parse().unwrap();
    assert!((clock::now() - as_of).num_seconds() < 60);
    whole.as_object_mut().unwrap().remove("as_of");
    let mut expected = counts(3, 4);
    expected["groups"] = json!([]);
    expected["listed_only_streams"] = 0.into();
    assert_eq!(whole, expected);
    let grouped = app.get("/v1/live?group_by=domain,app", 200).await;
    assert_eq!(grouped["groups"], json!([group("live", 2, 3), group("vod", 1, 1)]));
    let without_renditions = app.get("/v1/live?group_by=domain,app&renditions=exclude&app=live", 200).await;
    assert_eq!(without_renditions["groups"], json!([group("live", 1, 2)]));
    assert_eq!(without_renditions["live_sessions"], 2);
    assert_eq!(app.get("/v1/live?group_by=domain", 200).await["groups"][0]["live_sessions"], 4);
    for (search, sessions) in [("ROOM", 3), ("oom_", 1), ("%25", 0)] {
        assert_eq!(app.get(&format!("/v1/live?search={search}"), 200).await["live_sessions"], sessions, "{search}");
    }
    assert_eq!(app.get("/v1/live?domain=elsewhere", 200).await["live_sessions"], 0);
    app.get("/v1/live?group_by=app", 400).await;
}

#[tokio::test]
async fn a_session_that_is_live_for_too_long_is_unconfirmed() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--unconfirmed-after", "30s"]).await;
    app.receive(&[Push::of("old", 40).start(), Push::of("young", 5).start()]).await;
    assert_eq!(app.get("/v1/live", 200).await["unconfirmed_sessions"], 1);
    assert_eq!(app.session("unconfirmed=true").await["stream"], "old");
    assert_eq!(app.session("unconfirmed=false").await["stream"], "young");
    assert_eq!(app.session("stream=old").await["unconfirmed"], true);
}
