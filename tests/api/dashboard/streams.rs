//! The pages that find streams and show what became of them.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, KEY, Push};

use super::browser::{Browser, between};
use crate::files::reading;
use crate::helpers::{ADMIN_TOKEN, TestApp};
use crate::reports::ledger::{Ledger, Say, push};

const OTHER: &str = "push.other.example.com";

/// The streams in a table, in its order.
fn names_in(page: &str) -> Vec<&str> {
    let rows = page.split("<td class=\"name\">").skip(1);
    rows.map(|row| between(row, "<bdi>", "</bdi>")).collect()
}

fn find(text: &str) -> String {
    let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    format!("/dashboard/find?text={encoded}")
}

#[tokio::test]
async fn find_matches_words_in_any_order_and_case_and_urls() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("Room-17", 90).start(), Push::of("room-18", 80).start(), Push::of("张三", 70).start()])
        .await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (text, found) in [
        ("room-17", vec!["Room-17"]),
        ("M-1", vec!["Room-17", "room-18"]),
        ("18 example LIVE", vec!["room-18"]),
        ("live/room-18", vec!["room-18"]),
        ("rtmp://push.example.com/live/room-18", vec!["room-18"]),
        ("https://play.example.com/live/room-18.flv", vec!["room-18"]),
        ("play.example.com/live/room-18.m3u8", vec!["room-18"]),
        ("https://play.example.com/live/%E5%BC%A0%E4%B8%89.m3u8", vec!["张三"]),
        ("push.example.com", vec!["Room-17", "room-18", "张三"]),
        ("room_17", vec![]),
        ("%", vec![]),
    ] {
        let page = browser.page(&find(text)).await;
        assert_eq!(names_in(&page), found, "{text}: {page}");
    }
}

#[tokio::test]
async fn credentials_of_a_pasted_url_do_not_stay_in_the_address() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for url in ["rtmp://push.example.com/live/room-18?auth_info=x", "play.example.com/live/room-18.flv?auth_key=y"] {
        let led = browser.get(&find(url)).await;
        assert_eq!(led.status(), 303);
        assert_eq!(led.headers()["location"], find(url.split('?').next().unwrap()));
    }
    // Not a URL.
    assert_eq!(browser.get(&find("room?18")).await.status(), 200);
}

#[tokio::test]
async fn find_leads_from_an_id_to_its_page() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 90).start()]).await;
    let session = app.session("").await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (member, page) in [("stream_id", "streams"), ("session_id", "sessions")] {
        let id = session[member].as_str().unwrap();
        let led = browser.get(&find(id)).await;
        assert_eq!(led.headers()["location"], format!("/dashboard/{page}/{id}"));
    }
}

#[tokio::test]
async fn find_shows_exact_matches_first_and_does_not_hide_others() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("a-room", 90).start(), Push::of("room", 80).start(), Push::of("room-2", 70).start()]).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(&find("ROOM")).await;
    assert_eq!(names_in(&page), ["room", "a-room", "room-2"]);
    assert!(page.contains("3 streams match."), "{page}");
}

#[tokio::test]
async fn find_says_how_many_match_and_shows_more() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let pushes: Vec<_> = (0..60)
        .map(|number| (push(DOMAIN, "live", &format!("room-{number:02}"), now - 60), Say::Start, None))
        .collect();
    Ledger::new(&app).say(&pushes).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page(&find("room")).await;
    assert!(page.contains("60 streams match; the first 50 are shown."), "{page}");
    let more = between(&page, "<a class=\"button\" href=\"", "\">Show more").replace("&amp;", "&");
    let page = browser.page(&more).await;
    assert_eq!(names_in(&page).len(), 60);
    assert!(!page.contains("Show more"), "{page}");
}

