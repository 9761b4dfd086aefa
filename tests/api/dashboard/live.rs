//! The page Live.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde_json::json;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, KEY, Push};

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp};
use crate::reports::ledger::{Ledger, Say, push};

const HOUR: i64 = 3_600;

/// The count of a figure.
fn figure<'a>(page: &'a str, member: &str) -> &'a str {
    between(page, &format!("<strong data-count=\"{member}\">"), "<")
}

/// The names of the streams in the list of the page, in order.
fn listed(page: &str) -> Vec<&str> {
    names(between(page, "<table class=\"", "</main>").split_once("id=\"streams\"").unwrap().1)
}

fn names(part: &str) -> Vec<&str> {
    part.split("<bdi>").skip(1).map(|rest| rest.split_once("</bdi>").unwrap().0).collect()
}

/// The path of the link with this text.
fn link_of(page: &str, text: &str) -> String {
    let before = page.split(&format!(">{text}</a>")).next().unwrap();
    before.rsplit_once("href=\"").unwrap().1.split_once('"').unwrap().0.replace("&amp;", "&")
}

/// Sessions that started so many seconds ago, and whether they have ended an hour later.
async fn say(app: &TestApp, sessions: &[(&str, &str, i64, bool)]) {
    let now = clock::now().timestamp();
    let mut said = Vec::new();
    for (of, stream, seconds_ago, ended) in sessions {
        let key = push(DOMAIN, of, stream, now - seconds_ago);
        said.push((key.clone(), Say::Start));
        if *ended {
            said.push((key, Say::End(now - seconds_ago + HOUR)));
        }
    }
    Ledger::new(app).say_each(&said).await;
}

#[tokio::test]
async fn figures_title_and_list_agree_under_every_filter() {
    let app = TestApp::start().await;
    say(
        &app,
        &[
            ("live", "Concert-1", 60, false),
            ("live", "concert-2", 13 * HOUR, false),
            ("sport", "CONCERT-3", 90, false),
            ("sport", "race", 14 * HOUR, false),
            ("live", "concert-4", 2 * HOUR, true),
        ],
    )
    .await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (query, sessions, unconfirmed) in [
        ("", 4, 2),
        ("search=concert", 3, 1),
        ("search=cErT-2", 1, 1),
        ("app=sport", 2, 1),
        ("app=sport&search=concert", 1, 0),
        ("domain=push.example.com&search=%25", 0, 0),
        ("domain=nobody", 0, 0),
    ] {
        let page = browser.page(&format!("/dashboard?{query}")).await;
        assert_eq!(figure(&page, "live_sessions"), sessions.to_string(), "{query}");
        assert_eq!(figure(&page, "unconfirmed_sessions"), unconfirmed.to_string(), "{query}");
        assert_eq!(listed(&page).len(), sessions, "{query}");
        assert!(page.contains(&format!("<title>{sessions} live · streamtally</title>")), "{query}");
        let counts = app.get(&format!("/v1/live?{query}"), 200).await;
        assert_eq!(counts["live_sessions"], sessions, "{query}");
        let unconfirmed_page = browser.page(&format!("/dashboard?{query}&unconfirmed=true")).await;
        assert_eq!(listed(&unconfirmed_page).len(), unconfirmed, "{query}");
        assert_eq!(figure(&unconfirmed_page, "live_sessions"), sessions.to_string(), "{query}");
    }
}

