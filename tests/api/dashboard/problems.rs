//! The page of problems.

use chrono::TimeDelta;
use serde_json::json;
use streamtally::platform::clock;
use streamtally::query::inactivity::count_never_heard;
use test_support::certificates::{Authority, Files};
use test_support::messages::{DOMAIN, Push};

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp};
use crate::http::tls;
use crate::reports::ledger::{Ledger, Say, push};

const HOUR: i64 = 3_600;

#[tokio::test]
async fn a_wrong_key_is_named_with_its_domain_its_reason_and_the_fix() {
    let app = TestApp::start().await;
    let wrong = Push { key: "w".repeat(32), ..Push::of("<b>room</b>", 60) };
    for _ in 0..3 {
        app.callback(&wrong.start(), 401).await;
    }
    app.callback_to("/callbacks/huawei", "nonsense", 400).await;
    app.callback_to("/callbacks/hauwei", "nonsense", 404).await;
    app.rejections(|rows| rows.iter().map(|row| row["count"].as_i64().unwrap()).sum::<i64>() == 5).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard/problems").await;
    let (ours, strangers) = page.split_once("id=\"strangers\"").unwrap();
    assert!(ours.contains("signature mismatch") && ours.contains("another key is set at the provider"), "{page}");
    assert!(ours.contains("3 callbacks") && ours.contains("3 in the last hour"), "{page}");
    assert!(ours.contains("&lt;b&gt;room&lt;/b&gt;") && ours.contains("not authenticated"), "{page}");
    assert!(ours.contains("href=\"/dashboard/set-up/domains/push.example.com#keys\">Add a key"), "{page}");
    assert!(strangers.contains("not a notification") && strangers.contains("wrong path"), "{page}");
    assert!(strangers.contains("Compare the callback URL"), "{page}");
    assert!(page.contains("All parts work: database") && page.contains("<dt>Lag</dt>"), "{page}");

    let bound = app.make_token(&["read"], Some(&["push.other.example.com"])).await;
    let page = Browser::signed_in(&app, &bound).await.page("/dashboard/problems").await;
    assert!(!page.contains(DOMAIN) && !page.contains("room"), "{page}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_a_problem() {
    let authority = Authority::new();
    let client = authority.client_with(|builder| builder.tls_danger_accept_invalid_certs(true));
    let files = Files::with(authority.issue_with(|params| params.not_after = rcgen::date_time_ymd(2026, 1, 31)));
    let app = tls::start(&files, client).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard/problems").await;
    assert!(page.contains("The certificate has expired") && page.contains("callbacks no longer arrive"), "{page}");
}

#[tokio::test]
async fn an_unconfirmed_session_is_listed() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("young", HOUR).start()]).await;
    let ledger = &mut Ledger::new(&app);
    ledger.say_each(&[(push(DOMAIN, "live", "forgotten", clock::now().timestamp() - 13 * HOUR), Say::Start)]).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard/problems").await;
    let unconfirmed = page.split_once("Unconfirmed sessions").unwrap().1;
    assert!(unconfirmed.contains("<bdi>forgotten</bdi>") && !unconfirmed.contains("<bdi>young</bdi>"), "{page}");
    assert!(unconfirmed.contains("/end\">Set end time</a>"), "{page}");
}

/// Pushes of a domain that begin so many seconds ago.
async fn begin_pushes(app: &TestApp, domain: &str, seconds_ago: impl Iterator<Item = i64>) {
    let now = clock::now().timestamp();
    let starts: Vec<_> = seconds_ago.map(|ago| (push(domain, "live", "room", now - ago), Say::Start)).collect();
    Ledger::new(app).say_each(&starts).await;
}

#[tokio::test]
async fn a_domain_is_silent_when_no_push_starts_for_longer_than_in_the_days_before() {
    let app = TestApp::start().await;
    let (busy, nightly, rare, gone) =
        ("busy.example.com", "nightly.example.com", "rare.example.com", "removed.example.com");
    for domain in [busy, nightly, rare] {
        app.put(&format!("/v1/domains/{domain}"), &json!({}), 201).await;
    }
    // Every hour, until three hours ago.
    begin_pushes(&app, busy, (3..30).map(|hours| hours * HOUR)).await;
    begin_pushes(&app, gone, (3..30).map(|hours| hours * HOUR)).await;
    // The same, but with a night of eight hours in it.
    begin_pushes(&app, nightly, (3..12).chain(20..40).map(|hours| hours * HOUR)).await;
    // Too few for a habit.
    begin_pushes(&app, rare, (3..8).map(|hours| hours * HOUR)).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard/problems").await;
    let silent = page.split_once("Silent domains").unwrap().1.split_once("id=\"never-heard\"").unwrap().0;
    assert!(silent.contains(busy) && silent.contains("03:0") && silent.contains("01:00:00"), "{silent}");
    for other in [nightly, rare, gone] {
        assert!(!silent.contains(other), "{silent}");
    }
    begin_pushes(&app, busy, std::iter::once(60)).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard/problems").await;
    assert!(!page.contains("Silent domains"), "{page}");
}

