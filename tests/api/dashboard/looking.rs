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

#[tokio::test]
async fn billing_sees_a_month_takes_it_as_csv_seals_it_and_sees_what_changed() {
    /// 2026-01-10, at noon.
    const NOON: i64 = 1_768_046_400;
    let app = TestApp::start().await;
    let mut ledger = Ledger::new(&app);
    let key = |stream: &str| push(DOMAIN, "live", stream, NOON);
    ledger
        .say_each(&[
            (key("<room>"), Say::Start),
            (key("<room>"), Say::Superseded(NOON + 3_600)),
            (key("gone"), Say::Start),
            (key("gone"), Say::End(NOON + 60)),
        ])
        .await;
    let token = app.make_token(&["read", "billing"], None).await;
    let browser = Browser::signed_in(&app, &token).await;
    let asked = "month=2026-01&group_by=domain%2Capp%2Cstream&window=day&time_zone=Asia%2FKathmandu";
    let page = browser.page(&format!("/dashboard/reports?{asked}")).await;
    assert!(page.contains("<bdi>&lt;room&gt;</bdi>") && page.contains("2026-01-10"), "{page}");
    assert!(
        page.contains(r#"title="3600 seconds">01:00:00"#) && page.contains("Peak: 2 sessions of 2 streams"),
        "{page}"
    );
    let csv = between(&page, "<a class=\"button\" href=\"", "\"").replace("&amp;", "&");
    let csv = browser.get(&csv).await.text().await.unwrap();
    assert!(csv.contains(",<room>,2026-01-09T18:15:00Z,2026-01-10T18:15:00Z,1,1,3600,0,3600,0,3600,1\r\n"), "{csv}");

    let form_token = between(&page, "name=\"form_token\" value=\"", "\"").to_owned();
    let form =
        [("form_token", form_token.as_str()), ("from", "2026-01-01"), ("to", "2026-02-01"), ("group_by", "stream")];
    assert_eq!(
        browser.post("/dashboard/reports/seal", &[("form_token", "guessed"), form[1], form[2]]).await.status(),
        400
    );
    assert_eq!(browser.post("/dashboard/reports/seal", &form).await.headers()["location"], "/dashboard/reports#sealed");
    ledger.say_each(&[(key("<room>"), Say::End(NOON + 7_200)), (key("gone"), Say::OperatorEnd(NOON))]).await;
    let page = browser.page("/dashboard/reports?month=2026-02").await;
    let changed = between(&page, "<a href=\"/dashboard/reports/sealed/", "\"");
    let changed = browser.page(&format!("/dashboard/reports/sealed/{changed}")).await;
    assert!(changed.contains("3600 s") && changed.contains("-60 s"), "{changed}");

    for month in ["+262142-12", "1969-12", "2026-13", "soon"] {
        let month = month.replace('+', "%2B");
        assert_eq!(browser.get(&format!("/dashboard/reports?month={month}")).await.status(), 400, "{month}");
    }
    let reader = app.make_token(&["read"], None).await;
    let reader = Browser::signed_in(&app, &reader).await;
    assert!(!reader.page("/dashboard").await.contains("/dashboard/reports"));
    assert_eq!(reader.get("/dashboard/reports").await.status(), 403);
}