#[tokio::test]
async fn a_figure_a_tab_and_a_chip_lead_to_a_list_with_the_other_filters_kept() {
    let app = TestApp::start().await;
    say(&app, &[("live", "room", 13 * HOUR, false), ("live", "hall", 2 * HOUR, true)]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page("/dashboard?app=live&search=o").await;
    let unconfirmed = between(&page, "<a class=\"figure warning\" href=\"", "\"").replace("&amp;", "&");
    assert_eq!(listed(&browser.page(&unconfirmed).await), ["room"]);
    assert!(unconfirmed.contains("app=live") && unconfirmed.contains("search=o"), "{unconfirmed}");
    let ended = link_of(&page, "Ended");
    assert_eq!(ended, "/dashboard?show=ended&app=live&search=o");
    assert!(listed(&browser.page(&ended).await).is_empty());
    let without_name = browser.page("/dashboard?show=ended&app=live").await;
    assert_eq!(listed(&without_name), ["hall"]);
    let chip = between(&without_name, "<bdi>live</bdi><a href=\"", "\"");
    assert_eq!(chip, "/dashboard?show=ended");
}

#[tokio::test]
async fn the_list_of_live_sessions_is_sorted_by_its_headings() {
    let app = TestApp::start().await;
    say(&app, &[("live", "b", 300, false), ("live", "a", 200, false), ("live", "c", 100, false)]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let newest = browser.page("/dashboard").await;
    assert_eq!(listed(&newest), ["c", "a", "b"]);
    assert!(newest.contains("aria-sort=\"descending\""), "{newest}");
    let oldest = browser.page(&link_of(&newest, "Started")).await;
    assert_eq!(listed(&oldest), ["b", "a", "c"]);
    let by_name = browser.page(&link_of(&oldest, "Stream")).await;
    assert_eq!(listed(&by_name), ["a", "b", "c"]);
    assert!(by_name.contains("aria-sort=\"ascending\""), "{by_name}");
}

#[tokio::test]
async fn every_list_has_each_session_once_over_its_pages_and_leads_back() {
    let app = TestApp::start().await;
    let names: Vec<String> = (0..7).map(|number| format!("room-{number}")).collect();
    let live = names.iter().zip(1..).map(|(name, ago)| ("live", name.as_str(), ago * 60, false));
    let ended = names.iter().zip(1..).map(|(name, ago)| ("live", name.as_str(), ago * 60 + 2 * HOUR, true));
    say(&app, &live.chain(ended).collect::<Vec<_>>()).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (list, expected) in [("sort=name", 7), ("sort=started_at", 7), ("", 7), ("show=ended", 7), ("show=all", 14)] {
        let first = browser.page(&format!("/dashboard?{list}&limit=3")).await;
        let (mut page, mut rows) = (first.clone(), Vec::new());
        loop {
            let part = page.split_once("id=\"streams\"").unwrap().1;
            rows.extend(part.split("data-session=\"").skip(1).map(|rest| rest[..36].to_owned()));
            if !page.contains(">Next page</a>") {
                break;
            }
            page = browser.page(&format!("{}&limit=3", link_of(&page, "Next page"))).await;
        }
        let distinct: BTreeSet<_> = rows.iter().collect();
        assert_eq!((rows.len(), distinct.len()), (expected, expected), "{list}");
        let back = browser.page(&format!("/dashboard?{list}&limit=3")).await;
        assert!(link_of(&page, "First page").starts_with("/dashboard"), "{page}");
        assert_eq!(listed(&back), listed(&first), "{list}");
    }
    assert_eq!(browser.get("/dashboard?show=elsewhere").await.status(), 400);
}

#[tokio::test]
async fn ended_sessions_of_the_last_day_are_listed_by_their_end() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let key = |stream: &str, ago: i64| push(DOMAIN, "live", stream, now - ago);
    let mut ledger = Ledger::new(&app);
    ledger
        .say_each(&[
            // Lasted for days, and ended last.
            (key("long", 90 * HOUR), Say::Start),
            (key("long", 90 * HOUR), Say::End(now - 60)),
            (key("short", 2 * HOUR), Say::Start),
            (key("short", 2 * HOUR), Say::OperatorEnd(now - HOUR)),
            // Started before the day, and ended within it.
            (key("evening", 30 * HOUR), Say::Start),
            (key("evening", 30 * HOUR), Say::TimedOut(now - 20 * HOUR)),
            (key("yesterday", 40 * HOUR), Say::Start),
            (key("yesterday", 40 * HOUR), Say::End(now - 25 * HOUR)),
            (key("still", 50), Say::Start),
        ])
        .await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page("/dashboard?show=ended").await;
    assert_eq!(listed(&page), ["long", "short", "evening"]);
    let end = DateTime::from_timestamp(now - HOUR, 0).unwrap().format("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert!(page.contains(&format!("<time datetime=\"{end}\"")) && page.contains("1 h 0 min"), "{page}");
    for reason in ["ended by the provider", "end set by an operator", "timed out without an end callback"] {
        assert!(page.contains(reason), "{reason}");
    }
    let all = browser.page("/dashboard?show=all").await;
    assert_eq!(listed(&all), ["still", "short", "evening", "yesterday", "long"]);
}

