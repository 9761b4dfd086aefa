//! The pages of provider accounts.

use serde_json::json;

use super::browser::Browser;
use crate::helpers::{ADMIN_TOKEN, TestApp};

const PAGE: &str = "/dashboard/set-up/providers";
const DOMAIN_PAGE: &str = "/dashboard/set-up/domains/push.example.com";
const ENDPOINT: &str = "https://live.cn-north-4.myhuaweicloud.com";
const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000000000SK";

/// The fields of an account.
fn fields<'a>(name: &'a str, access_key: &'a str, secret_key: &'a str) -> [(&'static str, &'a str); 5] {
    [
        ("name", name),
        ("endpoint", ENDPOINT),
        ("project_id", "p1"),
        ("access_key", access_key),
        ("secret_key", secret_key),
    ]
}

#[tokio::test]
async fn an_account_is_added_used_changed_and_removed_by_forms() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let page = browser.send(PAGE, &fields("main", "AKIDEXAMPLE0000000AK", SECRET_KEY)).await;
    assert!(page.contains(">main<") && page.contains("00AK") && !page.contains("AKIDEXAMPLE"), "{page}");
    let id = app.list("/v1/provider-accounts").await[0]["account_id"].as_str().unwrap().to_owned();

    let domain = [("signature", "required"), ("joiner", ""), ("poll_mode", "observe")];
    let page = browser.send_wrong(DOMAIN_PAGE, &domain).await;
    assert!(page.contains("Choose an account"), "{page}");
    assert!(!page.contains("Check settings at the provider"), "{page}");
    let page = browser.send(DOMAIN_PAGE, &[&domain[..], &[("provider_account", &id)]].concat()).await;
    assert!(page.contains("Check settings at the provider"), "{page}");
    let changed = app.get("/v1/domains/push.example.com", 200).await;
    assert_eq!((&changed["poll_mode"], &changed["provider_account"]), (&json!("observe"), &json!(id)));

    let one = format!("{PAGE}/{id}");
    let page = browser.send(&one, &fields("beijing", "", "")).await;
    assert!(page.contains("beijing") && page.contains("00AK") && page.contains("push.example.com"), "{page}");
    assert!(page.contains("cannot be removed"), "{page}");
    let page = browser.send(&one, &fields("beijing", "ANOTHER-KEY-WXYZ", "another-secret-of-a-test")).await;
    assert!(page.contains("WXYZ") && !page.contains("another-secret"), "{page}");
    app.put("/v1/domains/push.example.com", &json!({}), 200).await;
    browser.page(&format!("{one}/remove")).await;
    let page = browser.send(&format!("{one}/remove"), &[("confirmed", "yes")]).await;
    assert!(page.contains("None yet."), "{page}");
    assert_eq!(app.list("/v1/provider-accounts").await.len(), 0);
}

#[tokio::test]
async fn a_form_of_an_account_says_what_is_wrong_and_keeps_all_but_the_secret() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (access_key, secret_key, said) in [
        ("short", SECRET_KEY, "The access key has"),
        ("AKIDEXAMPLE0000000AK", "", "The secret key has"),
        ("", SECRET_KEY, "The access key has"),
    ] {
        let page = browser.send_wrong(PAGE, &fields("typed before", access_key, secret_key)).await;
        assert!(page.contains(said) && page.contains("typed before") && !page.contains(SECRET_KEY), "{page}");
    }
    assert_eq!(app.list("/v1/provider-accounts").await.len(), 0);
}

#[tokio::test]
async fn the_form_of_an_account_asks_for_both_keys_if_the_endpoint_changes() {
    let app = TestApp::start().await;
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    browser.send(PAGE, &fields("main", "AKIDEXAMPLE0000000AK", SECRET_KEY)).await;
    let id = app.list("/v1/provider-accounts").await[0]["account_id"].as_str().unwrap().to_owned();
    let one = format!("{PAGE}/{id}");
    let mut changed = fields("main", "", "");
    changed[1].1 = "https://live.example.com";
    for (language, said) in [("en", "For another endpoint, enter both keys again."), ("zh-CN", "请重新输入两个密钥")]
    {
        browser.headers = vec![("accept-language", language.to_owned())];
        let page = browser.send_wrong(&one, &changed).await;
        assert!(page.contains(said) && page.contains("id=\"access_key-error\""), "{page}");
    }
    assert_eq!(app.list("/v1/provider-accounts").await[0]["endpoint"], ENDPOINT);
}

#[tokio::test]
async fn a_check_shows_what_was_found_in_both_languages() {
    let options = ["--roles", "receiver,api", "--poll-allow-http", "--webhook-allow-networks=127.0.0.0/8"];
    let app = TestApp::start_with(&options).await;
    let account = json!({
        "name": "main", "endpoint": "http://127.0.0.1:1", "project_id": "p1",
        "access_key": "AKIDEXAMPLE0000000AK", "secret_key": SECRET_KEY,
    });
    let id = app.post("/v1/provider-accounts", &account, 201).await["account_id"].clone();
    app.put("/v1/domains/push.example.com", &json!({ "provider_account": id }), 200).await;
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (language, key, history) in
        [("en", "Callback key at the provider", "History of streams"), ("zh-CN", "平台上的回调密钥", "推流历史")]
    {
        browser.headers = vec![("accept-language", language.to_owned())];
        let page = browser.send(&format!("{DOMAIN_PAGE}/provider-check"), &[]).await;
        assert!(page.contains(key) && page.contains(history), "{page}");
        assert_eq!(page.matches("cannot connect to the endpoint").count(), 1, "{page}");
    }
}
