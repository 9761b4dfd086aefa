//! The page of a domain's lists at the provider, and what other pages show of them.

use chrono::TimeDelta;
use test_support::messages::{DOMAIN, Push};
use uuid::Uuid;

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp};
use crate::polling::shown::{Difference, insert_poll, poll_both};

const PAGE: &str = "/dashboard/domains/push.example.com/lists";
const PROBLEMS: &str = "/dashboard/problems";
const OTHER: &str = "other.example.com";

/// Polls both domains, as if for an hour.
async fn poll_for_an_hour(app: &TestApp) {
    poll_both(app, "repair").await;
    age_settings(app).await;
}

async fn age_settings(app: &TestApp) {
    let earlier = "update ingest_domain set updated_at = updated_at - interval '1 hour'";
    sqlx::query(earlier).execute(&app.pool).await.unwrap();
}

#[tokio::test]
async fn differences_are_in_words_with_links_to_what_exists() {
    let app = TestApp::start().await;
    poll_both(&app, "repair").await;
    app.receive(&[Push::of("room", 3_600).start()]).await;
    let session = app.session("stream=room").await;
    let (session_id, stream_id) = (session["session_id"].as_str().unwrap(), session["stream_id"].as_str().unwrap());
    let of_session = |kind| Difference {
        kind,
        stream: "room",
        session_id: Some(session_id.parse::<Uuid>().unwrap()),
        ..Difference::default()
    };
    Difference { repaired: true, ..of_session("unlisted") }.insert(&app).await;
    for kind in ["listed", "history", "end_differs"] {
        of_session(kind).insert(&app).await;
    }
    Difference { kind: "missed_push", stream: "room", ..Difference::default() }.insert(&app).await;
    Difference { stream: "<b>unheard</b>", ..Difference::default() }.insert(&app).await;
    Difference { domain: OTHER, stream: "theirs", ..Difference::default() }.insert(&app).await;

    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page(PAGE).await;
    for words in [
        "live here, no longer listed: the end callback was lost",
        "ended here (estimated), but still listed: it is live",
        "end estimated here, known to the history",
        "listed, but no callback was received",
        "in the history, but no callback was received",
        "the history's end differs from the callback's by more than a minute",
    ] {
        assert_eq!(page.matches(words).count(), 1, "{words}: {page}");
    }
    assert!(page.contains("&lt;b&gt;unheard&lt;/b&gt;") && !page.contains("<b>unheard"), "{page}");
    assert!(page.contains("read, to correct for lost callbacks") && !page.contains("theirs"), "{page}");
    let table = between(&page, "<table id=\"differences\">", "</table>");
    assert_eq!(table.matches(&format!("href=\"/dashboard/sessions/{session_id}\"")).count(), 4, "{table}");
    assert_eq!(table.matches(&format!("href=\"/dashboard/streams/{stream_id}\"")).count(), 5, "{table}");
    assert_eq!(
        table.matches("/dashboard/streams/").count(),
        5,
        "a stream for which no callback was received has no page"
    );
    assert_eq!((table.matches(">yes<").count(), table.matches(">no<").count()), (1, 5), "{table}");

    browser.headers.push(("accept-language", "zh-CN".to_owned()));
    let page = browser.page(PAGE).await;
    assert!(page.contains("的平台列表") && page.contains("在列表中，但未收到回调"), "{page}");
}

#[tokio::test]
async fn differences_and_readings_come_in_pages() {
    let app = TestApp::start().await;
    for (number, outcome) in [(1, "complete"), (2, "refused"), (3, "torn")] {
        let stream = format!("room{number}");
        let seen = TimeDelta::minutes(number);
        Difference { stream: &stream, seen, ..Difference::default() }.insert(&app).await;
        insert_poll(&app, DOMAIN, TimeDelta::minutes(number), outcome, number == 2).await;
    }
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (show, shown) in [
        ("", ["room1", "room2", "room3"]),
        ("&show=readings", ["<td>complete", "rejected: the access key", "changed while it was read"]),
    ] {
        let mut path = format!("{PAGE}?limit=1{show}");
        for (number, text) in shown.iter().enumerate() {
            let page = browser.page(&path).await;
            assert!(page.contains(text) && !page.contains(shown[(number + 1) % 3]), "{path}: {page}");
            assert_eq!(page.contains(">Newest<"), number > 0, "{page}");
            assert_eq!(page.contains(">Older<"), number < 2, "{page}");
            if number < 2 {
                let next = between(&page, "rel=\"next\" href=\"", "\"");
                assert!(next.starts_with(PAGE), "{next}");
                path = format!("{}&limit=1", next.replace("&amp;", "&"));
            }
        }
    }
    let page = browser.page(&format!("{PAGE}?show=readings")).await;
    assert!(page.contains("APIGW.0301") && page.contains("many disappeared") && page.contains("1,234"), "{page}");
    assert!(page.contains("214 ms"), "{page}");
}