#[tokio::test]
async fn the_oldest_unconfirmed_sessions_are_above_the_list_with_a_link_to_all() {
    let app = TestApp::start().await;
    let names: Vec<String> = (0..12).map(|number| format!("forgotten-{number}")).collect();
    let forgotten = names.iter().zip(13..).map(|(name, hours)| ("live", name.as_str(), hours * HOUR, false));
    say(&app, &forgotten.chain([("live", "young", 60, false)]).collect::<Vec<_>>()).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page("/dashboard").await;
    let attention = between(&page, "<section id=\"attention\">", "</section>");
    assert_eq!(names_from_oldest(attention), (2..12).rev().map(|n| format!("forgotten-{n}")).collect::<Vec<_>>());
    assert_eq!(listed(&browser.page(&link_of(attention, "All 12 unconfirmed sessions")).await).len(), 12);
    let page = browser.page("/dashboard?search=young").await;
    assert!(between(&page, "<section id=\"attention\">", "</section>").is_empty(), "{page}");
}

fn names_from_oldest(part: &str) -> Vec<String> {
    names(part).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn pickers_offer_what_the_token_may_see() {
    const OTHER: &str = "push.bravo.example.com";
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{OTHER}"), &json!({ "apps": ["bravo-app", "quiet-app"] }), 201).await;
    app.post(&format!("/v1/domains/{OTHER}/keys"), &json!({ "key": KEY.replace('0', "b") }), 201).await;
    let theirs = Push {
        domain: OTHER.to_owned(),
        app: "bravo-app".to_owned(),
        key: KEY.replace('0', "b"),
        ..Push::of("room", 90)
    };
    app.receive(&[Push::of("room", 60).start(), theirs.start()]).await;
    let bound = app.make_token(&["read"], Some(&[DOMAIN])).await;
    let page = Browser::signed_in(&app, &bound).await.page("/dashboard").await;
    assert!(page.contains(&format!("<option value=\"{DOMAIN}\">")), "{page}");
    assert!(!page.contains("bravo"), "{page}");
    let admin = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = admin.page(&format!("/dashboard?domain={OTHER}")).await;
    for offered in [OTHER, "bravo-app", "quiet-app"] {
        assert!(page.contains(&format!("<option value=\"{offered}\"")), "{offered}: {page}");
    }
    assert!(!page.contains("<option value=\"live\">"), "{page}");
}

#[tokio::test]
async fn the_chart_has_the_filters_of_the_page() {
    let app = TestApp::start().await;
    say(&app, &[("live", "Concert-1", 2 * HOUR, true), ("live", "concert-2", 2 * HOUR, true)]).await;
    say(&app, &[("live", "lecture", 2 * HOUR, true)]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (query, peak) in [("", 3), ("search=CONCERT", 2), ("app=sport", 0)] {
        let page = browser.page(&format!("/dashboard?{query}")).await;
        assert!(page.contains(&format!("Live sessions in the last 24 hours, peak {peak}<")), "{query}: {page}");
    }
}