#[tokio::test]
async fn find_shows_state_and_the_last_session() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let key = |stream: &str, ago: i64| push(DOMAIN, "live", stream, now - ago);
    Ledger::new(&app)
        .say_each(&[
            (key("over", 9_000), Say::Start),
            (key("over", 9_000), Say::End(now - 5_400)),
            (key("running", 60), Say::Start),
            (key("forgotten", 14 * 3_600), Say::Start),
        ])
        .await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(&find("push.example.com")).await;
    let row = |name: &str| between(&page, &format!("<bdi>{name}</bdi>"), "</tr>").to_owned();
    assert!(row("over").contains("ended</span>") && row("over").contains("title=\"01:00:00\""), "{page}");
    assert!(row("running").contains("state live"), "{page}");
    assert!(row("forgotten").contains("state unconfirmed"), "{page}");
}

#[tokio::test]
async fn find_says_what_a_bound_token_sees_when_nothing_matches() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 90).start()]).await;
    let bound = app.make_token(&["read"], Some(&[OTHER])).await;
    let page = Browser::signed_in(&app, &bound).await.page(&find("<room>")).await;
    assert!(page.contains("No stream matches “&lt;room&gt;”."), "{page}");
    assert!(page.contains(&format!("Your token sees only {OTHER}")), "{page}");
}

#[tokio::test]
async fn find_shows_streams_whose_callbacks_had_no_effect() {
    let app = TestApp::start().await;
    let late = Push::of("room-late", 1_000).message("PUBLISH", clock::now().timestamp() - 700);
    app.receive(&[late]).await;
    app.callback(&Push { key: "w".repeat(32), ..Push::of("room-<wrong>", 60) }.start(), 401).await;
    app.rejections(|rows| !rows.is_empty()).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(&find("room")).await;
    let section = between(&page, "id=\"without-effect\"", "</section>");
    assert_eq!(names_in(section), ["room-late", "room-&lt;wrong&gt;"]);
    assert!(section.contains("expired") && section.contains("signature mismatch"), "{section}");
    assert!(section.contains("/dashboard/problems") && section.contains("/dashboard/set-up/domains/"), "{section}");

    let session = between(section, "/dashboard/sessions/", "\"").to_owned();
    let led = Browser::signed_in(&app, ADMIN_TOKEN).await.get(&find(&session)).await;
    assert_eq!(led.headers()["location"], format!("/dashboard/sessions/{session}"));
    let bound = app.make_token(&["read"], Some(&[OTHER])).await;
    let page = Browser::signed_in(&app, &bound).await.page(&find("room")).await;
    assert!(page.contains("No stream matches") && !page.contains("room-late"), "{page}");
}

#[tokio::test]
async fn only_tokens_that_may_see_addresses_find_sessions_by_address() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 90).start()]).await;
    let path = "/dashboard/find?text=203.0.113.7";
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(path).await;
    assert!(page.contains("<bdi>room</bdi>") && page.contains("203.0.113.7</td>"), "{page}");
    let reader = app.make_token(&["read"], None).await;
    let page = Browser::signed_in(&app, &reader).await.page(path).await;
    assert!(!page.contains("<bdi>room</bdi>") && page.contains("does not see IP addresses"), "{page}");
}

/// The page of the only stream.
async fn stream_of(app: &TestApp, filters: &str) -> String {
    let sessions = app.list(&format!("/v1/sessions?{filters}")).await;
    format!("/dashboard/streams/{}", sessions[0]["stream_id"].as_str().unwrap())
}

