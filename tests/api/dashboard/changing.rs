//! Changes that administrators make by forms.

use chrono::{DateTime, Utc};
use serde_json::json;
use streamtally::model::access::FieldSeparator;
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
    assert!(form.contains("End time (UTC)") && !form.contains("Clear end time"), "{form}");

    let text = in_zone(&push, 300, chrono_tz::Tz::UTC);
    let end = [("ended_at", text.as_str()), ("reason", "<the log says so>"), ("confirmed", "yes")];
    let page = act(&app, &browser, &format!("{session}/end"), &end).await;
    assert!(page.contains("An operator set this end time.") && page.contains("&lt;the log says so&gt;"), "{page}");
    assert!(page.contains("End time set to <time"), "{page}");
    assert_eq!(app.session("").await["duration_seconds"], 300);

    let form = browser.page(&format!("{session}/end")).await;
    assert!(form.contains("Clear end time") && form.contains(&format!("value=\"{text}\"")), "{form}");
    let withdrawal = [("reason", "wrong log"), ("confirmed", "yes")];
    let page = act(&app, &browser, &format!("{session}/withdraw-end"), &withdrawal).await;
    assert!(page.contains("OPERATOR_END_WITHDRAWN") && page.contains("no end known"), "{page}");
}

/// A time of a form, some seconds into a push.
fn in_zone(push: &Push, seconds: i64, zone: chrono_tz::Tz) -> String {
    let at = DateTime::<Utc>::from_timestamp(push.publish_timestamp + seconds, 0).unwrap();
    at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string()
}

