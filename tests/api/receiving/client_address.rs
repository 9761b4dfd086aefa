//! Where a callback comes from, also through proxies.

use std::collections::BTreeMap;

use reqwest::header::HeaderMap;
use test_support::messages::Push;

use crate::helpers::TestApp;

/// Sends a callback of a stream with header lines in their order.
async fn send(app: &TestApp, push: &Push, lines: &[(&'static str, &'static str)]) {
    let mut headers = HeaderMap::new();
    for (name, line) in lines {
        headers.append(*name, line.parse().unwrap());
    }
    let request = app.client.post(format!("{}/callbacks/huawei", app.address)).headers(headers);
    let answer = request.body(push.start().to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{lines:?}");
}

/// Sends callbacks with these header lines, and sees where each is said to come from.
async fn assert_sources(app: &TestApp, cases: &[(&[(&'static str, &'static str)], &str)]) {
    for (number, (lines, _)) in cases.iter().enumerate() {
        send(app, &Push::of(&format!("room{number}"), 5), lines).await;
    }
    app.fold().await;
    let events = app.list("/v1/events?limit=500").await;
    let text = |event: &serde_json::Value, member: &str| event[member].as_str().unwrap().to_owned();
    let sources: BTreeMap<_, _> =
        events.iter().map(|event| (text(event, "stream"), text(event, "source_ip"))).collect();
    for (number, (lines, expected)) in cases.iter().enumerate() {
        assert_eq!(sources[&format!("room{number}")], *expected, "{lines:?}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_says_where_a_callback_comes_from() {
    let app =
        TestApp::start_with(&["--roles", "receiver,api", "--trusted-proxies", "127.0.0.1,10.0.0.0/8,2001:db8:1::/48"])
            .await;
    assert_sources(
        &app,
        &[
            (&[], "127.0.0.1"),
            (&[("x-forwarded-for", "198.51.100.1, 203.0.113.7:4711")], "203.0.113.7"),
            (&[("x-forwarded-for", "198.51.100.1, 203.0.113.7"), ("x-forwarded-for", "10.0.0.5")], "203.0.113.7"),
            (&[("x-forwarded-for", "198.51.100.1, unknown, 10.0.0.5")], "10.0.0.5"),
            (&[("forwarded", "for=\"[2001:db8::1]:4711\";proto=https, for=\"[2001:db8:1::1]\"")], "2001:db8::1"),
            (&[("forwarded", "for=\"[::ffff:203.0.113.7]\"")], "203.0.113.7"),
            (&[("forwarded", "for=_hidden")], "127.0.0.1"),
            (&[("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.8")], "203.0.113.8"),
            (&[("x-forwarded-for", "203.0.113.7"), ("forwarded", "nonsense")], "203.0.113.7"),
        ],
    )
    .await;
}

#[tokio::test]
async fn nobody_else_says_where_a_callback_comes_from() {
    for settings in [&["--roles", "receiver,api"][..], &["--roles", "receiver,api", "--trusted-proxies", "10.0.0.0/8"]]
    {
        let app = TestApp::start_with(settings).await;
        assert_sources(
            &app,
            &[
                (&[("x-forwarded-for", "203.0.113.7")], "127.0.0.1"),
                (&[("forwarded", "for=203.0.113.7"), ("x-forwarded-for", "203.0.113.7")], "127.0.0.1"),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn rejections_show_the_source_behind_a_proxy() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--trusted-proxies", "127.0.0.0/8"]).await;
    let wrong = Push { key: "w".repeat(32), ..Push::of("room", 5) }.start();
    let request = app.client.post(format!("{}/callbacks/huawei", app.address)).header("x-forwarded-for", "203.0.113.9");
    assert_eq!(request.body(wrong.to_string()).send().await.unwrap().status(), 401);
    let rejections = app.rejections(|rows| rows.len() == 1).await;
    assert_eq!(rejections[0]["sample"]["source_ip"], "203.0.113.9");
}