#[tokio::test]
async fn stream_page_shows_a_timeline_and_broadcasts_with_their_sessions() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let key = |ago: i64| push(DOMAIN, "live", "room", now - ago);
    let two_days = 2 * 86_400;
    // Two pushes with half a minute between them are one broadcast; the last one's end is inferred.
    Ledger::new(&app)
        .say_each(&[
            (key(two_days), Say::Start),
            (key(two_days), Say::End(now - two_days + 3_600)),
            (key(two_days - 3_630), Say::Start),
            (key(two_days - 3_630), Say::End(now - two_days + 7_230)),
            (key(14_400), Say::Start),
            (key(14_400), Say::Superseded(now - 7_200)),
            (key(7_200), Say::End(now - 3_600)),
        ])
        .await;
    let stream = stream_of(&app, "").await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page(&stream).await;
    assert_eq!(page.matches("<rect class=\"bar ").count(), 4, "{page}");
    assert_eq!(page.matches("<rect class=\"bar estimated\"").count(), 1, "{page}");
    assert_eq!(page.matches("<text class=\"flagged\"").count(), 1, "{page}");
    assert!(page.contains("back after 30 s"), "{page}");
    let broadcasts = between(&page, "<div class=\"broadcasts\">", "</div>");
    assert_eq!(broadcasts.matches("<details").count(), 2, "{broadcasts}");
    assert_eq!(broadcasts.matches("href=\"/dashboard/sessions/").count(), 4, "{broadcasts}");
    // The end of one is a guess.
    assert_eq!(broadcasts.matches("end estimated").count(), 1, "{broadcasts}");
    assert!(broadcasts.contains("title=\"02:00:00\"") && broadcasts.contains("1 interruption of 30 s"), "{broadcasts}");

    let sessions = browser.page(&format!("{stream}?list=sessions")).await;
    let day = between(&sessions, "<div class=\"figure\">", "</div>");
    assert!(day.contains("title=\"03:00:00\"") && day.contains("24 hours, 2 sessions"), "{day}");
    let table = between(&sessions, "<table class=\"sessions\">", "</table>");
    assert_eq!(table.matches("href=\"/dashboard/sessions/").count(), 4, "{table}");
}

#[tokio::test]
async fn stream_page_follows_a_day_of_the_visitors_zone() {
    let app = TestApp::start().await;
    let midnight = clock::now().timestamp() / 86_400 * 86_400;
    let key = |at: i64| push(DOMAIN, "live", "room", at);
    // Midnight in Shanghai is 16:00 UTC: the first is of the day before, the second goes over midnight.
    let shanghai_midnight = midnight - 2 * 86_400 - 8 * 3_600;
    let (before, over) = (key(shanghai_midnight - 7_200), key(shanghai_midnight - 1_800));
    Ledger::new(&app)
        .say_each(&[
            (before.clone(), Say::Start),
            (before, Say::End(shanghai_midnight - 3_600)),
            (over.clone(), Say::Start),
            (over, Say::End(shanghai_midnight + 1_800)),
        ])
        .await;
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    browser.cookie = browser.cookie.map(|cookie| format!("{cookie}; streamtally-time-zone=Asia/Shanghai"));
    let stream = stream_of(&app, "").await;
    let day = (DateTime::<Utc>::from_timestamp(shanghai_midnight, 0).unwrap() + TimeDelta::hours(8)).date_naive();
    for (day, found) in [(day, 1), (day.pred_opt().unwrap(), 2), (day.pred_opt().unwrap().pred_opt().unwrap(), 0)] {
        for list in ["broadcasts", "sessions"] {
            let page = browser.page(&format!("{stream}?day={day}&list={list}")).await;
            assert_eq!(page.matches("<rect class=\"bar ").count(), found, "{day}: {page}");
            let lists = page.split_once("id=\"lists\"").unwrap().1;
            assert_eq!(lists.matches("href=\"/dashboard/sessions/").count(), found, "{day} {list}: {lists}");
        }
    }
    for wrong in ["day=2026-13-01", "day=yesterday", "day=9999-12-31", "range=8d", "list=pushes"] {
        assert_eq!(browser.get(&format!("{stream}?{wrong}")).await.status(), 400, "{wrong}");
    }
}