#[tokio::test]
async fn an_end_time_is_read_in_the_zone_of_its_field_and_shown_before_it_is_stored() {
    let app = TestApp::start().await;
    let push = Push::of("room", 600);
    app.receive(&[push.start()]).await;
    let session = format!("/dashboard/sessions/{}", app.session("").await["session_id"].as_str().unwrap());
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    browser.cookie = browser.cookie.map(|cookie| format!("{cookie}; streamtally-time-zone=Asia/Shanghai"));
    let form = browser.page(&format!("{session}/end")).await;
    assert!(form.contains("End time (Asia/Shanghai, UTC+8)"), "{form}");
    assert!(form.contains(r#"name="time_zone" value="Asia/Shanghai""#), "{form}");

    let text = in_zone(&push, 300, chrono_tz::Tz::Asia__Shanghai);
    let typed = [("time_zone", "Asia/Shanghai"), ("ended_at", text.as_str()), ("reason", "x")];
    let preview = browser.send(&format!("{session}/end"), &typed).await;
    assert!(preview.contains("Asia/Shanghai (") && preview.contains("UTC), lasts 5 min 0 s."), "{preview}");
    app.fold().await;
    assert_eq!(app.session("").await["status"], "live");

    let change = [typed.as_slice(), &[("confirmed", "yes"), ("change", "yes")]].concat();
    let form_token = browser.form_token().await;
    let change: Vec<_> = change.into_iter().chain([("form_token", form_token.as_str())]).collect();
    let form = browser.post(&format!("{session}/end"), &change).await.text().await.unwrap();
    assert!(form.contains(&format!("value=\"{text}\"")), "{form}");

    // Another zone was chosen since: the zone of the field counts.
    browser.cookie = browser.cookie.map(|cookie| cookie.replace("Asia/Shanghai", "Europe/Berlin"));
    let confirmed = [typed.as_slice(), &[("confirmed", "yes")]].concat();
    act(&app, &browser, &format!("{session}/end"), &confirmed).await;
    assert_eq!(app.session("").await["duration_seconds"], 300);
}

#[tokio::test]
async fn a_form_says_what_is_wrong_at_the_field_keeps_what_was_typed_and_changes_nothing() {
    let app = TestApp::start().await;
    app.receive(&[Push::of("room", 600).start()]).await;
    let session = format!("/dashboard/sessions/{}", app.session("").await["session_id"].as_str().unwrap());
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let form_token = browser.form_token().await;
    let now = clock::now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let long = "x".repeat(501);
    for (ended_at, zone, reason, said) in [
        (now.as_str(), "UTC", "", "Enter a reason."),
        (now.as_str(), "UTC", long.as_str(), "At most 500 characters"),
        ("", "UTC", "typed before", "Enter a date and a time."),
        ("2020-01-01T00:00", "UTC", "typed before", "must not be before the start"),
        ("2999-01-01T00:00", "UTC", "typed before", "must not be in the future"),
        ("2026-03-29T02:30:00", "Europe/Berlin", "typed before", "does not exist in Europe/Berlin"),
        ("2026-10-25T02:30:00", "Europe/Berlin", "typed before", "occurs twice in Europe/Berlin"),
    ] {
        let fields = [("ended_at", ended_at), ("time_zone", zone), ("reason", reason), ("confirmed", "yes")];
        let fields: Vec<_> = fields.into_iter().chain([("form_token", form_token.as_str())]).collect();
        let answer = browser.post(&format!("{session}/end"), &fields).await;
        assert_eq!(answer.status(), 400, "{said}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(said) && page.contains("aria-invalid=\"true\""), "{said}: {page}");
        for typed in [ended_at, reason] {
            assert!(page.contains(&format!("value=\"{typed}\"")), "{said}: {page}");
        }
    }
    let without_token = [("ended_at", now.as_str()), ("reason", "x"), ("confirmed", "yes")];
    assert_eq!(browser.post(&format!("{session}/end"), &without_token).await.status(), 400);
    let unconfirmed = [("reason", "typed before"), ("form_token", &form_token)];
    let answer = browser.post(&format!("{session}/withdraw-end"), &unconfirmed).await;
    assert_eq!(answer.status(), 400);
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
    let unconfirmed = [("reason", "typed before"), ("form_token", &browser.form_token().await)];
    let answer = browser.post(&release, &unconfirmed).await;
    assert_eq!(answer.status(), 400);
    let page = answer.text().await.unwrap();
    assert!(page.contains("Check the box.") && page.contains("value=\"typed before\""), "{page}");
    let page = act(&app, &browser, &release, &[("confirmed", "yes"), ("reason", "our clock was wrong")]).await;
    assert!(page.contains("our clock was wrong") && page.contains("RELEASED"), "{page}");
    assert_eq!(app.session("").await["status"], "live");
    assert!(browser.page(&release).await.contains("Already released <time"));
    assert!(!browser.page("/dashboard/problems").await.contains(event_id));
}

#[tokio::test]
async fn kept_rejections_are_admitted_by_a_form() {
    let app = TestApp::start().await;
    let domain = "push.<i>late.example.com";
    for number in 0..3 {
        let push = Push { domain: domain.to_owned(), key: "k".repeat(32), ..Push::of(&format!("room{number}"), 50) };
        app.callback(&push.start(), 401).await;
    }
    until(async || app.list("/v1/rejections/kept").await.len() == 3).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let problems = browser.page("/dashboard/problems").await;
    assert!(!problems.contains("would be accepted now"), "{problems}");
    app.put("/v1/domains/push.%3Ci%3Elate.example.com", &json!({}), 201).await;
    app.post("/v1/domains/push.%3Ci%3Elate.example.com/keys", &json!({ "key": "k".repeat(32) }), 201).await;

    let problems = browser.page("/dashboard/problems").await;
    assert!(problems.contains("would be accepted now") && !problems.contains("<i>late"), "{problems}");
    let form = format!("/dashboard/problems/retry?{}", between(&problems, "/dashboard/problems/retry?", "\""));
    let page = browser.page(&form.replace("&amp;", "&")).await;
    assert!(page.contains("3 callbacks accepted") && page.contains("unknown domain"), "{page}");
    let fields = [("domain", domain), ("reason", "unknown_domain"), ("confirmed", "yes")];
    let token = browser.form_token().await;
    let unconfirmed = [("domain", domain), ("reason", "unknown_domain"), ("form_token", &token)];
    let answer = browser.post("/dashboard/problems/retry", &unconfirmed).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("Check the box."));
    assert!(app.list("/v1/events").await.is_empty());
    let page = browser.send("/dashboard/problems/retry", &fields).await;
    assert!(page.contains("role=\"status\"") && page.contains("3 callbacks accepted"), "{page}");
    assert_eq!(app.list("/v1/events").await.len(), 3);
    assert!(!browser.page("/dashboard/problems").await.contains("would be accepted now"));

    let reader = app.make_token(&["read", "personal", "billing"], None).await;
    let browser = Browser::signed_in(&app, &reader).await;
    assert_eq!(browser.get("/dashboard/problems/retry?domain=push.example.com").await.status(), 403);
}

