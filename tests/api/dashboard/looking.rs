//! The dashboard, as a browser without a script sees it.

use serde_json::json;
use test_support::messages::{DOMAIN, KEY, Push};

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp};

#[tokio::test]
async fn a_visitor_signs_in_with_a_token_and_signs_out() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 90).start()]).await;
    let mut browser = Browser::new(&app);
    let led = browser.get("/dashboard/find?text=room").await;
    assert_eq!((led.status().as_u16(), &led.headers()["cache-control"]), (303, &"no-store".parse().unwrap()));
    let to_sign_in = led.headers()["location"].to_str().unwrap().to_owned();
    assert!(to_sign_in.starts_with("/dashboard/sign-in?to="), "{to_sign_in}");
    let form = browser.page(&to_sign_in).await;
    assert!(form.contains(r#"name="to" value="/dashboard/find?text=room""#), "{form}");

    let refused =
        browser.post("/dashboard/sign-in", &[("token", "nonsense"), ("to", "/dashboard/find?text=room")]).await;
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().get("set-cookie").is_none());
    assert!(refused.text().await.unwrap().contains("This token is not valid"));

    let answer =
        browser.post("/dashboard/sign-in", &[("token", ADMIN_TOKEN), ("to", "/dashboard/find?text=room")]).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()),
        (303, "/dashboard/find?text=room")
    );
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains(ADMIN_TOKEN) && !cookie.contains("Secure"), "{cookie}");
    browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    let live = browser.page("/dashboard").await;
    assert!(live.contains("<bdi>room</bdi>") && live.contains("administrator"), "{live}");

    let form_token = between(&live, "name=\"form_token\" value=\"", "\"").to_owned();
    assert_eq!(browser.post("/dashboard/sign-out", &[("form_token", "guessed")]).await.status(), 400);
    let out = browser.post("/dashboard/sign-out", &[("form_token", &form_token)]).await;
    assert_eq!(out.headers()["location"], "/dashboard/sign-in");
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn an_invalid_query_is_rejected_with_a_page() {
    let app = TestApp::start().await;
    let browser = Browser::new(&app);
    let answer = browser.get("/dashboard/sign-in?to=a&to=b").await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("Request failed"));
    let answer = browser.post("/dashboard/sign-in", &[("tokens", ADMIN_TOKEN)]).await;
    assert_eq!(answer.status(), 401);
    assert!(answer.text().await.unwrap().contains("This token is not valid"));
}

#[tokio::test]
async fn sign_in_redirects_only_to_the_dashboard() {
    let app = TestApp::start().await;
    let browser = Browser::new(&app);
    for to in ["https://evil.example", "//evil.example", "/dashboardevil", "/v1/sessions", "", "/dashboard\r\nx: y"] {
        let answer = browser.post("/dashboard/sign-in", &[("token", ADMIN_TOKEN), ("to", to)]).await;
        assert_eq!(answer.headers()["location"], "/dashboard", "{to}");
    }
}

#[tokio::test]
async fn names_from_outside_are_escaped_on_every_page() {
    let app = TestApp::start().await;
    let names =
        ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "&lt;b&gt;", "مرحبا", &"x".repeat(512)];
    let pushes: Vec<_> = (60..).zip(names).map(|(seconds_ago, name)| Push::of(name, seconds_ago)).collect();
    app.receive(&pushes.iter().map(Push::start).collect::<Vec<_>>()).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let mut pages = vec![
        "/dashboard".to_owned(),
        "/dashboard?search=%3Cscript%3E%22".to_owned(),
        "/dashboard/find?text=%22%3E%3Cimg".to_owned(),
    ];
    for session in app.list("/v1/sessions").await {
        pages.push(format!("/dashboard/streams/{}", session["stream_id"].as_str().unwrap()));
        pages.push(format!("/dashboard/sessions/{}", session["session_id"].as_str().unwrap()));
    }
    for path in pages {
        let page = browser.page(&path).await;
        assert!(!page.contains("<script>") && !page.contains("<img"), "{path}: {page}");
    }
    let live = browser.page("/dashboard").await;
    assert!(live.contains("<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"), "{live}");
    assert!(live.contains("<bdi>&amp;lt;b&amp;gt;</bdi>"), "{live}");
}