#[tokio::test]
async fn stream_page_pages_through_broadcasts_and_sessions() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let mut said = Vec::new();
    for number in 0..25 {
        let key = push(DOMAIN, "live", "room", now - 600 * (number + 1));
        said.extend([(key.clone(), Say::Start, None), (key, Say::End(now - 600 * (number + 1) + 60), None)]);
    }
    Ledger::new(&app).say(&said).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let stream = stream_of(&app, "").await;
    for (mut path, pages) in [(stream.clone(), vec![20, 5]), (format!("{stream}?list=sessions&limit=15"), vec![15, 10])]
    {
        let mut seen = String::new();
        for found in pages {
            let page = browser.page(&path).await;
            let lists = page.split_once("id=\"lists\"").unwrap().1;
            let links: Vec<_> = lists.split("href=\"/dashboard/sessions/").skip(1).collect();
            assert_eq!(links.len(), found, "{path}: {lists}");
            for link in links {
                let id = link.split('"').next().unwrap();
                assert!(!seen.contains(id), "{id}");
                write!(seen, "{id} ").unwrap();
            }
            if let Some((_, earlier)) = lists.split_once("<a class=\"button\" rel=\"next\" href=\"") {
                path = earlier.split('"').next().unwrap().replace("&amp;", "&");
            }
        }
    }
}

#[tokio::test]
async fn timeline_of_a_stream_that_flaps_has_few_bars() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let mut said = Vec::new();
    for number in 0..300 {
        let started_at = now - 3_600 + number * 10;
        let key = push(DOMAIN, "live", "room", started_at);
        said.extend([(key.clone(), Say::Start, None), (key, Say::End(started_at + 5), None)]);
    }
    let live = push(DOMAIN, "live", "room", now - 5);
    said.push((live, Say::Start, None));
    Ledger::new(&app).say(&said).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let stream = stream_of(&app, "limit=500").await;
    let page = browser.page(&stream).await;
    let bars = page.matches("<rect class=\"bar ").count();
    // Not all of it is live.
    let [ended, live] = ["confirmed", "live"].map(|kind| page.matches(&format!("<rect class=\"bar {kind}\"")).count());
    assert_eq!((ended, live), (bars - 1, 1), "{page}");
    assert!(bars <= 4 && page.contains("Timeline: 301 sessions."), "{bars}: {page}");
    assert!(!between(&page, "<svg class=\"lanes\"", "</svg>").contains("<a "), "no stop of the keyboard for each bar");
}

#[tokio::test]
async fn stream_page_says_why_a_session_is_unconfirmed_and_leads_to_its_repair() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 13 * 3_600).start()]).await;
    let stream = stream_of(&app, "").await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(&stream).await;
    assert!(page.contains("the end callback may be lost") && page.contains("/end\">Set end time"), "{page}");
    assert!(page.contains("<rect class=\"bar unconfirmed\""), "{page}");
    let reader = app.make_token(&["read"], None).await;
    assert!(!Browser::signed_in(&app, &reader).await.page(&stream).await.contains("Set end time"));
}

#[tokio::test]
async fn session_page_tells_what_became_of_the_session() {
    let app = TestApp::start().await;
    let other_address = Push { client_ip: "203.0.113.8".to_owned(), ..Push::of("room", 300) };
    let first = Push::of("room", 600);
    app.receive(&[first.start(), first.end(), other_address.start()]).await;
    let sessions = app.list("/v1/sessions").await;
    let page_of = |number: usize| format!("/dashboard/sessions/{}", sessions[number]["session_id"].as_str().unwrap());
    let (live, ended) = (page_of(0), page_of(1));
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page(&live).await;
    assert!(page.contains("Live since <time") && page.contains(&format!("href=\"{ended}\"")), "{page}");
    assert!(page.contains(&format!("<a class=\"button\" href=\"{live}/end\">")), "{page}");

    let page = browser.page(&ended).await;
    assert!(page.contains("Ended <time") && page.contains("The provider reported the end."), "{page}");
    assert!(page.contains(&format!("href=\"{live}\" rel=\"next\"")), "{page}");
    assert!(page.contains(&format!("<a class=\"button quiet\" href=\"{ended}/end\">")), "{page}");
    let log = page.split_once("<h2>Log</h2>").unwrap().1;
    assert!(log.find("Start callback").unwrap() < log.find("End callback").unwrap(), "{log}");
}

