//! Nothing secret reaches the log or a collector of traces, whatever is done with it, and whoever does something is
//! written down.

use std::fs;
use std::process::Stdio;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use streamtally::huawei::composing::{Message, Signing, compose};
use streamtally::huawei::notification::Event;
use streamtally::huawei::signature::SigningKey;
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;
use test_support::home::{Home, User, wait_for};
use test_support::service::Service;

use super::collector::Collector;

const KEY: &str = "a-key-that-nobody-but-us-may-know";
const CREDENTIAL: &str = "a-credential-of-a-push-url";
const ADDRESS: &str = "203.0.113.77";
const DATABASE_PASSWORD: &str = "a-password-of-the-database";
const ADMIN_TOKEN: &str = "an-administrators-token-of-many-letters";
const MASTER_KEY: &str = "c2VjcmV0LWtleS1vZi10aGlydHktdHdvLWJ5dGVzISE=";
const ACCESS_KEY: &str = "AN-ACCESS-KEY-OF-AN-ACCOUNT";
const SECRET_KEY: &str = "a-secret-key-of-a-provider-account";
const COLLECTOR_TOKEN: &str = "a-token-of-the-collector";
/// In the registry and in paths of requests, but no part of a span.
const DOMAIN: &str = "push.example.com";

/// A service that logs all that it can say, on a database that another one runs, with a collector of its traces.
struct Talkative {
    service: Service,
    stdout: std::path::PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Talkative {
    fn start(home: &Home, database: &Service, collector: &Collector, format: &str) -> Self {
        let sockets = database.socket_dir();
        let url =
            format!("postgres://streamtally:{DATABASE_PASSWORD}@localhost/streamtally?host={}", sockets.display());
        let stdout = home.path().join("stdout");
        let mut service = home.launch(&home.data_dir(), |command| {
            command.env("DATABASE_URL", url).env("STREAMTALLY_MASTER_KEY", MASTER_KEY);
            command.env("STREAMTALLY_ADMIN_TOKEN", ADMIN_TOKEN);
            command.env("STREAMTALLY_POLL_ALLOW_HTTP", "true");
            command.env("STREAMTALLY_WEBHOOK_ALLOW_NETWORKS", "127.0.0.0/8");
            command.env("STREAMTALLY_LOG", "trace").env("STREAMTALLY_LOG_FORMAT", format);
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
            command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer%20{COLLECTOR_TOKEN}"));
            command.stdout(Stdio::from(fs::File::create(&stdout).unwrap()));
        });
        service.wait_ready();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { service, stdout, runtime }
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
        let (status, answer) = self.ask(method, path, &body.to_string(), ADMIN_TOKEN);
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// Signs in to the dashboard, and looks: the cookie.
    fn sign_in(&self, token: &str) -> String {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let form = client.post(format!("{}/dashboard/sign-in", self.service.url()));
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        let origin = form.header("origin", self.service.url()).body(format!("token={token}&to=/dashboard"));
        self.runtime.block_on(async {
            let answer = origin.send().await.unwrap();
            let cookie = answer.headers().get("set-cookie").expect("a cookie").to_str().unwrap();
            let cookie = cookie.split(';').next().unwrap().to_owned();
            let page = client.get(format!("{}/dashboard", self.service.url())).header("cookie", &cookie);
            assert_eq!(page.send().await.unwrap().status(), StatusCode::OK);
            cookie.split_once('=').unwrap().1.to_owned()
        })
    }
}

/// A message that is signed with the key, and its signature.
fn signed(stream: &str) -> (String, String) {
    let now = clock::now().timestamp();
    let message = Message {
        domain: DOMAIN,
        app: "live",
        stream,
        user_args: &format!("token={CREDENTIAL}"),
        client_ip: ADDRESS,
        node_ip: ADDRESS,
        publish_timestamp: now,
        event: &Event::Publish,
    };
    let key = SigningKey::new(KEY);
    let body =
        compose(&message, Some(Signing { key: &key, joiner: FieldSeparator::default(), auth_timestamp: now + 60 }));
    let signature = serde_json::from_str::<Value>(&body).unwrap()["auth_sign"].as_str().unwrap().to_owned();
    (body, signature)
}

#[test]
fn no_secret_reaches_the_log_however_much_is_logged() {
    check_everything("pretty");
}

#[test]
fn no_secret_reaches_the_log_as_json_either() {
    check_everything("json");
}

/// Enters a provider account, rightly and wrongly, and signs requests with it, which nobody answers.
fn ask_provider(talkative: &Talkative, domain: &str) {
    let mut account = json!({
        "name": "main", "endpoint": "http://127.0.0.1:1", "project_id": "p1",
        "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
    });
    let created = talkative.administer(Method::POST, "/v1/provider-accounts", &account);
    talkative.administer(Method::PUT, domain, &json!({ "provider_account": created["account_id"] }));
    let found = talkative.administer(Method::POST, &format!("{domain}/provider-check"), &json!({}));
    assert_eq!(found["lists_error"]["kind"], "unreachable", "{found}");
    account["secret_key"] = json!(format!("{SECRET_KEY} and more"));
    let (status, _) = talkative.ask(Method::POST, "/v1/provider-accounts", &account.to_string(), ADMIN_TOKEN);
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

/// Makes secrets, and uses them well and badly: those that are known only now.
fn use_secrets(talkative: &Talkative) -> Vec<String> {
    let domain = format!("/v1/domains/{DOMAIN}");
    talkative.administer(Method::PUT, &domain, &json!({}));
    talkative.administer(Method::POST, &format!("{domain}/keys"), &json!({ "key": KEY }));
    let generated = talkative.administer(Method::POST, &format!("{domain}/keys"), &json!({}));
    let path = talkative.administer(Method::POST, &format!("{domain}/callback-token"), &json!({}));
    ask_provider(talkative, &domain);
    let reader = talkative.administer(Method::POST, "/v1/tokens", &json!({ "name": "reader", "scopes": ["read"] }));
    let path = path["callback_path"].as_str().unwrap();
    let reader = reader["token"].as_str().unwrap();
    let send = |path: &str, body: &str| talkative.ask(Method::POST, path, body, "none").0;

    let (good, signature) = signed("room");
    for path in ["/callbacks/huawei", path] {
        assert_eq!(send(path, &good), StatusCode::OK);
    }
    let forged = good.replace(&signature, &"f".repeat(64));
    for (path, body) in [
        ("/callbacks/huawei", forged.as_str()),
        ("/callbacks/huawei", &good.replace(DOMAIN, "nowhere.example.com")),
        (&format!("{path}x"), &forged),
        (path, &good[1..]),
        (path, &good.replace(',', ",,")),
        (&format!("{path}/{path}"), &good),
    ] {
        let status = send(path, body);
        assert!(status.is_client_error(), "{status}");
    }
    let (status, sessions) = talkative.ask(Method::GET, "/v1/sessions?stream=room", "", reader);
    assert_eq!((status, sessions["data"].as_array().map(Vec::len)), (StatusCode::OK, Some(1)));
    let (status, _) = talkative.ask(Method::GET, "/v1/sessions", "", &format!("{reader}x"));
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let cookie = talkative.sign_in(reader);
    let secret_path = path.rsplit('/').next().unwrap();
    let generated = generated["key"].as_str().unwrap();
    [generated, secret_path, reader, &cookie, &signature, &"f".repeat(64)].map(str::to_owned).to_vec()
}

/// The database fails in what it is asked, and then altogether; a message waits on disk meanwhile: its signature.
fn break_database(talkative: &Talkative, database: Service) -> String {
    database.sql("alter table access_token rename to elsewhere");
    let (status, _) = talkative.ask(Method::POST, "/v1/tokens", r#"{"name":"x","scopes":["read"]}"#, ADMIN_TOKEN);
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    database.stop();
    let (waiting, another_signature) = signed("another");
    let (status, _) = talkative.ask(Method::POST, "/callbacks/huawei", &waiting, "none");
    assert_eq!(status, StatusCode::OK);
    let (status, _) = talkative.ask(Method::GET, "/v1/sessions?stream=room", "", ADMIN_TOKEN);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    wait_for("a message in the spool", || talkative.service.stderr().contains("go to the spool"));
    another_signature
}

fn check_everything(format: &str) {
    let [home, of_database] = [Home::new(User::Ourselves), Home::new(User::Ourselves)];
    let mut database = of_database.launch(&of_database.data_dir(), |command| {
        command.env("STREAMTALLY_MASTER_KEY", MASTER_KEY).env("STREAMTALLY_ADMIN_TOKEN", ADMIN_TOKEN);
    });
    database.wait_ready();
    let collector = Collector::start(Some("200 OK"));
    let talkative = Talkative::start(&home, &database, &collector, format);
    let made = use_secrets(&talkative);
    let waiting = break_database(&talkative, database);
    talkative.service.signal(rustix::process::Signal::TERM);
    let Talkative { mut service, stdout, .. } = talkative;
    service.wait_exit();

    let log = service.stderr() + &fs::read_to_string(stdout).unwrap();
    for words in ["answered", "callbacks are rejected", "a request failed", "requests cannot be answered"] {
        assert!(log.contains(words), "too little is logged to tell: {words}");
    }
    let traces: Vec<String> =
        collector.posted().iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
    assert!(collector.posted().iter().all(|(head, _)| head.contains(COLLECTOR_TOKEN)) && !traces.is_empty());
    let known = [KEY, CREDENTIAL, ADDRESS, ADMIN_TOKEN, MASTER_KEY, DATABASE_PASSWORD, COLLECTOR_TOKEN, &waiting];
    let known = known.into_iter().chain([ACCESS_KEY, SECRET_KEY]);
    let secrets: Vec<&str> = known.chain(made.iter().map(String::as_str)).collect();
    for secret in &secrets {
        if let Some(line) = log.lines().find(|line| line.contains(secret)) {
            panic!("a secret is in the log: {line}");
        }
    }
    for told in secrets.into_iter().chain([DOMAIN, "room", "127.0.0.1"]) {
        assert!(traces.iter().all(|traces| !traces.contains(told)), "{told} is in a trace");
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
