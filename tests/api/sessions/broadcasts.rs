//! Broadcasts: sessions of one stream, merged over short gaps.

use serde_json::{Value, json};
use streamtally::session::{SessionKey, StreamKey};
use test_support::messages::{DOMAIN, Push};

use crate::helpers::TestApp;

/// A session of the room from one second of an hour to another, or still on air.
struct Span(i64, Option<i64>);

const HOUR: i64 = 1_700_000_000;

fn room() -> StreamKey {
    StreamKey { domain: DOMAIN.into(), app: "live".into(), stream: "room".into() }
}

fn id_of(started: i64) -> String {
    SessionKey { stream: room(), publish_timestamp: HOUR + started }.id().0.to_string()
}

/// A service that has received these sessions, by an operator's word on their ends.
async fn with(spans: &[Span]) -> TestApp {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--start-window-before", "3650d"]).await;
    for Span(started, _) in spans {
        app.receive(&[Push { publish_timestamp: HOUR + started, ..Push::of("room", 0) }.start()]).await;
    }
    for Span(started, ended) in spans {
        if let Some(ended) = ended {
            let at = chrono::DateTime::from_timestamp(HOUR + ended, 0).unwrap().to_rfc3339();
            let end = json!({ "ended_at": at, "reason": "a test" });
            app.post(&format!("/v1/sessions/{}/end", id_of(*started)), &end, 200).await;
        }
    }
    app.fold().await;
    app
}

async fn broadcasts(app: &TestApp, parameters: &str) -> Vec<Value> {
    let mut broadcasts = app.list(&format!("/v1/broadcasts?stream_id={}{parameters}", room().id().0)).await;
    for broadcast in &mut broadcasts {
        assert_eq!(broadcast["stream_id"], room().id().0.to_string());
        broadcast.as_object_mut().unwrap().remove("stream_id");
    }
    broadcasts
}

fn broadcast(started: i64, ended: i64, on_air_seconds: i64, interruptions: i64, sessions: &[i64]) -> Value {
    let time = |seconds: i64| {
        chrono::DateTime::from_timestamp(HOUR + seconds, 0).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    json!({
        "started_at": time(started), "ended_at": time(ended), "status": "ended", "on_air_seconds": on_air_seconds,
        "interruptions": interruptions, "session_ids": sessions.iter().map(|started| id_of(*started)).collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn sessions_are_merged_where_the_gap_is_short_enough_and_overlaps_count_once() {
    // One that lasts over two others, a gap of 60 s, one of 61 s, and one of no length at all.
    let app = with(&[
        Span(0, Some(100)),
        Span(10, Some(20)),
        Span(50, Some(130)),
        Span(190, Some(200)),
        Span(261, Some(300)),
        Span(300, Some(300)),
    ])
    .await;
    let late = broadcast(261, 300, 39, 0, &[261, 300]);
    assert_eq!(broadcasts(&app, "").await, [late.clone(), broadcast(0, 200, 140, 1, &[0, 10, 50, 190])]);
    assert_eq!(
        broadcasts(&app, "&merge_gap_seconds=59").await,
        [late, broadcast(190, 200, 10, 0, &[190]), broadcast(0, 130, 130, 0, &[0, 10, 50])]
    );
    let whole = broadcast(0, 300, 179, 2, &[0, 10, 50, 190, 261, 300]);
    assert_eq!(broadcasts(&app, "&merge_gap_seconds=86400").await, [whole]);
}

#[tokio::test]
async fn a_broadcast_is_live_while_one_of_its_sessions_is() {
    let app = with(&[Span(0, None), Span(10, Some(20))]).await;
    let broadcasts = broadcasts(&app, "").await;
    assert_eq!(broadcasts.len(), 1);
    assert_eq!((&broadcasts[0]["status"], &broadcasts[0]["ended_at"]), (&"live".into(), &Value::Null));
    assert!(broadcasts[0]["on_air_seconds"].as_i64().unwrap() > 1_000_000);
    assert_eq!(broadcasts[0]["interruptions"], 0);
}

#[tokio::test]
async fn a_stream_is_named_by_its_id_or_by_all_of_its_names_and_pages_go_back_in_time() {
    let app = with(&[Span(0, Some(1)), Span(1_000, Some(1_001)), Span(2_000, Some(2_001))]).await;
    let by_names = format!("/v1/broadcasts?domain={DOMAIN}&app=live&stream=room&limit=2");
    let first = app.get(&by_names, 200).await;
    let started = |page: &Value| -> Vec<Value> {
        page["data"].as_array().unwrap().iter().map(|broadcast| broadcast["session_ids"][0].clone()).collect()
    };
    let ids = |starts: &[i64]| starts.iter().map(|started| id_of(*started).into()).collect::<Vec<Value>>();
    assert_eq!(started(&first), ids(&[2_000, 1_000]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let last = app.get(&format!("{by_names}&cursor={cursor}"), 200).await;
    assert_eq!((started(&last), &last["next_cursor"]), (ids(&[0]), &Value::Null));

    for (query, name) in [
        ("", "stream_id"),
        ("domain=push.example.com&app=live", "stream_id"),
        ("stream_id=room", "stream_id"),
        (&format!("stream_id={}&app=live", room().id().0), "stream_id"),
        (&format!("stream_id={}&merge_gap_seconds=86401", room().id().0), "merge_gap_seconds"),
        (&format!("stream_id={}&cursor={cursor}", room().id().0), "cursor"),
    ] {
        let refusal = app.get(&format!("/v1/broadcasts?{query}"), 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{query}");
    }
    let bound = app.make_token(&["read"], Some(&["other.example.com"])).await;
    let nothing = app.with_token(&bound).get(&by_names, 200).await;
    assert_eq!(nothing["data"], json!([]));
}