#[tokio::test]
async fn the_quarantined_callbacks_of_a_reason_are_released_together_by_a_form() {
    let app = TestApp::start().await;
    for stream in ["one", "two", "three"] {
        app.receive(&[Push::of(stream, 1_000).message("PUBLISH", clock::now().timestamp() - 700)]).await;
    }
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let problems = browser.page("/dashboard/problems").await;
    assert!(problems.contains(">Release these 3<"), "{problems}");
    let query = between(&problems, "href=\"/dashboard/problems/release?", "\"").replace("&amp;", "&");
    let release = format!("/dashboard/problems/release?{query}");
    // One more arrives while the page is read: it is not one of these.
    app.receive(&[Push::of("four", 1_000).message("PUBLISH", clock::now().timestamp() - 700)]).await;
    let form = browser.page(&release).await;
    assert!(form.contains("3 callbacks") && form.contains("<strong>expired</strong>"), "{form}");
    let page = browser.send_wrong(&release, &[("reason", "typed before")]).await;
    assert!(page.contains("Check the box.") && page.contains("value=\"typed before\""), "{page}");
    assert!(app.list("/v1/events?disposition=released").await.is_empty());
    let page = browser.send(&release, &[("confirmed", "yes"), ("reason", "our clock was wrong")]).await;
    assert!(page.contains("four") && !page.contains("three") && !page.contains("Release these"), "{page}");
    let released = app.list("/v1/events?disposition=released").await;
    assert_eq!(released.len(), 3);
    assert!(released.iter().all(|event| event["note"] == "our clock was wrong"));
    assert!(browser.page(&release).await.contains("None of them waits to be released."));
    assert_eq!(browser.get("/dashboard/problems/release?domain=push.example.com").await.status(), 404);

    let reader = app.make_token(&["read"], None).await;
    let reading = Browser::signed_in(&app, &reader).await;
    assert!(!reading.page("/dashboard/problems").await.contains("problems/release"));
    assert_eq!(reading.get(&release).await.status(), 403);
}