#[tokio::test]
async fn the_page_is_for_those_who_may_see_the_domain() {
    let app = TestApp::start().await;
    poll_both(&app, "observe").await;
    Difference::default().insert(&app).await;
    Difference { domain: OTHER, ..Difference::default() }.insert(&app).await;
    let bound = app.make_token(&["read"], Some(&[DOMAIN])).await;
    let browser = Browser::signed_in(&app, &bound).await;
    let page = browser.page(PAGE).await;
    assert!(page.contains("unheard") && page.contains("not changed"), "{page}");
    for unseen in [OTHER, "unknown.example.com"] {
        assert_eq!(browser.get(&format!("/dashboard/domains/{unseen}/lists")).await.status(), 404);
    }
    let everywhere = Browser::signed_in(&app, &app.make_token(&["read"], None).await).await;
    assert_eq!(everywhere.get("/dashboard/domains/%00/lists").await.status(), 404);
    let billing = Browser::signed_in(&app, &app.make_token(&["billing"], None).await).await;
    assert_eq!(billing.get(PAGE).await.status(), 403);
    let page = browser.page(PROBLEMS).await;
    let differences = between(&page, "id=\"differences\"", "</table>");
    assert!(differences.contains(&format!("href=\"{PAGE}\"")) && !differences.contains(OTHER), "{page}");
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard/set-up/domains/push.example.com").await;
    assert!(page.contains(&format!("href=\"{PAGE}\"")), "{page}");
}

#[tokio::test]
async fn a_list_without_a_complete_reading_for_ten_minutes_is_a_problem() {
    let app = TestApp::start().await;
    poll_both(&app, "repair").await;
    let unread = "The list cannot be read completely";
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    assert!(!browser.page(PROBLEMS).await.contains(unread), "the domains are polled only since now");
    age_settings(&app).await;
    insert_poll(&app, OTHER, TimeDelta::minutes(9), "complete", false).await;
    insert_poll(&app, OTHER, TimeDelta::minutes(1), "failed", false).await;
    let page = browser.page(PROBLEMS).await;
    assert!(page.contains(&format!("{unread} · <bdi>{DOMAIN}")) && page.contains("None yet."), "{page}");
    assert!(!page.contains(&format!("{unread} · <bdi>{OTHER}")), "{page}");

    insert_poll(&app, DOMAIN, TimeDelta::minutes(11), "complete", false).await;
    insert_poll(&app, DOMAIN, TimeDelta::minutes(1), "refused", false).await;
    let page = browser.page(PROBLEMS).await;
    let card = page.split_once(unread).unwrap().1;
    assert!(card.contains("11 min ago") && card.contains("APIGW.0301") && card.contains("rejected: the"), "{page}");
    assert!(card.contains(&format!("href=\"{PAGE}?show=readings\"")), "{page}");
    let other = app.make_token(&["read"], Some(&[OTHER])).await;
    assert!(!Browser::signed_in(&app, &other).await.page(PROBLEMS).await.contains(unread));

    insert_poll(&app, DOMAIN, TimeDelta::zero(), "complete", false).await;
    assert!(!browser.page(PROBLEMS).await.contains(unread));
}

#[tokio::test]
async fn many_sessions_that_disappear_at_once_are_a_problem_until_the_list_is_used_again() {
    let app = TestApp::start().await;
    poll_for_an_hour(&app).await;
    insert_poll(&app, DOMAIN, TimeDelta::minutes(2), "complete", true).await;
    insert_poll(&app, OTHER, TimeDelta::minutes(2), "complete", false).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let many = "Many sessions disappeared from the list";
    let page = browser.page(PROBLEMS).await;
    assert!(page.contains(&format!("{many} · <bdi>{DOMAIN}")) && page.matches(many).count() == 1, "{page}");
    assert!(browser.page(PAGE).await.contains("for at least 15 minutes"));
    let badge = between(&page, "class=\"badge\"", "</span>");
    assert!(badge.ends_with(">1"), "{badge}");
    insert_poll(&app, DOMAIN, TimeDelta::minutes(1), "complete", false).await;
    assert!(!browser.page(PROBLEMS).await.contains(many));
}

#[tokio::test]
async fn the_page_live_says_what_only_the_provider_lists() {
    let app = TestApp::start().await;
    poll_both(&app, "observe").await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    assert!(!browser.page("/dashboard").await.contains("no callback was received"));
    Difference::default().insert(&app).await;
    let page = browser.page("/dashboard").await;
    assert!(page.contains("The provider lists 1 more stream,"), "{page}");
    assert!(page.contains("href=\"/dashboard/problems#differences\""), "{page}");
    Difference { stream: "second", ..Difference::default() }.insert(&app).await;
    let page = browser.page(&format!("/dashboard?domain={DOMAIN}")).await;
    assert!(page.contains("The provider lists 2 more streams,"), "{page}");
    assert!(page.contains(&format!("href=\"{PAGE}\"")), "{page}");
    assert!(!browser.page(&format!("/dashboard?domain={OTHER}")).await.contains("no callback was received"));
}

#[tokio::test]
async fn a_session_shows_what_the_provider_says_of_it_if_it_does() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 3_600).start()]).await;
    let session = app.session("stream=room").await;
    let path = format!("/dashboard/sessions/{}", session["session_id"].as_str().unwrap());
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let words = ["<dt>Last in the provider's list</dt>", "<dt>End by the provider's history</dt>"];
    let page = browser.page(&path).await;
    assert!(words.iter().all(|words| !page.contains(words)), "{page}");
    let update =
        "update stream_session set listed_at = '2026-01-02T03:04:05Z', history_ended_at = '2026-01-02T03:04:06Z'";
    sqlx::query(update).execute(&app.pool).await.unwrap();
    let page = browser.page(&path).await;
    for (words, second) in words.iter().zip(["05", "06"]) {
        assert!(page.split_once(words).unwrap().1.contains(&format!("2026-01-02T03:04:{second}Z")), "{page}");
    }
}
