//! Commands that create something, for scripts; and what is named by its name or the beginning of its ID.

use serde_json::Value;
use test_support::home::{Home, User};

const DOMAIN: &str = "push.example.com";

#[track_caller]
fn run(home: &Home, arguments: &[&str], status: i32, words: &str) -> String {
    let (ended, printed) = home.run(arguments);
    assert_eq!(ended, status, "{arguments:?}: {printed}");
    assert!(printed.contains(words), "{arguments:?}: {printed}");
    printed
}

fn json(home: &Home, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(home, &[arguments, &["-o", "json"]].concat(), 0, "")).expect("JSON")
}

#[test]
fn what_is_created_is_printed_as_json_with_its_secret() {
    let home = Home::new(User::Ourselves);
    let domain = json(&home, &["domain", "add", DOMAIN]);
    assert_eq!((&domain["domain"], domain["key"].as_str().unwrap().len()), (&DOMAIN.into(), 32), "{domain}");
    assert_eq!(domain["keys"][0]["key_id"], domain["key_id"]);
    let unsigned = json(&home, &["domain", "add", "open.example.com", "--unsigned"]);
    assert!(unsigned["callback_path"].as_str().unwrap().starts_with("/callbacks/huawei/"), "{unsigned}");
    assert_eq!(unsigned["keys"], serde_json::json!([]));
    let key = json(&home, &["domain", "key", "add", DOMAIN]);
    assert_eq!(key.as_object().unwrap().keys().collect::<Vec<_>>(), ["key_id", "key", "created_at"]);
    let path = json(&home, &["domain", "callback-token", DOMAIN]);
    assert_eq!(path.as_object().unwrap().keys().collect::<Vec<_>>(), ["callback_path"]);
    let token = json(&home, &["token", "create", "wall", "--expires-in", "90d", "-d", DOMAIN]);
    assert!(token["token"].as_str().unwrap().starts_with("stt_") && token["scopes"][0] == "read", "{token}");
    let expires_at: chrono::DateTime<chrono::Utc> = token["expires_at"].as_str().unwrap().parse().unwrap();
    let days = (expires_at - streamtally::platform::clock::now()).num_days();
    assert!((89..=90).contains(&days), "{token}");
    let webhook = json(&home, &["webhook", "add", "recorder", "https://recorder.example.com/"]);
    assert!(webhook["secret"].as_str().unwrap().starts_with("whsec_") && webhook["name"] == "recorder", "{webhook}");
    let secret = json(&home, &["webhook", "secret", "recorder"]);
    assert!(secret["secret"] != webhook["secret"] && secret["secret"].is_string(), "{secret}");
}

#[test]
fn an_unknown_domain_is_not_taken_for_a_token_or_a_webhook() {
    let home = Home::new(User::Ourselves);
    run(&home, &["domain", "add", DOMAIN], 0, "");
    let meant = "error: push.exmple.com is not registered; did you mean push.example.com?";
    run(&home, &["token", "create", "wall", "-d", "push.exmple.com"], 1, meant);
    run(&home, &["webhook", "add", "cms", "https://cms.example.com/", "-d", "push.exmple.com"], 1, meant);
    assert_eq!(json(&home, &["token", "list"])["data"], serde_json::json!([]));
}

#[test]
fn a_token_is_revoked_by_its_name_or_the_beginning_of_its_id() {
    let home = Home::new(User::Ourselves);
    run(&home, &["migrate"], 0, "");
    let id = |name: &str| json(&home, &["token", "create", name])["token_id"].as_str().unwrap().to_owned();
    let [first, second, _] = ["wall display", "wall display", "bills"].map(id);
    let revoke =
        |token: &str, status: i32, words: &str| run(&home, &["token", "revoke", token, "--yes"], status, words);
    run(&home, &["token", "revoke", "bills"], 2, "Without a terminal, give --yes to confirm");
    let both = revoke("wall display", 1, "2 fit; give one by its ID:");
    assert!(both.contains(&first) && both.contains(&second), "{both}");
    revoke(&first[..12], 0, &format!("{first} is revoked"));
    revoke("wall display", 0, &format!("{second} is revoked"));
    revoke("bils", 1, "token not found; did you mean \"bills\"? `token list` lists all");
    revoke("bills", 0, "is revoked");
    revoke("bills", 1, "token not found; `token list` lists all");
}

#[test]
fn a_webhook_is_removed_after_a_question() {
    let home = Home::new(User::Ourselves);
    run(&home, &["migrate"], 0, "");
    let webhook = json(&home, &["webhook", "add", "recorder", "https://recorder.example.com/"]);
    run(&home, &["webhook", "rm", "recorder"], 2, "Without a terminal, give --yes to confirm");
    let begin = &webhook["webhook_id"].as_str().unwrap()[..8];
    run(&home, &["webhook", "rm", begin, "--yes"], 0, "recorder is removed");
    run(&home, &["webhook", "ls"], 0, "there are no webhooks");
}

#[test]
fn a_webhook_is_disabled_and_enabled_by_whoever_does_not_know_which_urls_are_allowed() {
    let home = Home::new(User::Ourselves);
    run(&home, &["migrate"], 0, "");
    let add = ["webhook", "add", "recorder", "http://recorder.example.com/"];
    run(&home, &add, 1, "error: url: must begin with https://; --webhook-allow-http allows http://");
    run(&home, &[&add[..], &["--webhook-allow-http"]].concat(), 0, "recorder is created");
    run(&home, &["webhook", "disable", "recorder"], 0, "recorder is disabled");
    run(&home, &["webhook", "enable", "recorder"], 0, "recorder is enabled");
}