#[tokio::test]
async fn an_operator_confirms_by_a_form_that_a_session_is_still_live() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--unconfirmed-after", "10m"]).await;
    app.receive(&[Push::of("young", 60).start(), Push::of("old", 3_000).start()]).await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let path_of = async |stream: &str| {
        let session = app.session(&format!("stream={stream}")).await;
        format!("/dashboard/sessions/{}", session["session_id"].as_str().unwrap())
    };
    let young = path_of("young").await;
    let old = path_of("old").await;
    assert!(!browser.page(&young).await.contains("/confirm\""));
    let page = browser.page(&old).await;
    assert!(page.contains(&format!("href=\"{old}/confirm\">Still live</a>")), "{page}");
    let confirm = format!("{old}/confirm");
    assert!(browser.page(&confirm).await.contains("Is the session of <bdi>old</bdi> still live?"));
    let page = browser.send_wrong(&confirm, &[]).await;
    assert!(page.contains("Enter a reason."), "{page}");
    let page = act(&app, &browser, &confirm, &[("reason", "<seen>")]).await;
    assert!(page.contains("OPERATOR_CONFIRMED") && page.contains("&lt;seen&gt;"), "{page}");
    assert!(page.contains("<dt>Confirmed as live</dt>") && !page.contains("/confirm\""), "{page}");
    assert_eq!(app.session("stream=old").await["unconfirmed"], false);
    assert!(!browser.page("/dashboard/problems").await.contains("Unconfirmed sessions"));

    let end = app.session("stream=young").await["started_at"].clone();
    app.post(&format!("/v1{}/end", young.replace("/dashboard", "")), &json!({ "ended_at": end, "reason": "x" }), 200)
        .await;
    app.fold().await;
    let page = browser.page(&format!("{young}/confirm")).await;
    assert!(page.contains("it cannot be confirmed") && !page.contains("name=\"reason\""), "{page}");
    let form_token = browser.form_token().await;
    let answer = browser.post(&format!("{young}/confirm"), &[("reason", "x"), ("form_token", &form_token)]).await;
    assert_eq!(answer.status(), 409);

    let reader = app.make_token(&["read"], None).await;
    let reading = Browser::signed_in(&app, &reader).await;
    assert!(!reading.page(&old).await.contains("/confirm\""));
    assert_eq!(reading.get(&confirm).await.status(), 403);
}

/// The secret that a page shows.
fn shown_once(page: &str) -> &str {
    between(page, "<code class=\"secret\" data-copy=\"\">", "</code>")
}

