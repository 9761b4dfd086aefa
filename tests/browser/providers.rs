//! A domain whose lists at the provider are read, from the account to the first difference.

use std::fs;
use std::sync::Arc;

use chrono::TimeDelta;
use fake_live_api::{Account, FakeApi, Push, Server, Settings};
use fantoccini::Locator;
use streamtally::platform::clock;
use test_support::home::{Home, User};

use crate::browser::Browser;

const DOMAIN: &str = "push.example.com";
const ACCESS_KEY: &str = "AKIDEXAMPLE0000000AK";
const SECRET_KEY: &str = "a-secret-key-of-a-provider-account";
const PROJECT: &str = "0123456789abcdef0123456789abcdef";

/// A provider where a push of this stream is on air.
fn start_provider(stream: &str) -> Server {
    let account = Account {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        project_id: PROJECT.to_owned(),
        security_token: None,
        host: None,
    };
    let mut api = FakeApi::new(1, account, Settings::default());
    api.world.add_push(Push::new(DOMAIN, "live", stream, clock::now() - TimeDelta::minutes(10)));
    Server::start(api, Arc::new(clock::now)).unwrap()
}

#[tokio::test]
async fn an_account_is_added_its_domain_is_checked_and_a_push_without_callbacks_is_found() {
    let home = Home::new(User::Ourselves);
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(["--poll-allow-http", "--webhook-allow-networks", "127.0.0.0/8"]);
    });
    service.wait_ready();
    assert_eq!(home.run(&["domain", "add", DOMAIN]).0, 0);
    let token = fs::read_to_string(home.data_dir().join("admin-token")).unwrap().trim().to_owned();
    let provider = start_provider("<b>unheard</b>");
    let browser = Browser::start().await;
    browser.sign_in(&service.url(), "/dashboard/set-up", &token).await;

    // An account, whose secret key is never shown.
    browser.click("Provider accounts").await;
    for (field, typed) in [
        ("name", "main"),
        ("endpoint", &provider.url()),
        ("project_id", PROJECT),
        ("access_key", ACCESS_KEY),
        ("secret_key", SECRET_KEY),
    ] {
        browser.fill(&format!("input[name={field}]"), typed).await;
    }
    browser.press("Add account").await;
    browser.wait_for_text("00AK").await;
    assert!(!browser.client.source().await.unwrap().contains(SECRET_KEY));

    // The domain has it, and is compared with what is set at the provider.
    browser.click("Setup").await;
    browser.click(DOMAIN).await;
    browser.wait_for("select[name=poll_mode]").await.select_by_label("read and compared").await.unwrap();
    browser.wait_for("select[name=provider_account]").await.select_by_label("main").await.unwrap();
    browser.press("Save").await;
    browser.wait_for_element(Locator::LinkText("Provider's lists")).await;
    browser.press("Check settings at the provider").await;
    browser.wait_for_text("none is set: callbacks are unsigned").await;
    browser.wait_for_text("readable").await;

    // What is on air there, and for which no callback was received.
    browser.client.back().await.unwrap();
    browser.wait_for_element(Locator::LinkText("Provider's lists")).await.click().await.unwrap();
    browser.wait_for_text("Last complete list").await;
    let is_listed = async || {
        browser.client.refresh().await.unwrap();
        browser.client.find(Locator::Css("#differences tbody tr")).await.is_ok()
    };
    browser.wait_until(is_listed).await;
    let row = browser.wait_for("#differences tbody tr").await.text().await.unwrap();
    assert!(row.contains("<b>unheard</b>") && row.contains("listed, but no callback was received"), "{row}");
    browser.click("Readings").await;
    browser.wait_for_text("Known sessions").await;
    let row = browser.wait_for("table tbody tr").await.text().await.unwrap();
    assert!(row.contains("complete"), "{row}");
    service.stop();
}