#[tokio::test]
async fn pages_show_what_the_token_may_see_and_no_more() {
    const OTHER: &str = "push.bravo.example.com";
    let app = TestApp::start().await;
    app.put(&format!("/v1/domains/{OTHER}"), &json!({}), 201).await;
    app.post(&format!("/v1/domains/{OTHER}/keys"), &json!({ "key": KEY.replace('0', "b") }), 201).await;
    let theirs = Push { domain: OTHER.to_owned(), key: KEY.replace('0', "b"), ..Push::of("bravo-room", 90) };
    app.receive(&[Push::of("room", 60).start(), theirs.start()]).await;
    let id = |stream: &str, member: &'static str| {
        let path = format!("/v1/sessions?stream={stream}");
        let app = &app;
        async move { app.session(path.split_once('?').unwrap().1).await[member].as_str().unwrap().to_owned() }
    };
    let bound = app.make_token(&["read"], Some(&[DOMAIN])).await;
    let bound = Browser::signed_in(&app, &bound).await;
    for path in ["/dashboard", "/dashboard/find?text=bravo-room", "/dashboard/find?text=push.bravo.example.com"] {
        let page = bound.page(path).await;
        assert!(!page.contains("<bdi>bravo-room") && !page.contains("bravo.example.com /"), "{path}: {page}");
    }
    for path in [
        format!("/dashboard/streams/{}", id("bravo-room", "stream_id").await),
        format!("/dashboard/sessions/{}", id("bravo-room", "session_id").await),
        "/dashboard/streams/nonsense".to_owned(),
        "/dashboard/elsewhere".to_owned(),
    ] {
        let answer = bound.get(&path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert!(answer.text().await.unwrap().contains("Not found"), "{path}");
    }
    let session = format!("/dashboard/sessions/{}", id("room", "session_id").await);
    assert!(!bound.page(&session).await.contains("203.0.113.7"));
    let personal = app.make_token(&["read", "personal"], None).await;
    let page = Browser::signed_in(&app, &personal).await.page(&session).await;
    assert!(page.contains("203.0.113.7") && !page.contains("very-secret"), "{page}");

    let billing = app.make_token(&["billing"], None).await;
    assert_eq!(Browser::signed_in(&app, &billing).await.get("/dashboard/find").await.status(), 403);
}

#[tokio::test]
async fn a_revoked_token_is_signed_out_immediately() {
    let app = TestApp::start().await;
    let made = app.post("/v1/tokens", &json!({ "name": "wall", "scopes": ["read"] }), 201).await;
    let browser = Browser::signed_in(&app, made["token"].as_str().unwrap()).await;
    browser.page("/dashboard").await;
    app.delete(&format!("/v1/tokens/{}", made["token_id"].as_str().unwrap()), 204).await;
    assert_eq!(browser.get("/dashboard").await.status(), 303);
    let mut forged = Browser::new(&app);
    forged.cookie = Some(format!("streamtally={}", "A".repeat(120)));
    assert_eq!(forged.get("/dashboard").await.status(), 303);
}

#[tokio::test]
async fn pages_read_the_api_by_their_cookie_and_change_nothing_by_it() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    assert_eq!(browser.get("/v1/live").await.status(), 200);
    assert_eq!(browser.post("/v1/tokens", &[("name", "x")]).await.status(), 401);
    let request = reqwest::Client::new()
        .get(format!("{}/v1/live", app.address))
        .header("cookie", browser.cookie.as_ref().unwrap());
    assert_eq!(request.bearer_auth("nonsense").send().await.unwrap().status(), 401, "what is shown counts");
}

#[tokio::test]
async fn pages_take_nothing_from_elsewhere_and_run_nothing_within() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 90).start()]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for path in ["/dashboard", "/dashboard/sign-in", "/dashboard/find", "/dashboard/elsewhere"] {
        let answer = browser.get(path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let page = answer.text().await.unwrap();
        for foreign in ["src=\"http", "href=\"http", "src=\"//", " style=", " onclick=", "<style"] {
            assert!(!page.contains(foreign), "{path}: {foreign}");
        }
    }
    for (path, kind) in [("/dashboard/style.css", "text/css"), ("/dashboard/script.js", "text/javascript")] {
        let answer = Browser::new(&app).get(path).await;
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with(kind), "{path}");
        assert!(!answer.text().await.unwrap().contains("innerHTML"), "{path}");
    }
}
