//! Nothing secret reaches the log, whatever is done with it, and whoever does something is written down.

use std::fs;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::home::{Home, User};
use crate::service::Service;

const KEY: &str = "a-key-that-nobody-but-us-may-know";
const CREDENTIAL: &str = "a-credential-of-a-push-url";
const ADDRESS: &str = "203.0.113.77";

/// Runs a service that logs all that it can say, and asks things of it.
struct Talkative {
    service: Service,
    runtime: tokio::runtime::Runtime,
    token: String,
}

impl Talkative {
    fn start(home: &Home) -> Self {
        let mut service = home.launch(&home.data_dir(), |command| {
            command.env("STREAMTALLY_LOG", "trace");
        });
        service.wait_ready();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let token = fs::read_to_string(home.data_dir().join("admin-token")).unwrap().trim().to_owned();
        Self { service, runtime, token }
    }

    fn ask(&self, method: Method, path: &str, body: &str, token: &str) -> (StatusCode, Value) {
        let request = Client::new().request(method, format!("{}{path}", self.service.url()));
        let request = request.bearer_auth(token).body(body.to_owned());
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status(), answer.json().await.unwrap_or_default())
        })
    }

    fn administer(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, path, &body.to_string(), &self.token);
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }
}

#[test]
fn no_secret_reaches_the_log_however_much_is_logged() {
    let home = Home::new(User::Ourselves);
    let talkative = Talkative::start(&home);
    let domain = "/v1/domains/push.example.com";
    talkative.administer(Method::PUT, domain, &json!({ "signature": "none" }));
    talkative.administer(Method::POST, &format!("{domain}/keys"), &json!({ "key": KEY }));
    let generated = talkative.administer(Method::POST, &format!("{domain}/keys"), &json!({}));
    let path = talkative.administer(Method::POST, &format!("{domain}/callback-token"), &json!({}));
    let reader = talkative.administer(Method::POST, "/v1/tokens", &json!({ "name": "reader", "scopes": ["read"] }));
    let path = path["callback_path"].as_str().unwrap();
    let message = json!({
        "domain": "push.example.com", "app": "live", "stream": "room", "event": "PUBLISH",
        "publish_timestamp": "1587954134", "client_ip": ADDRESS, "user_args": format!("token={CREDENTIAL}"),
        "auth_timestamp": 1_587_954_140, "auth_sign": "f".repeat(64),
    });
    let message = message.to_string();
    let (accepted, _) = talkative.ask(Method::POST, path, &message, "none");
    assert_eq!(accepted, StatusCode::OK);
    for (path, body) in [
        ("/callbacks/huawei", message.as_str()),
        (&format!("{path}x"), &message),
        (path, &message[1..]),
        (path, &message.replace(',', ",,")),
        (&format!("{path}/{path}"), &message),
    ] {
        let (status, _) = talkative.ask(Method::POST, path, body, "none");
        assert!(status.is_client_error(), "{status}");
    }
    let reader = reader["token"].as_str().unwrap();
    let (status, sessions) = talkative.ask(Method::GET, "/v1/sessions", "", reader);
    assert_eq!((status, sessions["data"].as_array().map(Vec::len)), (StatusCode::OK, Some(1)));
    let (status, _) = talkative.ask(Method::GET, "/v1/sessions", "", &format!("{reader}x"));
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    let log = talkative.service.stderr();
    assert!(log.contains("answered") && log.contains("messages are refused"), "too little is logged to tell");
    let master_key = fs::read_to_string(home.data_dir().join("master-key")).unwrap();
    let secret_path = path.rsplit('/').next().unwrap();
    let generated = generated["key"].as_str().unwrap();
    let signature = "f".repeat(64);
    let administrators = &talkative.token;
    for secret in
        [KEY, generated, CREDENTIAL, ADDRESS, secret_path, reader, administrators, master_key.trim(), &signature]
    {
        if let Some(line) = log.lines().find(|line| line.contains(secret)) {
            panic!("a secret is in the log: {line}");
        }
    }
}

#[test]
fn what_a_command_does_is_written_down_with_the_account_that_ran_it() {
    let home = Home::new(User::Ordinary);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let acts = service.sql("select act, token_id is null, actor from audit_entry order by done_at");
    let lines: Vec<&str> = acts.lines().collect();
    assert_eq!(lines.len(), 2, "{acts}");
    for (line, act) in lines.iter().zip(["domain_registered", "key_added"]) {
        assert!(line.starts_with(&format!("{act}|t|command line (")), "{line}");
    }
    service.stop();
}
