//! Sessions as callers see them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use crate::helpers::TestApp;
use crate::reports::ledger::{Ledger, Say, push};

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_push_is_live_and_then_ended_with_its_duration() {
    let app = TestApp::start().await;
    let push = Push::of("room", 90);
    app.receive(&[push.start()]).await;
    let live = app.session("").await;
    assert_eq!(live["status"], "live");
    assert_eq!(live["ended_at"], Value::Null);
    assert_eq!(live["ended_at_source"], Value::Null);
    assert!((90..=92).contains(&live["duration_seconds"].as_i64().unwrap()), "{live}");
    assert_eq!(live["unconfirmed"], false);
    assert_eq!(live["flags"], json!([]));

    app.receive(&[push.end()]).await;
    let ended = app.session("").await;
    assert_eq!(ended["session_id"], live["session_id"]);
    assert_eq!(ended["status"], "ended");
    assert_eq!(ended["ended_at_source"], "notification");
    assert!((90..=92).contains(&ended["duration_seconds"].as_i64().unwrap()), "{ended}");
    assert_eq!(
        time(&ended["ended_at"]) - time(&ended["started_at"]),
        TimeDelta::seconds(ended["duration_seconds"].as_i64().unwrap())
    );
    assert_eq!(ended["start_deliveries"], 1);
    assert_eq!(ended["end_deliveries"], 1);
}

#[tokio::test]
async fn the_end_may_come_first_and_a_late_start_never_reopens() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    app.receive(&[push.end()]).await;
    let only_end = app.session("").await;
    assert_eq!(only_end["status"], "ended");
    assert_eq!(only_end["flags"], json!(["start_missing"]));
    assert_eq!(only_end["start_received_at"], Value::Null);

    app.receive(&[push.start()]).await;
    let both = app.session("").await;
    assert_eq!(both["status"], "ended");
    assert_eq!(both["flags"], json!([]));
    assert_eq!(both["ended_at"], only_end["ended_at"]);
    assert!(both["start_received_at"].is_string());
}

#[tokio::test]
async fn a_start_received_thirteen_times_is_one_session() {
    let app = TestApp::start().await;
    let start = Push::of("room", 60).start();
    app.receive(&vec![start.clone(); 7]).await;
    app.receive(&vec![start; 6]).await;
    let session = app.session("").await;
    assert_eq!(session["start_deliveries"], 13);
    assert_eq!(session["status"], "live");
    let events = app.list(&format!("/v1/sessions/{}/events", session["session_id"].as_str().unwrap())).await;
    assert_eq!(events.len(), 13);
    assert!(events.windows(2).all(|pair| time(&pair[0]["recorded_at"]) >= time(&pair[1]["recorded_at"])));
}

#[tokio::test]
async fn two_pushes_of_a_stream_may_overlap() {
    let app = TestApp::start().await;
    let (first, second) = (Push::of("room", 120), Push::of("room", 60));
    app.receive(&[first.start(), second.start()]).await;
    let stream = &app.list("/v1/streams").await[0];
    assert_eq!(stream["live_sessions"], 2);
    assert_eq!(time(&stream["live_since"]).timestamp(), first.publish_timestamp);
    app.receive(&[first.end()]).await;
    let sessions = app.list("/v1/sessions").await;
    assert_eq!(sessions.iter().map(|s| s["status"].as_str().unwrap()).collect::<Vec<_>>(), ["live", "ended"]);
    assert_eq!(app.list("/v1/streams").await[0]["status"], "live");
}

#[tokio::test]
async fn two_pushes_in_one_second_share_a_session_that_says_so() {
    let app = TestApp::start().await;
    let one = Push::of("room", 60);
    let other = Push { client_ip: "203.0.113.8".to_owned(), ..one.clone() };
    app.receive(&[one.start(), other.start()]).await;
    let session = app.session("flag=key_conflict").await;
    assert_eq!(session["client_ip"], "203.0.113.7", "the first value seen stays");
}

#[tokio::test]
async fn an_end_noticed_before_the_start_by_our_clock_counts_as_zero_seconds() {
    let app = TestApp::start().await;
    let push = Push::of("room", -30);
    app.receive(&[push.start(), push.end()]).await;
    let session = app.session("").await;
    assert_eq!(session["duration_seconds"], 0);
    assert_eq!(session["ended_at"], session["started_at"]);
    assert_eq!(session["flags"], json!(["end_before_start"]));
}

