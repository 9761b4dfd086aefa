//! Signing in and out: from where, for how long, and over what.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use reqwest::{Body, Client, Response};
use test_support::certificates::{Authority, Files};
use test_support::messages::Push;
use tokio::time::timeout;

use super::browser::{Browser, between, staying};
use crate::helpers::{ADMIN_TOKEN, TestApp, until};
use crate::http::tls;

const SIGN_IN: &str = "/dashboard/sign-in";
const SIGN_OUT: &str = "/dashboard/sign-out";
const HSTS: &str = "strict-transport-security";

/// Signs in with these headers: the status.
async fn sign_in_with(app: &TestApp, path: &str, headers: &[(&'static str, &str)]) -> u16 {
    let mut browser = Browser::new(app);
    browser.headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let answer = browser.post(path, &[("token", ADMIN_TOKEN)]).await;
    let status = answer.status().as_u16();
    assert_eq!(answer.headers().contains_key("set-cookie"), status == 303, "{headers:?}");
    if status != 303 {
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    }
    status
}

#[tokio::test]
async fn a_form_is_taken_from_pages_of_the_same_origin_alone() {
    let evil = ("origin", "https://evil.example");
    for settings in [&["--roles", "receiver,api"][..], &["--roles", "receiver,api", "--cors-origins", "*"]] {
        let app = TestApp::start_with(settings).await;
        let host = app.address.strip_prefix("http://").unwrap();
        let by_name = format!("http://localhost:{}", host.split_once(':').unwrap().1);
        for (headers, expected) in [
            (&[][..], 303),
            (&[("origin", app.address.as_str())], 303),
            (&[evil], 403),
            (&[("origin", "null")], 403),
            (&[("origin", by_name.as_str())], 403),
            (&[("origin", "http://127.0.0.1")], 403),
            (&[("origin", "nonsense")], 403),
            (&[("origin", "https://dash.example"), ("host", "dash.example")], 303),
            (&[("origin", "https://DASH.example"), ("host", "dash.example:443")], 303),
            (&[("origin", "http://dash.example"), ("host", "dash.example:443")], 403),
            // Nobody trusted says which host was asked.
            (&[evil, ("x-forwarded-host", "evil.example")], 403),
            (&[evil, ("forwarded", "host=evil.example")], 403),
            // What the browser says itself goes first.
            (&[evil, ("sec-fetch-site", "same-origin")], 303),
            (&[("sec-fetch-site", "none")], 303),
            (&[("sec-fetch-site", "same-site")], 403),
            (&[("sec-fetch-site", "cross-site")], 403),
            (&[("sec-fetch-site", "cross-site"), ("origin", &app.address)], 403),
        ] {
            assert_eq!(sign_in_with(&app, SIGN_IN, headers).await, expected, "{headers:?}");
        }
        assert_eq!(sign_in_with(&app, "/%64ashboard/sign-in", &[]).await, 303);
        assert_eq!(sign_in_with(&app, "/%64ashboard/sign-in", &[evil]).await, 403);
    }
}

#[tokio::test]
async fn a_trusted_proxy_says_which_host_was_asked() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--trusted-proxies", "127.0.0.0/8"]).await;
    let origin = ("origin", "https://dash.example");
    for (header, expected) in [
        (("x-forwarded-host", "dash.example"), 303),
        (("x-forwarded-host", "evil.example, dash.example"), 303),
        (("x-forwarded-host", "dash.example, evil.example"), 403),
        (("forwarded", "for=203.0.113.7;host=\"dash.example:443\""), 303),
        (("forwarded", "host=dash.example, host=evil.example"), 403),
    ] {
        assert_eq!(sign_in_with(&app, SIGN_IN, &[origin, header]).await, expected, "{header:?}");
    }
}

#[tokio::test]
async fn forms_of_those_who_are_signed_in_come_from_the_same_origin_too() {
    let app = TestApp::start().await;
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let form_token = browser.form_token().await;
    browser.headers = vec![("origin", "https://evil.example".to_owned())];
    let fields = [("form_token", form_token.as_str()), ("name", "x"), ("scopes", "admin")];
    for path in [SIGN_OUT, "/dashboard/set-up/tokens", "/dashboard/elsewhere"] {
        assert_eq!(browser.post(path, &fields).await.status(), 403, "{path}");
    }
    assert!(app.list("/v1/tokens").await.is_empty());
    browser.page("/dashboard").await;
}

#[tokio::test]
async fn pages_let_browsers_say_where_a_form_comes_from() {
    let app = TestApp::start().await;
    let browser = Browser::new(&app);
    for path in [SIGN_IN, "/dashboard", "/dashboard/elsewhere"] {
        assert_eq!(browser.get(path).await.headers()["referrer-policy"], "same-origin", "{path}");
    }
}

/// What a cookie is called, and whether it is for HTTPS alone.
fn name_of(cookie: &str) -> (&str, bool) {
    (cookie.split_once('=').unwrap().0, cookie.contains("; Secure"))
}

/// The cookie of this browser under another name.
fn renamed(browser: &Browser, name: &str) -> String {
    format!("{name}={}", browser.cookie.as_ref().unwrap().split_once('=').unwrap().1)
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_its_host_by_its_name() {
    let authority = Authority::new();
    let files = Files::with(authority.issue());
    let app = tls::start(&files, authority.client()).await;
    let mut browser = Browser::at(&app.address, authority.client_with(staying));
    let cookie = browser.sign_in(ADMIN_TOKEN).await;
    assert_eq!(name_of(&cookie), ("__Host-streamtally", true));
    assert!(cookie.contains("; Path=/") && !cookie.contains("Domain"), "{cookie}");
    let form_token = browser.form_token().await;
    browser.cookie = Some(renamed(&browser, "streamtally"));
    assert_eq!(browser.get("/dashboard").await.status(), 303, "anyone on a sibling host could have set it");
    browser.cookie = Some(renamed(&browser, "__Host-streamtally"));
    let out = browser.post(SIGN_OUT, &[("form_token", &form_token)]).await;
    let removal = out.headers()["set-cookie"].to_str().unwrap();
    assert!(name_of(removal) == ("__Host-streamtally", true) && removal.contains("Max-Age=0"), "{removal}");
}

#[tokio::test]
async fn over_plain_http_the_cookie_has_a_name_that_browsers_take_there() {
    let app = TestApp::start().await;
    let mut browser = Browser::new(&app);
    assert_eq!(name_of(&browser.sign_in(ADMIN_TOKEN).await), ("streamtally", false));
    browser.page("/dashboard").await;
    browser.cookie = Some(renamed(&browser, "__Host-streamtally"));
    assert_eq!(browser.get("/dashboard").await.status(), 303);
}

#[tokio::test]
async fn a_trusted_proxy_says_whether_a_request_came_over_https() {
    let trusting = TestApp::start_with(&["--roles", "receiver,api", "--trusted-proxies", "127.0.0.0/8"]).await;
    let wary = TestApp::start_with(&["--roles", "receiver,api", "--trusted-proxies", "10.0.0.0/8"]).await;
    for (header, expected) in [
        (("x-forwarded-proto", "https"), true),
        (("x-forwarded-proto", "HTTPS"), true),
        (("x-forwarded-proto", "http"), false),
        (("x-forwarded-proto", "https, http"), false),
        (("x-forwarded-proto", "http, https"), true),
        (("forwarded", "for=203.0.113.7;proto=https"), true),
        (("forwarded", "proto=https, proto=http"), false),
    ] {
        for (app, expected) in [(&trusting, expected), (&wary, false)] {
            let mut browser = Browser::new(app);
            browser.headers = vec![(header.0, header.1.to_owned())];
            let name = if expected { "__Host-streamtally" } else { "streamtally" };
            assert_eq!(name_of(&browser.sign_in(ADMIN_TOKEN).await), (name, expected), "{header:?}");
            let answer = browser.get("/dashboard").await;
            assert_eq!(answer.status(), 200, "{header:?}");
            assert_eq!(answer.headers().contains_key(HSTS), expected, "{header:?}");
        }
    }
    let mut browser = Browser::new(&trusting);
    browser.headers = vec![("forwarded", "proto=http".to_owned()), ("x-forwarded-proto", "https".to_owned())];
    assert_eq!(name_of(&browser.sign_in(ADMIN_TOKEN).await).0, "streamtally");
}

/// Signs out: the answer.
async fn sign_out(browser: &Browser) -> Response {
    let form_token = browser.form_token().await;
    let answer = browser.post(SIGN_OUT, &[("form_token", &form_token)]).await;
    assert_eq!(answer.headers()["location"], SIGN_IN);
    answer
}

/// Whether pages are shown for the cookie, and the API answers it.
async fn is_signed_in(browser: &Browser) -> bool {
    let (page, api) = (browser.get("/dashboard").await.status(), browser.get("/v1/live").await.status());
    assert!([(200, 200), (303, 401)].contains(&(page.as_u16(), api.as_u16())), "{page} {api}");
    page == 200
}

#[tokio::test]
async fn who_has_signed_out_is_out_in_every_process_and_nobody_else_is() {
    let mut app = TestApp::start().await;
    let (here, other) = (Browser::signed_in(&app, ADMIN_TOKEN).await, Browser::signed_in(&app, ADMIN_TOKEN).await);
    let (address, _another) = app.start_another(&["--roles", "api"]).await;
    let mut there = Browser::at(&address, staying(Client::builder()).build().unwrap());
    there.cookie.clone_from(&here.cookie);
    assert!(is_signed_in(&there).await);

    let removal = sign_out(&here).await.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(removal.contains("Max-Age=0"), "{removal}");
    assert!(!is_signed_in(&here).await && is_signed_in(&other).await);
    until(async || !is_signed_in(&there).await).await;

    app.restart(&["--roles", "receiver,api"]).await;
    for (browser, expected) in [(&here, false), (&other, true)] {
        let mut again = Browser::new(&app);
        again.cookie.clone_from(&browser.cookie);
        assert_eq!(is_signed_in(&again).await, expected);
    }
}

#[tokio::test]
async fn a_stranger_signs_nobody_out() {
    let app = TestApp::start().await;
    let (one, other) = (Browser::signed_in(&app, ADMIN_TOKEN).await, Browser::signed_in(&app, ADMIN_TOKEN).await);
    // With the same token, but signed in by themselves.
    let form_token = one.form_token().await;
    assert_eq!(other.post(SIGN_OUT, &[("form_token", &form_token)]).await.status(), 400);
    assert_eq!(Browser::new(&app).post(SIGN_OUT, &[("form_token", &form_token)]).await.status(), 303);
    assert!(is_signed_in(&one).await && is_signed_in(&other).await);
    let signed_out: i64 = sqlx::query_scalar("select count(*) from signed_out").fetch_one(&app.pool).await.unwrap();
    assert_eq!(signed_out, 0);
}

#[tokio::test]
async fn who_has_signed_out_hears_of_no_more_changes() {
    let app = TestApp::start().await;
    let (one, other) = (Browser::signed_in(&app, ADMIN_TOKEN).await, Browser::signed_in(&app, ADMIN_TOKEN).await);
    let (mut heard, mut goes_on) = (one.get("/v1/live/changes").await, other.get("/v1/live/changes").await);
    for changes in [&mut heard, &mut goes_on] {
        assert!(changes.chunk().await.unwrap().is_some());
    }
    sign_out(&one).await;
    app.receive(&[Push::of("room", 60).start()]).await;
    let rest = timeout(Duration::from_secs(20), heard.text()).await.expect("it ends").unwrap();
    assert!(!rest.contains("event: session"), "{rest}");
    while !goes_on.chunk().await.unwrap().expect("changes").starts_with(b"event: session") {}
}

#[tokio::test]
async fn sign_ins_that_would_have_ended_are_forgotten_with_the_next_sign_out() {
    let app = TestApp::start().await;
    sign_out(&Browser::signed_in(&app, ADMIN_TOKEN).await).await;
    sqlx::query("update signed_out set until = now() - interval '1 second'").execute(&app.pool).await.unwrap();
    sign_out(&Browser::signed_in(&app, ADMIN_TOKEN).await).await;
    let left: Vec<bool> =
        sqlx::query_scalar("select until > now() from signed_out").fetch_all(&app.pool).await.unwrap();
    assert_eq!(left, [true]);
}

#[tokio::test]
async fn a_form_that_does_not_arrive_or_is_too_long_is_refused_as_a_page() {
    let app = TestApp::start().await;
    let (stranger, known) = (Browser::new(&app), Browser::signed_in(&app, ADMIN_TOKEN).await);
    let stuck = || Body::wrap_stream(stream::iter([Ok::<_, Infallible>("token=")]).chain(stream::pending()));
    let slow = async |browser: &Browser, path| {
        timeout(Duration::from_secs(14), browser.post_body(path, stuck())).await.expect("it is answered")
    };
    let long = async |browser: &Browser, path| browser.post_body(path, "x".repeat(70_000)).await;
    let (one, other) = tokio::join!(slow(&stranger, SIGN_IN), slow(&known, SIGN_OUT));
    let answers =
        [(408, one), (408, other), (413, long(&stranger, SIGN_IN).await), (413, long(&known, SIGN_OUT).await)];
    for (expected, answer) in answers {
        assert_eq!(answer.status(), expected);
        assert!(between(&answer.text().await.unwrap(), "<p>", "</p>").starts_with("the body "));
    }
}