#[tokio::test]
async fn a_domain_is_added_gets_a_key_is_tested_and_changed_and_removed() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let domain = "/dashboard/set-up/domains/push.new.example.com";
    let page = browser.send("/dashboard/set-up/domains", &[("domain", " push.new.example.com ")]).await;
    assert!(
        page.contains(&format!("{}/callbacks/huawei", app.address)) && page.contains("Waiting for the first"),
        "{page}"
    );
    assert!(page.contains("The provider cannot reach this address") && page.contains("Plain HTTP"), "{page}");
    let key = shown_once(&page).to_owned();
    // A reload shows the page, but makes no key.
    let again = browser.page(&format!("{domain}/connect")).await;
    assert!(!again.contains(&key) && again.contains("The key is no longer shown"), "{again}");
    assert_eq!(app.get("/v1/domains/push.new.example.com", 200).await["keys"].as_array().unwrap().len(), 1);

    let tested = browser.send(&format!("{domain}/test"), &[("from", "connect")]).await;
    assert!(tested.contains("The start and the end are authenticated and stored"), "{tested}");
    app.fold().await;
    let session = between(&tested, "href=\"/dashboard/sessions/", "\"");
    assert!(browser.page(&format!("/dashboard/sessions/{session}")).await.contains("streamtally-test"));
    assert!(browser.page(&format!("{domain}/connect")).await.contains("Waiting for the first"));

    let push = Push { domain: "push.new.example.com".to_owned(), key, ..Push::of("room", 60) };
    app.receive(&[push.start()]).await;
    // Uses are written with a delay.
    until(async || browser.page(domain).await.contains("in use")).await;
    assert!(!browser.page(domain).await.contains(&push.key));
    assert!(browser.page(&format!("{domain}/connect")).await.contains("Callbacks arrive."));

    let settings = [
        ("signature", "required"),
        ("apps", "live, vod"),
        ("concurrent_pushes", "yes"),
        ("close_unconfirmed_after", "90m"),
    ];
    browser.send(domain, &settings).await;
    let registered = app.get("/v1/domains/push.new.example.com", 200).await;
    assert_eq!(
        (&registered["apps"], &registered["concurrent_pushes"], &registered["joiner"]),
        (&json!(["live", "vod"]), &json!(true), &json!(""))
    );
    assert_eq!(registered["close_unconfirmed_after"], "1h 30m");
    assert!(browser.page(domain).await.contains("name=\"close_unconfirmed_after\" value=\"1h 30m\""));
    let secret = browser.send(&format!("{domain}/secret-path"), &[("confirmed", "yes")]).await;
    let url = shown_once(&secret).to_owned();
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
    let domain = "/dashboard/set-up/domains/push.example.com";
    let key = "k".repeat(32);
    let page = browser.send(&format!("{domain}/keys"), &[("key", &key)]).await;
    assert_eq!(page.matches("/remove\">Remove</a>").count(), 2, "{page}");
    assert!(!page.contains(&key));
    for (rejected, why) in [("short", "must have 32 to 128 characters"), (key.as_str(), "already has this key")] {
        let page = browser.send_wrong(&format!("{domain}/keys"), &[("key", rejected)]).await;
        assert!(page.contains(why) && page.contains("aria-invalid=\"true\"") && !page.contains(&key), "{page}");
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
    let mut fields = vec![
        ("name", "<wall>"),
        ("scopes", "read"),
        ("scopes", "billing"),
        ("domains", "push.example.com"),
        ("other_domains", "push.b.example.com"),
        ("expires", "on"),
        ("expires_on", "2099-12-31"),
    ];
    let page = browser.send_wrong("/dashboard/set-up/tokens", &fields).await;
    assert!(page.contains("Not registered: push.b.example.com") && page.contains("value=\"&lt;wall&gt;\""), "{page}");
    fields.push(("accept_unregistered", "yes"));
    let made = browser.send("/dashboard/set-up/tokens", &fields).await;
    let token = shown_once(&made).to_owned();
    assert!(made.contains(&format!("/dashboard/sign-in#token={token}")) && !made.contains("kiosk"), "{made}");
    app.with_token(&token).get("/v1/live", 200).await;
    let listed = app.get("/v1/tokens", 200).await["data"][0].clone();
    assert_eq!(
        (&listed["name"], &listed["scopes"], &listed["domains"], &listed["expires_at"]),
        (
            &json!("<wall>"),
            &json!(["read", "billing"]),
            &json!(["push.example.com", "push.b.example.com"]),
            &json!("2100-01-01T00:00:00Z")
        )
    );
    let page = browser.page("/dashboard/set-up").await;
    assert!(page.contains("&lt;wall&gt;") && !page.contains(&token), "{page}");
    let page = browser.page(&format!("/dashboard/set-up/tokens/{}", listed["token_id"].as_str().unwrap())).await;
    assert!(page.contains("not registered") && !page.contains(&token), "{page}");
    let revoke = format!("/dashboard/set-up/tokens/{}/revoke", listed["token_id"].as_str().unwrap());
    assert!(browser.page(&revoke).await.contains("Revoke a token?"));
    browser.send(&revoke, &[("confirmed", "yes")]).await;
    app.with_token(&token).get("/v1/live", 401).await;
    let wall = [("name", "wall"), ("scopes", "read"), ("expires", "never")];
    let made = browser.send("/dashboard/set-up/tokens", &wall).await;
    let link = format!("/dashboard/sign-in?to=%2Fdashboard%2Fkiosk#token={}", shown_once(&made));
    assert!(made.contains(&link), "{made}");
}

#[tokio::test]
async fn settings_that_are_not_accepted_are_shown_again_with_the_error_at_the_field() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let domain = "/dashboard/set-up/domains/push.example.com";
    let settings = [("signature", "required"), ("apps", "live, live2"), ("rendition_templates", "lud")];
    let page = browser.send_wrong(domain, &settings).await;
    let field = "name=\"apps\" value=\"live, live2\" aria-invalid=\"true\"";
    assert!(page.contains(field) && page.contains("none may begin with the name of another"), "{page}");
    assert!(page.contains("value=\"lud\"") && page.contains("<nav"), "{page}");
    let settings = [("signature", "required"), ("close_unconfirmed_after", "never")];
    let page = browser.send_wrong(domain, &settings).await;
    let field = "name=\"close_unconfirmed_after\" value=\"never\" aria-invalid=\"true\"";
    assert!(page.contains(field) && page.contains("A duration in whole seconds"), "{page}");
    let page = browser.send_wrong("/dashboard/set-up/domains", &[("domain", "a/b")]).await;
    assert!(page.contains("value=\"a/b\"") && page.contains("without spaces, slashes"), "{page}");
    assert_eq!(app.get(&format!("/v1/domains/{DOMAIN}"), 200).await["apps"], json!(null));
}