#[tokio::test]
async fn the_expiry_of_the_signature_bounds_the_end() {
    let app = TestApp::start().await;
    let push = Push::of("room", 500);
    let expiry = push.publish_timestamp + 100;
    app.receive(&[push.start(), push.message("PUBLISH_DONE", expiry)]).await;
    let session = app.session("").await;
    assert_eq!(session["duration_seconds"], 100);
    assert_eq!(time(&session["ended_at"]).timestamp(), expiry);
}

#[tokio::test]
async fn streams_of_any_name_go_all_the_way_through() {
    let app = TestApp::start().await;
    let names =
        ["event/2026/cam*1", "with spaces & more", "Straße-演播室", "%2e%2e/..;?#", "<b>'\"\\", "a\u{202e}b", "🎥"];
    for name in names {
        let push = Push::of(name, 30);
        app.receive(&[push.start(), push.end()]).await;
        let query = serde_urlencoded(&[("stream", name)]);
        let session = app.session(&query).await;
        assert_eq!(session["stream"], name);
        assert_eq!(session["status"], "ended");
        let id = session["session_id"].as_str().unwrap();
        assert_eq!(app.get(&format!("/v1/sessions/{id}"), 200).await["stream"], name);
        assert_eq!(app.list(&format!("/v1/sessions/{id}/events")).await[1]["stream"], name);
        let stream = app.get(&format!("/v1/streams/{}", session["stream_id"].as_str().unwrap()), 200).await;
        assert_eq!(stream["stream"], name);
        assert_eq!(app.list(&format!("/v1/streams?{query}")).await.len(), 1);
    }
}

fn serde_urlencoded(pairs: &[(&str, &str)]) -> String {
    let mut url = reqwest::Url::parse("http://x/").unwrap();
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

#[tokio::test]
async fn ids_are_stable_and_made_of_the_key_alone() {
    let (one, other) = (TestApp::start().await, TestApp::start().await);
    let push = Push::of("room", 60);
    one.receive(&[push.start()]).await;
    other.receive(&[push.end(), push.start()]).await;
    let (one, other) = (one.session("").await, other.session("").await);
    assert_eq!(one["session_id"], other["session_id"]);
    assert_eq!(one["stream_id"], other["stream_id"]);
}

#[tokio::test]
async fn pages_give_every_session_once_in_either_order() {
    let app = TestApp::start().await;
    for number in 0..25 {
        // Several begin in the same second.
        app.callback(&Push::of(&format!("room{number}"), 100 + number / 4).start(), 200).await;
    }
    app.fold().await;
    for sort in ["-started_at", "started_at"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.get(&format!("/v1/sessions?limit=7&sort={sort}{cursor}"), 200).await;
            seen.extend(
                page["data"].as_array().unwrap().iter().map(|s| (time(&s["started_at"]), s["session_id"].clone())),
            );
            assert!(page["data"].as_array().unwrap().len() <= 7);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let whole = app.list(&format!("/v1/sessions?sort={sort}")).await;
        assert_eq!(seen.len(), 25);
        assert_eq!(
            seen.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>(),
            whole.iter().map(|s| s["session_id"].clone()).collect::<Vec<_>>()
        );
        assert!(seen.windows(2).all(|pair| if sort == "started_at" {
            pair[0].0 <= pair[1].0
        } else {
            pair[0].0 >= pair[1].0
        }));
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_filters_alone() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("a", 9).start(), Push::of("b", 8).start(), Push::of("c", 7).start()]).await;
    let page = app.get("/v1/sessions?limit=1&status=live", 200).await;
    let cursor = page["next_cursor"].as_str().unwrap();
    app.get(&format!("/v1/sessions?limit=2&status=live&cursor={cursor}"), 200).await;
    for query in [
        format!("status=ended&cursor={cursor}"),
        format!("cursor={cursor}"),
        format!("status=live&sort=started_at&cursor={cursor}"),
        "status=live&cursor=bm90IG91cnM".to_owned(),
        "status=live&cursor=%20".to_owned(),
    ] {
        let refusal = app.get(&format!("/v1/sessions?{query}"), 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], "cursor");
    }
    app.get(&format!("/v1/streams?status=live&cursor={cursor}"), 400).await;
}

