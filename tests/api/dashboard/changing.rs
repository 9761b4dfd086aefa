//! Changes that administrators make by forms.

use chrono::{DateTime, Utc};
use serde_json::json;
use streamtally::platform::clock;
use test_support::messages::{DOMAIN, Push};

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp, until};

/// Submits a form that appends to the log; returns the resulting page once the event is folded.
async fn act(app: &TestApp, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> String {
    let folding = until(async || app.fold().await > 0);
    tokio::join!(browser.send(path, fields), folding).0
}

#[tokio::test]
async fn an_operator_sets_and_clears_the_end_time_of_a_session_by_a_form() {
    let app = TestApp::start().await;
    let push = Push::of("room", 600);
    app.receive(&[push.start()]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let session = format!("/dashboard/sessions/{}", app.session("").await["session_id"].as_str().unwrap());
    assert!(browser.page(&session).await.contains(&format!("{session}/end")));
    let form = browser.page(&format!("{session}/end")).await;
    assert!(form.contains("name=\"confirmed\"") && !form.contains("Clear end time"), "{form}");

    let ended_at = DateTime::<Utc>::from_timestamp(push.publish_timestamp + 300, 0).unwrap();
    let text = ended_at.format("%Y-%m-%dT%H:%M:%S").to_string();
    let end = [("ended_at", text.as_str()), ("reason", "<the log says so>"), ("confirmed", "yes")];
    let page = act(&app, &browser, &format!("{session}/end"), &end).await;
    assert!(page.contains("set by an operator") && page.contains("&lt;the log says so&gt;"), "{page}");
    assert_eq!(app.session("").await["duration_seconds"], 300);

    assert!(browser.page(&format!("{session}/end")).await.contains("Clear end time"));
    let withdrawal = [("reason", "wrong log"), ("confirmed", "yes")];
    let page = act(&app, &browser, &format!("{session}/withdraw-end"), &withdrawal).await;
    assert!(page.contains("OPERATOR_END_WITHDRAWN") && page.contains("no end known"), "{page}");
}

#[tokio::test]
async fn a_form_without_confirmation_reason_token_or_possible_time_changes_nothing() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 600).start()]).await;
    let session = format!("/dashboard/sessions/{}", app.session("").await["session_id"].as_str().unwrap());
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let form_token = browser.form_token().await;
    let now = clock::now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let end = format!("{session}/end");
    for (without, fields) in [
        ("confirmation", vec![("ended_at", now.as_str()), ("reason", "x"), ("form_token", &form_token)]),
        ("reason", vec![("ended_at", &now), ("confirmed", "yes"), ("form_token", &form_token)]),
        ("time", vec![("reason", "x"), ("confirmed", "yes"), ("form_token", &form_token)]),
        ("form token", vec![("ended_at", &now), ("reason", "x"), ("confirmed", "yes")]),
        (
            "possible time",
            vec![("ended_at", "2020-01-01T00:00"), ("reason", "x"), ("confirmed", "yes"), ("form_token", &form_token)],
        ),
    ] {
        assert_eq!(browser.post(&end, &fields).await.status(), 400, "{without}");
    }
    app.fold().await;
    assert_eq!(app.session("").await["status"], "live");
}

#[tokio::test]
async fn a_quarantined_callback_is_released_by_a_form() {
    let app = TestApp::start().await;
    let late = Push::of("room", 1_000).message("PUBLISH", clock::now().timestamp() - 700);
    app.receive(&[late]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let problems = browser.page("/dashboard/problems").await;
    assert!(problems.contains("but expired longer ago"), "{problems}");
    let event_id = between(&problems, "/dashboard/events/", "/release");
    let release = format!("/dashboard/events/{event_id}/release");
    assert!(browser.page(&release).await.contains("<strong>expired</strong>"));
    let page = act(&app, &browser, &release, &[("confirmed", "yes"), ("reason", "our clock was wrong")]).await;
    assert!(page.contains("our clock was wrong") && page.contains("RELEASED"), "{page}");
    assert_eq!(app.session("").await["status"], "live");
    assert!(browser.page(&release).await.contains("Already released at"));
    assert!(!browser.page("/dashboard/problems").await.contains(event_id));
}

#[tokio::test]
async fn a_domain_is_added_gets_a_key_is_tested_and_changed_and_removed() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let domain = "/dashboard/set-up/domains/push%2Enew%2Eexample%2Ecom";
    let page = browser.send("/dashboard/set-up/domains", &[("domain", " push.new.example.com ")]).await;
    assert!(page.contains("No key yet") && page.contains(&format!("{}/callbacks/huawei", app.address)), "{page}");
    assert!(browser.page("/dashboard/set-up").await.contains("no key yet"));

    let first = browser.send(&format!("{domain}/keys"), &[]).await;
    let key = between(&first, "data-copy=\"\">", "</code>").to_owned();
    let push = Push { domain: "push.new.example.com".to_owned(), key, ..Push::of("room", 60) };
    app.receive(&[push.start()]).await;
    let page = browser.page(domain).await;
    assert!(page.contains("data-label=\"last used\"><time") && !page.contains(&push.key), "{page}");

    let tested = browser.send(&format!("{domain}/test"), &[]).await;
    assert_eq!(tested.matches("Authenticated and stored").count(), 2, "{tested}");
    app.fold().await;
    let session = between(&tested, "href=\"/dashboard/sessions/", "\"");
    assert!(browser.page(&format!("/dashboard/sessions/{session}")).await.contains("streamtally-test"));

    let settings = [("signature", "required"), ("apps", "live, vod"), ("concurrent_pushes", "yes")];
    browser.send(domain, &settings).await;
    let registered = app.get("/v1/domains/push.new.example.com", 200).await;
    assert_eq!(
        (&registered["apps"], &registered["concurrent_pushes"], &registered["joiner"]),
        (&json!(["live", "vod"]), &json!(true), &json!(""))
    );
    let secret = browser.send(&format!("{domain}/secret-path"), &[("confirmed", "yes")]).await;
    let url = between(&secret, "data-copy=\"\">", "</code>").to_owned();
    app.callback_to(url.strip_prefix(&app.address).unwrap(), push.end().to_string(), 200).await;

    assert_eq!(
        browser.post(&format!("{domain}/remove"), &[("form_token", &browser.form_token().await)]).await.status(),
        400
    );
    browser.send(&format!("{domain}/remove"), &[("confirmed", "yes")]).await;
    app.get("/v1/domains/push.new.example.com", 404).await;
    let acts: Vec<_> = app.list("/v1/audit").await.iter().map(|entry| entry["act"].clone()).collect();
    for act in ["domain_registered", "key_added", "domain_changed", "callback_path_replaced", "domain_removed"] {
        assert!(acts.contains(&json!(act)), "{act}: {acts:?}");
    }
}