/// The part of the page that lists domains from which nothing ever arrived, as the holder of a token sees it.
async fn never_heard(app: &TestApp, token: &str) -> String {
    let page = Browser::signed_in(app, token).await.page("/dashboard/problems").await;
    let listed = page.split_once("No accepted callback yet").map(|(_, rest)| rest.split_once("</table>").unwrap().0);
    listed.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_domain_from_which_nothing_ever_arrived_is_listed_with_the_date_of_its_registration() {
    let app = TestApp::start().await;
    let (silent, forged, suspicious) = ("silent.example.com", "forged.example.com", "suspicious.example.com");
    for domain in [silent, forged, suspicious] {
        app.put(&format!("/v1/domains/{domain}"), &json!({}), 201).await;
    }
    app.receive(&[Push::of("room", 5).start()]).await;
    app.callback(&Push { domain: forged.to_owned(), ..Push::of("room", 5) }.start(), 401).await;
    let now = clock::now().timestamp();
    Ledger::new(&app).say_each(&[(push(suspicious, "live", "room", now), Say::Quarantined)]).await;
    let registered = "update ingest_domain set created_at = '2026-01-02T03:04:05Z' where domain = $1";
    sqlx::query(registered).bind(silent).execute(&app.pool).await.unwrap();

    let listed = never_heard(&app, ADMIN_TOKEN).await;
    assert!(listed.contains(silent) && listed.contains("2026-01-02T03:04:05Z"), "{listed}");
    assert!(listed.contains(forged) && listed.contains("/dashboard/set-up/domains/forged.example.com"), "{listed}");
    assert!(!listed.contains(DOMAIN) && !listed.contains(suspicious), "{listed}");
    let bound = app.make_token(&["read"], Some(&[forged])).await;
    let listed = never_heard(&app, &bound).await;
    assert!(listed.contains(forged) && !listed.contains(silent) && !listed.contains("set-up"), "{listed}");

    // The metric leaves out what was registered just now.
    for (ago, expected) in [(TimeDelta::hours(1), 1), (TimeDelta::zero(), 2)] {
        assert_eq!(count_never_heard(&app.pool, clock::now() - ago).await.unwrap(), expected);
    }
    begin_pushes(&app, silent, std::iter::once(60)).await;
    assert_eq!(count_never_heard(&app.pool, clock::now()).await.unwrap(), 1);
    app.delete(&format!("/v1/domains/{forged}"), 204).await;
    assert_eq!(never_heard(&app, ADMIN_TOKEN).await, "");
}

#[tokio::test]
async fn callbacks_of_strangers_come_last_and_count_as_one_problem() {
    let app = TestApp::start().await;
    for number in 0..3 {
        let stranger = Push { domain: format!("evil{number}.example.com"), ..Push::of("room", 60) };
        app.callback(&stranger.start(), 401).await;
    }
    app.callback(&Push { key: "w".repeat(32), ..Push::of("room", 60) }.start(), 401).await;
    let late = Push::of("late", 1_000).message("PUBLISH", clock::now().timestamp() - 700);
    app.receive(&[late]).await;
    app.rejections(|rows| rows.len() == 4).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard/problems").await;
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing: {page}"));
    assert!(place("signature mismatch") < place("id=\"quarantined\"") && place("id=\"quarantined\"") < place("evil0"));
    assert_eq!(between(&page, "class=\"badge\"", "</span>").split('>').next_back(), Some("3"));
    assert!(
        page.contains("href=\"/dashboard/set-up?domain=evil1%2Eexample%2Ecom\">Register evil1.example.com"),
        "{page}"
    );

    let quarantined = between(&page, "id=\"quarantined\"", "</table>");
    assert!(quarantined.contains("href=\"/dashboard/sessions/"), "{quarantined}");

    let reader = app.make_token(&["read"], None).await;
    let page = Browser::signed_in(&app, &reader).await.page("/dashboard/problems").await;
    assert!(page.contains("evil1") && !page.contains("Register evil") && !page.contains("/set-up"), "{page}");
}

#[tokio::test]
async fn problems_are_explained_in_chinese() {
    let app = TestApp::start().await;
    app.callback(&Push { key: "w".repeat(32), ..Push::of("room", 60) }.start(), 401).await;
    app.rejections(|rows| rows.len() == 1).await;
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    browser.headers.push(("accept-language", "zh-CN".to_owned()));
    let page = browser.page("/dashboard/problems").await;
    assert!(page.contains("签名不匹配") && page.contains("添加密钥"), "{page}");
}
