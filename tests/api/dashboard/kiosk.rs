//! The page for a screen on a wall, and its sign-in.

use serde_json::json;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp};
use crate::reports::ledger::{Ledger, Say, push};

const KIOSK: &str = "/dashboard/kiosk";

/// Signs in as the link of a wall display does: the attributes of the cookie.
async fn sign_in_to(browser: &mut Browser, token: &str, to: &str) -> String {
    let answer = browser.post("/dashboard/sign-in", &[("token", token), ("to", to)]).await;
    assert_eq!(answer.headers()["location"], to);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    cookie
}

#[tokio::test]
async fn a_wall_shows_unconfirmed_sessions_first_then_the_newest_and_counts_the_rest() {
    let app = TestApp::start().await;
    let now = clock::now().timestamp();
    let session = |name: String, ago: i64| (push(DOMAIN, "live", &name, now - ago), Say::Start);
    let young = (0..50).map(|n| session(format!("young-{n:02}"), 60 + n));
    let forgotten = (0..2).map(|n| session(format!("forgotten-{n}"), (13 + n) * 3_600));
    Ledger::new(&app).say_each(&young.chain(forgotten).collect::<Vec<_>>()).await;
    let wrong = Push { key: "w".repeat(32), ..Push::of("room", 60) };
    for _ in 0..3 {
        app.callback(&wrong.start(), 401).await;
    }
    app.rejections(|rows| rows.len() == 1 && rows[0]["count"] == 3).await;
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page(KIOSK).await;
    let tiles = between(&page, "<ol class=\"tiles\">", "</ol>");
    assert_eq!(tiles.matches("<li").count(), 40, "{tiles}");
    let shown: Vec<_> = tiles.split("<strong><bdi>").skip(1).map(|tile| tile.split('<').next().unwrap()).collect();
    assert_eq!(shown[..4], ["forgotten-1", "forgotten-0", "young-00", "young-01"]);
    assert!(tiles.contains("<li class=\"more\">+ 13 more</li>"), "{tiles}");
    assert!(page.contains("<strong>52</strong>") && page.contains("<strong>3</strong>"), "{page}");
    assert!(!page.contains("<nav"), "{page}");
}

#[tokio::test]
async fn a_wall_shows_what_its_token_and_its_filters_admit() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("<b>room</b>", 60).start(), Push::of("hall", 90).start()]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.page(&format!("{KIOSK}?search=ROOM")).await;
    assert!(page.contains("<bdi>&lt;b&gt;room&lt;/b&gt;</bdi>") && !page.contains("hall"), "{page}");
    let bound = app.make_token(&["read"], Some(&["push.other.example.com"])).await;
    let page = Browser::signed_in(&app, &bound).await.page(KIOSK).await;
    assert!(page.contains("No stream is live") && !page.contains(DOMAIN), "{page}");
}

#[tokio::test]
async fn the_sign_in_of_a_wall_lasts_and_opens_the_wall_alone() {
    let app = TestApp::start().await;
    let token = app.make_token(&["read"], None).await;
    let mut wall = Browser::new(&app);
    let cookie = sign_in_to(&mut wall, &token, &format!("{KIOSK}?domain={DOMAIN}")).await;
    assert!(cookie.contains(&format!("Max-Age={}", 400 * 86_400)) && cookie.contains("HttpOnly"), "{cookie}");
    let answer = wall.get(KIOSK).await;
    // It was signed in just now, so there is nothing to renew.
    assert!(answer.status() == 200 && !answer.headers().contains_key("set-cookie"));
    assert_eq!(wall.get("/v1/live").await.status(), 200);
    assert_eq!(wall.get("/v1/live/changes").await.status(), 200);
    for path in ["/dashboard", "/dashboard/find", "/dashboard/kiosk/"] {
        assert_ne!(wall.get(path).await.status(), 200, "{path}");
    }
    assert_eq!(wall.get("/v1/sessions").await.status(), 401);
    let page = wall.page(KIOSK).await;
    let form_token = between(&page, "name=\"form_token\" value=\"", "\"");
    assert_eq!(wall.post("/dashboard/sign-out", &[("form_token", form_token)]).await.status(), 303);
    assert_eq!(wall.get(KIOSK).await.status(), 303);
    let mut visitor = Browser::new(&app);
    let cookie = sign_in_to(&mut visitor, &token, "/dashboard").await;
    assert!(cookie.contains("Max-Age=43200"), "{cookie}");
}

#[tokio::test]
async fn a_token_that_may_do_more_than_read_gets_no_lasting_sign_in() {
    let app = TestApp::start().await;
    for scopes in [&["read", "billing"][..], &["read", "personal"], &["admin"]] {
        let token = app.make_token(scopes, None).await;
        let mut browser = Browser::new(&app);
        let cookie = sign_in_to(&mut browser, &token, KIOSK).await;
        assert!(cookie.contains("Max-Age=43200"), "{scopes:?}: {cookie}");
        browser.page(KIOSK).await;
        browser.page("/dashboard").await;
    }
}

#[tokio::test]
async fn a_wall_is_out_as_soon_as_its_token_is_revoked() {
    let app = TestApp::start().await;
    let made = app.post("/v1/tokens", &json!({ "name": "wall", "scopes": ["read"] }), 201).await;
    let mut wall = Browser::new(&app);
    sign_in_to(&mut wall, made["token"].as_str().unwrap(), KIOSK).await;
    wall.page(KIOSK).await;
    app.delete(&format!("/v1/tokens/{}", made["token_id"].as_str().unwrap()), 204).await;
    assert_eq!(wall.get(KIOSK).await.status(), 303);
    assert_eq!(wall.get("/v1/live").await.status(), 401);
}