#[tokio::test]
async fn a_key_is_entered_and_another_removed() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let domain = "/dashboard/set-up/domains/push%2Eexample%2Ecom";
    let key = "k".repeat(32);
    let page = browser.send(&format!("{domain}/keys"), &[("key", &key)]).await;
    assert_eq!(page.matches("/remove\">Remove</a>").count(), 2, "{page}");
    assert!(!page.contains(&key));
    let form_token = browser.form_token().await;
    for rejected in ["short", key.as_str()] {
        let answer = browser.post(&format!("{domain}/keys"), &[("key", rejected), ("form_token", &form_token)]).await;
        assert!(matches!(answer.status().as_u16(), 400 | 409), "{rejected}");
        assert!(!answer.text().await.unwrap().contains(&key));
    }
    let oldest = app.get(&format!("/v1/domains/{DOMAIN}"), 200).await["keys"][1]["key_id"].as_str().unwrap().to_owned();
    let remove = format!("{domain}/keys/{oldest}/remove");
    assert!(browser.page(&remove).await.contains("Reject callbacks signed with this key"));
    browser.send(&remove, &[("confirmed", "yes")]).await;
    app.callback(&Push::of("room", 60).start(), 401).await;
}

#[tokio::test]
async fn a_token_is_made_shown_once_and_revoked() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let fields = [
        ("name", "<wall>"),
        ("scopes", "read"),
        ("scopes", "billing"),
        ("domains", "push.example.com, push.b.example.com"),
        ("expires_on", "2099-12-31"),
    ];
    let made = browser.send("/dashboard/set-up/tokens", &fields).await;
    let token = between(&made, "data-copy=\"\">", "</code>").to_owned();
    app.with_token(&token).get("/v1/live", 200).await;
    let listed = app.get("/v1/tokens", 200).await["data"][0].clone();
    assert_eq!(
        (&listed["name"], &listed["scopes"], &listed["domains"], &listed["expires_at"]),
        (
            &json!("<wall>"),
            &json!(["read", "billing"]),
            &json!(["push.example.com", "push.b.example.com"]),
            &json!("2099-12-31T00:00:00Z")
        )
    );
    let page = browser.page("/dashboard/set-up").await;
    assert!(page.contains("&lt;wall&gt;") && !page.contains(&token), "{page}");
    let revoke = format!("/dashboard/set-up/tokens/{}/revoke", listed["token_id"].as_str().unwrap());
    assert!(browser.page(&revoke).await.contains("Revoke a token?"));
    browser.send(&revoke, &[("confirmed", "yes")]).await;
    app.with_token(&token).get("/v1/live", 401).await;
}

#[tokio::test]
async fn only_administrators_see_and_submit_the_forms_of_administrators() {
    let app = TestApp::start().await;
    let late = Push::of("room", 1_000).message("PUBLISH", clock::now().timestamp() - 700);
    app.receive(&[Push::of("room", 600).start(), late]).await;
    let session = format!("/dashboard/sessions/{}", app.session("").await["session_id"].as_str().unwrap());
    let event = app.list("/v1/events?disposition=quarantined").await[0]["event_id"].as_str().unwrap().to_owned();
    let reader = app.make_token(&["read", "personal", "billing"], None).await;
    let reader = Browser::signed_in(&app, &reader).await;
    for page in ["/dashboard", "/dashboard/problems", &session] {
        let page = reader.page(page).await;
        for hint in ["/set-up", ">Release<", "Set end time"] {
            assert!(!page.contains(hint), "{hint}: {page}");
        }
    }
    let form_token = reader.form_token().await;
    let domain = "/dashboard/set-up/domains/push%2Eexample%2Ecom";
    let asked =
        [format!("{session}/end"), format!("/dashboard/events/{event}/release"), format!("{domain}/secret-path")];
    for path in asked.iter().map(String::as_str).chain(["/dashboard/set-up", domain]) {
        assert_eq!(reader.get(path).await.status(), 403, "{path}");
    }
    let sent = ["/keys", "/test", "/remove", ""].map(|rest| format!("{domain}{rest}"));
    for path in
        asked.iter().chain(&sent).map(String::as_str).chain(["/dashboard/set-up/tokens", "/dashboard/set-up/domains"])
    {
        let fields =
            [("form_token", form_token.as_str()), ("confirmed", "yes"), ("reason", "x"), ("domain", "a.example")];
        assert_eq!(reader.post(path, &fields).await.status(), 403, "{path}");
    }
}