#[tokio::test]
async fn each_filter_finds_its_own() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{DOMAIN}"), &json!({ "rendition_templates": ["lud"] }), 200).await;
    let (old, new, rendition) = (Push::of("alpha", 7200), Push::of("beta", 60), Push::of("beta_lud", 50));
    let other_app = Push { app: "vod".to_owned(), ..Push::of("gamma", 40) };
    app.receive(&[old.start(), old.end(), new.start(), rendition.start(), other_app.start()]).await;
    let alpha = app.session("stream=alpha").await;
    let between = |from: i64, to: i64| {
        let time = |seconds| (clock::now() - TimeDelta::seconds(seconds)).to_rfc3339().replace('+', "%2B");
        format!("from={}&to={}", time(from), time(to))
    };
    for (filters, expected) in [
        ("domain=push.example.com".to_owned(), vec!["gamma", "beta_lud", "beta", "alpha"]),
        ("domain=push.example.co".to_owned(), vec![]),
        ("app=vod".to_owned(), vec!["gamma"]),
        ("stream_prefix=beta".to_owned(), vec!["beta_lud", "beta"]),
        (format!("stream_id={}", alpha["stream_id"].as_str().unwrap()), vec!["alpha"]),
        (format!("publish_timestamp={}", new.publish_timestamp), vec!["beta"]),
        ("status=ended".to_owned(), vec!["alpha"]),
        ("status=live".to_owned(), vec!["gamma", "beta_lud", "beta"]),
        ("unconfirmed=true".to_owned(), vec![]),
        ("ended_at_source=notification".to_owned(), vec!["alpha"]),
        ("ended_at_source=operator".to_owned(), vec![]),
        ("flag=start_missing".to_owned(), vec![]),
        ("client_ip=203.0.113.7&app=vod".to_owned(), vec!["gamma"]),
        ("node_ip=203.0.113.7".to_owned(), vec![]),
        ("min_duration_seconds=7200".to_owned(), vec!["alpha"]),
        ("max_duration_seconds=7199".to_owned(), vec!["gamma", "beta_lud", "beta"]),
        ("renditions=only".to_owned(), vec!["beta_lud"]),
        ("renditions=exclude".to_owned(), vec!["gamma", "beta", "alpha"]),
        (between(7100, 7000), vec!["alpha"]),
        (between(7300, 7200), vec!["alpha"]),
        (between(7300, 7250), vec![]),
        (format!("{}&time_field=started_at", between(7100, 0)), vec!["gamma", "beta_lud", "beta"]),
        (format!("{}&time_field=ended_at", between(60, -60)), vec!["alpha"]),
        (between(55, 45), vec!["beta_lud", "beta", "alpha"]),
        (between(3600, 3600).replace("from", "at").split('&').next().unwrap().to_owned(), vec!["alpha"]),
    ] {
        let found = app.list(&format!("/v1/sessions?{filters}")).await;
        let names: Vec<_> = found.iter().map(|session| session["stream"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{filters}");
    }
    let rendition = app.session("renditions=only").await;
    assert_eq!(rendition["rendition_of"]["stream"], "beta");
    assert_eq!(rendition["rendition_of"]["template"], "lud");
    assert_eq!(rendition["rendition_of"]["stream_id"], app.session("stream=beta").await["stream_id"]);
    assert_eq!(app.get("/v1/sessions?limit=1&include_total=true", 200).await["total"], 4);
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_and_named() {
    let app = TestApp::start().await;
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=ten", "limit"),
        ("colour=red", "colour"),
        ("status=Live", "status"),
        ("status=unseen", "status"),
        ("sort=ended_at", "sort"),
        ("from=2026-01-01", "from"),
        ("from=2026-01-01T00:00:00", "from"),
        ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", "to"),
        ("from=2026-01-01T00:00:00+01:00", "from"),
        ("stream_id=nothing", "stream_id"),
        ("unconfirmed=yes", "unconfirmed"),
        ("min_duration_seconds=-1", "min_duration_seconds"),
        ("domain=a&domain=b", "domain"),
        ("domain=", "domain"),
        ("stream=%ff", "stream"),
        ("stream=a%00b", "stream"),
        ("renditions=some", "renditions"),
    ] {
        let refusal = app.get(&format!("/v1/sessions?{query}"), 400).await;
        assert_eq!(refusal["invalid_parameters"][0]["name"], name, "{query}");
    }
    let refusal = app.get("/v1/sessions?limit=0&status=x&colour=red", 400).await;
    assert_eq!(refusal["invalid_parameters"].as_array().unwrap().len(), 3);
    app.get("/v1/sessions/nothing", 404).await;
    app.get("/v1/sessions/00000000-0000-0000-0000-000000000000", 404).await;
    app.get("/v1/sessions/00000000-0000-0000-0000-000000000000/events", 404).await;
}

#[tokio::test]
async fn events_of_a_session_are_paged_newest_first() {
    let app = TestApp::start().await;
    let push = Push::of("room", 60);
    app.receive(&vec![push.start(); 5]).await;
    app.receive(&[push.end()]).await;
    let id = app.session("").await["session_id"].as_str().unwrap().to_owned();
    let first = app.get(&format!("/v1/sessions/{id}/events?limit=4"), 200).await;
    assert_eq!(first["data"][0]["event"], "PUBLISH_DONE");
    assert_eq!(first["data"][0]["signature"], "verified");
    assert_eq!(first["data"][0]["disposition"], "accepted");
    assert_eq!(first["data"][0]["session_id"], id.as_str());
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/sessions/{id}/events?cursor={cursor}"), 200).await;
    assert_eq!(second["data"].as_array().unwrap().len(), 2);
    assert_eq!(second["next_cursor"], Value::Null);

    app.receive(&[Push::of("other", 60).start()]).await;
    let other = app.session("stream=other").await["session_id"].as_str().unwrap().to_owned();
    app.get(&format!("/v1/sessions/{other}/events?cursor={cursor}"), 400).await;
}

/// Whether a filter matches a session of this start and end.
type Matches = Box<dyn Fn(i64, Option<i64>) -> bool>;

#[tokio::test]
async fn a_list_has_what_its_times_say_and_a_total_is_their_number() {
    const NOON: i64 = 1_768_046_400;
    const HOUR: i64 = 3_600;
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    let mut sessions = Vec::new();
    for hours_before in [0, 1, 23, 24, 25, 60] {
        for hours in [None, Some(0), Some(1), Some(24), Some(26), Some(90)] {
            let key = push(DOMAIN, "live", &format!("room {hours_before} {hours:?}"), NOON - hours_before * HOUR);
            let end = hours.map(|hours| key.publish_timestamp + hours * HOUR);
            sessions.push((key.stream.stream.clone(), key.publish_timestamp, end));
            let end = end.map(|end| (key.clone(), Say::End(end), None));
            ledger.say(&[Some((key.clone(), Say::Start, None)), end].into_iter().flatten().collect::<Vec<_>>()).await;
        }
    }
    let text = |time: i64| DateTime::from_timestamp(time, 0).unwrap().to_rfc3339().replace("+00:00", "Z");
    let overlaps = |from: i64, to: i64| {
        move |start: i64, end: Option<i64>| start < to && (start >= from || end.is_none_or(|end| end > from))
    };
    let was_live = |at: i64| move |start: i64, end: Option<i64>| start <= at && end.is_none_or(|end| end > at);
    let ended = |from: i64, to: i64| move |_: i64, end: Option<i64>| end.is_some_and(|end| (from..to).contains(&end));
    let mut seen = 0;
    for hours in [-70, -25, -24, -1, 0, 1, 30] {
        let at = NOON + hours * HOUR;
        let (hour, two_hours, day) = (at + HOUR, at + 2 * HOUR, at + 26 * HOUR);
        let (from, before) = (format!("from={}", text(at)), format!("from={}", text(at - HOUR)));
        let filters: Vec<(String, Matches)> = vec![
            (from.clone(), Box::new(overlaps(at, i64::MAX))),
            (format!("{from}&to={}", text(hour)), Box::new(overlaps(at, hour))),
            (
                format!("{from}&to={}&status=ended", text(day)),
                Box::new(move |start, end| end.is_some() && overlaps(at, day)(start, end)),
            ),
            (format!("{from}&time_field=ended_at"), Box::new(ended(at, i64::MAX))),
            (format!("{from}&to={}&time_field=ended_at", text(two_hours)), Box::new(ended(at, two_hours))),
            (format!("{from}&time_field=started_at"), Box::new(move |start, _| start >= at)),
            (format!("at={}", text(at)), Box::new(was_live(at))),
            (format!("at={}&status=live", text(at)), Box::new(move |start, end| start <= at && end.is_none())),
            (
                format!("at={}&{before}", text(at)),
                Box::new(move |start, end| was_live(at)(start, end) && overlaps(at - HOUR, i64::MAX)(start, end)),
            ),
            (
                format!("at={}&to={}&min_duration_seconds=90000", text(at), text(hour)),
                Box::new(move |start, end| {
                    was_live(at)(start, end) && end.is_none_or(|end| end - start >= 90_000) && start < hour
                }),
            ),
        ];
        for (filters, matches) in filters {
            let matching = sessions.iter().filter(|(_, start, end)| matches(*start, *end));
            let mut matching: Vec<_> = matching.map(|(stream, ..)| stream.as_str()).collect();
            let page = app.get(&format!("/v1/sessions?limit=500&include_total=true&{filters}"), 200).await;
            let listed = page["data"].as_array().unwrap();
            assert!(listed.is_sorted_by(|one, other| one["started_at"].as_str() >= other["started_at"].as_str()));
            let mut listed: Vec<_> = listed.iter().map(|session| session["stream"].as_str().unwrap()).collect();
            listed.sort_unstable();
            matching.sort_unstable();
            assert_eq!(listed, matching, "{filters}");
            assert_eq!(page["total"], listed.len(), "{filters}");
            seen += listed.len();
        }
    }
    assert!(seen > 500, "{seen} sessions were listed");
}

#[tokio::test]
async fn a_live_session_has_lasted_since_its_start() {
    let app = TestApp::start().await;
    let live = [("minute", 60), ("hours", 10_000), ("day", 70_000)].map(|(stream, age)| Push::of(stream, age).start());
    let ended = [Push::of("over", 20_000)].map(|push| [push.start(), push.end()]);
    app.receive(&[live.to_vec(), ended.concat()].concat()).await;
    for (filters, expected) in [
        ("min_duration_seconds=0", vec!["minute", "hours", "over", "day"]),
        ("min_duration_seconds=5000", vec!["hours", "over", "day"]),
        ("min_duration_seconds=50000", vec!["day"]),
        ("min_duration_seconds=9999999999", vec![]),
        ("max_duration_seconds=5000", vec!["minute"]),
        ("max_duration_seconds=9999999999", vec!["minute", "hours", "over", "day"]),
        ("min_duration_seconds=5000&max_duration_seconds=50000&status=live", vec!["hours"]),
        ("min_duration_seconds=50000&max_duration_seconds=5000", vec![]),
    ] {
        let page = app.get(&format!("/v1/sessions?include_total=true&{filters}"), 200).await;
        let listed = page["data"].as_array().unwrap();
        let listed: Vec<_> = listed.iter().map(|session| session["stream"].as_str().unwrap()).collect();
        assert_eq!(listed, expected, "{filters}");
        assert_eq!(page["total"], listed.len(), "{filters}");
    }
}

#[tokio::test]
async fn filters_that_contradict_one_another_match_nothing() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 60).start(), Push::of("other", 60).end()]).await;
    for filters in [
        "status=live&ended_at_source=operator",
        "status=ended&unconfirmed=true",
        "status=live&time_field=ended_at&from=2020-01-01T00:00:00Z",
        "unconfirmed=true&ended_at_source=superseded&at=2020-01-01T00:00:00Z",
    ] {
        let page = app.get(&format!("/v1/sessions?{filters}&include_total=true"), 200).await;
        assert_eq!((&page["data"], &page["total"]), (&json!([]), &json!(0)), "{filters}");
    }
}
