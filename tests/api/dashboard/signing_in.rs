//! Signing in and out: from where, for how long, and over what.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use reqwest::Body;
use tokio::time::timeout;

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp};

const SIGN_IN: &str = "/dashboard/sign-in";
const SIGN_OUT: &str = "/dashboard/sign-out";

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