#[tokio::test]
async fn session_page_tells_an_interruption_from_a_stop() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let key = |ago: i64| push(DOMAIN, "live", "room", now - ago);
    Ledger::new(&app)
        .say_each(&[
            (key(9_000), Say::Start),
            (key(9_000), Say::End(now - 8_041)),
            (key(8_000), Say::Start),
            (key(8_000), Say::End(now - 7_200)),
            (key(3_600), Say::Start),
            (key(3_600), Say::End(now - 1_800)),
        ])
        .await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (ago, said) in
        [(9_000, "was back after"), (8_000, "The next push began"), (3_600, "No push of the stream since.")]
    {
        let session = app.session(&format!("publish_timestamp={}", now - ago)).await;
        let page = browser.page(&format!("/dashboard/sessions/{}", session["session_id"].as_str().unwrap())).await;
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[tokio::test]
async fn addresses_of_neighbors_are_compared_only_for_those_who_may_see_them() {
    let app = TestApp::start().await;
    let first = Push::of("room", 1);
    app.receive(&[first.start(), first.end()]).await;
    let ended = app.session("").await;
    let next = Push { client_ip: "203.0.113.8".to_owned(), ..Push::of("room", 0) };
    app.receive(&[Push { publish_timestamp: clock::now().timestamp() + 2, ..next }.start()]).await;
    let path = format!("/dashboard/sessions/{}", ended["session_id"].as_str().unwrap());
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(&path).await;
    assert!(page.contains("from another address"), "{page}");
    let reader = app.make_token(&["read"], None).await;
    let page = Browser::signed_in(&app, &reader).await.page(&path).await;
    assert!(page.contains("was back after") && !page.contains("address"), "{page}");
}

#[tokio::test]
async fn quarantined_start_has_a_page_with_its_reason_and_release() {
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{OTHER}"), &json!({}), 201).await;
    app.post(&format!("/v1/domains/{OTHER}/keys"), &json!({ "key": KEY }), 201).await;
    let late = Push::of("room", 1_000).message("PUBLISH", clock::now().timestamp() - 700);
    app.receive(&[late]).await;
    let event = app.list("/v1/events").await[0].clone();
    let path = format!("/dashboard/sessions/{}", event["session_id"].as_str().unwrap());
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(&path).await;
    assert!(
        page.contains("every callback of this push was quarantined") && page.contains("expired longer ago"),
        "{page}"
    );
    assert!(page.contains(&format!("/dashboard/events/{}/release", event["event_id"].as_str().unwrap())), "{page}");

    let reader = app.make_token(&["read"], None).await;
    assert!(!Browser::signed_in(&app, &reader).await.page(&path).await.contains("/release"));
    let bound = app.make_token(&["read"], Some(&[OTHER])).await;
    assert_eq!(Browser::signed_in(&app, &bound).await.get(&path).await.status(), 404);
}

#[tokio::test]
async fn the_sessions_of_a_stream_or_of_its_day_are_files() {
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    // Noon of two days of January 2026.
    for began in [1_768_046_400, 1_768_132_800] {
        let key = push(DOMAIN, "live", "=room", began);
        ledger.say_each(&[(key.clone(), Say::Start), (key, Say::End(began + 60))]).await;
    }
    let browser = Browser::signed_in(&app, &app.make_token(&["read"], None).await).await;
    let stream_id = app.list("/v1/streams").await[0]["stream_id"].as_str().unwrap().to_owned();
    for (day, sessions) in [("", 2), ("&day=2026-01-10", 1)] {
        let page = browser.page(&format!("/dashboard/streams/{stream_id}?list=sessions{day}")).await;
        let address =
            |begin: &str| format!("{begin}{}", between(&page, &format!("href=\"{begin}"), "\"")).replace("&amp;", "&");
        let file = browser.get(&address(&format!("/dashboard/streams/{stream_id}/file"))).await.bytes().await.unwrap();
        let rows = reading::sheet(&file, "Sessions");
        assert_eq!((rows.len(), &rows[1][2]), (sessions + 2, &reading::text("=room")));
        let file = browser.get(&address("/v1/sessions?")).await.bytes().await.unwrap();
        assert_eq!(reading::csv_rows(&file).len(), sessions);
    }
}