#[tokio::test]
async fn a_pasted_callback_is_explained_and_the_separator_is_set() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let diagnose = "/dashboard/set-up/diagnose";
    let plus = Push { joiner: FieldSeparator::Plus, ..Push::of("<room>", 60) }.start().to_string();
    let page = browser.send(diagnose, &[("body", &plus)]).await;
    assert!(page.contains("Rejected: signature mismatch") && page.contains("The key is right"), "{page}");
    assert!(page.contains("&lt;room&gt;") && page.contains("Set the separator to: +"), "{page}");
    browser.send("/dashboard/set-up/domains/push.example.com/separator", &[("joiner", "+")]).await;
    let page = browser.send(diagnose, &[("body", &plus)]).await;
    assert!(page.contains("This callback is authenticated and would count"), "{page}");
    assert!(app.list("/v1/events").await.is_empty());

    let other = Push { key: "w".repeat(32), ..Push::of("room", 60) }.start().to_string();
    let page = browser.send(diagnose, &[("body", &other)]).await;
    assert!(page.contains("No key fits") && page.contains("#keys\">Add a key"), "{page}");
    let stranger = Push { domain: "a.example".to_owned(), ..Push::of("room", 60) }.start().to_string();
    let page = browser.send(diagnose, &[("body", &stranger)]).await;
    assert!(page.contains("/dashboard/set-up?domain=a%2Eexample\">Register a.example"), "{page}");
    assert!(browser.send(diagnose, &[("body", "nonsense")]).await.contains("not a notification"));
    let page = browser.send_wrong(diagnose, &[("body", &"x".repeat(20_000))]).await;
    assert!(page.contains("longer than 16 KiB"), "{page}");
    let page = browser.send_wrong(diagnose, &[("body", &other), ("received_at", "yesterday")]).await;
    assert!(page.contains("value=\"yesterday\"") && page.contains("&quot;event&quot;"), "{page}");
}

#[tokio::test]
async fn the_audit_log_is_read_page_by_page() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let newest = browser.page("/dashboard/set-up/audit?limit=1").await;
    assert!(newest.contains("key added") && !newest.contains("domain registered"), "{newest}");
    let cursor = between(&newest, "cursor=", "\"").to_owned();
    let older = browser.page(&format!("/dashboard/set-up/audit?limit=1&cursor={cursor}")).await;
    assert!(older.contains("domain registered") && older.contains(DOMAIN) && !older.contains("key added"), "{older}");
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
    let domain = "/dashboard/set-up/domains/push.example.com";
    let asked =
        [format!("{session}/end"), format!("/dashboard/events/{event}/release"), format!("{domain}/secret-path")];
    let pages = ["/dashboard/set-up", domain, "/dashboard/set-up/diagnose", "/dashboard/set-up/audit"];
    for path in asked.iter().map(String::as_str).chain(pages) {
        assert_eq!(reader.get(path).await.status(), 403, "{path}");
    }
    let sent = ["/keys", "/test", "/remove", "/separator", ""].map(|rest| format!("{domain}{rest}"));
    let others = ["/tokens", "/domains", "/diagnose"].map(|rest| format!("/dashboard/set-up{rest}"));
    for path in asked.iter().chain(&sent).chain(&others).map(String::as_str) {
        let fields =
            [("form_token", form_token.as_str()), ("confirmed", "yes"), ("reason", "x"), ("domain", "a.example")];
        assert_eq!(reader.post(path, &fields).await.status(), 403, "{path}");
    }
}
