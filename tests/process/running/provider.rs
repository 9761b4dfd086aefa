//! Domains that are polled: no secret of an account appears anywhere, whatever the provider answers, and a provider that does not
//! answer holds up nothing.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use chrono::{DateTime, TimeDelta, Utc};
use fake_live_api::{
    Account, CallbackArea, CallbackConfiguration, FakeApi, FaultKind, Outage, OutageKind, Push, Server, Settings,
};
use reqwest::{Client, Method};
use rustix::process::Signal;
use serde_json::{Value, json};
use streamtally::platform::clock;
use test_support::home::{Home, User, program, wait_for};
use test_support::service::Service;

const ADMIN_TOKEN: &str = "an-administrators-token-of-many-letters";
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const ACCESS_KEY: &str = "AKIDEXAMPLE0000000AK";
const SECRET_KEY: &str = "a-secret-key-of-a-provider-account";
const WRONG_SECRET_KEY: &str = "a-secret-key-that-the-provider-has-not";
const KEY: &str = "a-key-that-nobody-but-us-may-know";
const KEY_AT_PROVIDER: &str = "a-key-that-only-the-provider-knows";
const CREDENTIAL: &str = "a-credential-in-a-callback-url";

const ASKS: [&str; 3] = ["--poll-allow-http", "--webhook-allow-networks", "127.0.0.0/8"];

/// A service that an administrator sets up over its API.
struct Polling {
    service: Service,
    runtime: tokio::runtime::Runtime,
    /// All that it answered.
    answers: Mutex<String>,
}

impl Polling {
    fn start(home: &Home, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut service = home.launch(&home.data_dir(), |command| {
            command.args(ASKS).env("STREAMTALLY_ADMIN_TOKEN", ADMIN_TOKEN);
            prepare(command);
        });
        service.wait_ready();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { service, runtime, answers: Mutex::default() }
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        let request = Client::new().request(method, format!("{}{path}", self.service.url()));
        let request = request.bearer_auth(ADMIN_TOKEN).body(body.to_string());
        let (status, text) = self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status(), answer.text().await.unwrap())
        });
        assert!(status.is_success(), "{path}: {status} {text}");
        self.answers.lock().unwrap().push_str(&text);
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, &json!({}))
    }

    /// Registers a domain that is polled with an account of its own.
    fn poll(&self, domain: &str, endpoint: &str, secret_key: &str) {
        let account = json!({
            "name": domain, "endpoint": endpoint, "project_id": PROJECT,
            "access_key": ACCESS_KEY, "secret_key": secret_key,
        });
        let account = self.ask(Method::POST, "/v1/provider-accounts", &account);
        let path = format!("/v1/domains/{domain}");
        let settings = json!({ "provider_account": account["account_id"], "poll_mode": "repair" });
        self.ask(Method::PUT, &path, &settings);
        self.ask(Method::POST, &format!("{path}/keys"), &json!({ "key": KEY }));
    }

    fn polls(&self, domain: &str) -> Vec<Value> {
        self.get(&format!("/v1/domains/{domain}/polls"))["data"].as_array().unwrap().clone()
    }

    /// Waits until the domain was polled: how.
    fn outcome(&self, domain: &str) -> Value {
        wait_for("a poll", || !self.polls(domain).is_empty());
        self.polls(domain)[0]["outcome"].clone()
    }
}

fn fake(settings: Settings) -> FakeApi {
    let account = Account {
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        project_id: PROJECT.to_owned(),
        security_token: None,
        host: None,
    };
    FakeApi::new(1, account, settings)
}

/// A provider that answers each request with an error that repeats all of it: returns its URL, and the requests so far.
fn start_echo() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&heads);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Some(head) = echo(&stream) {
                kept.lock().unwrap().push(head);
            }
        }
    });
    (url, heads)
}

fn echo(mut stream: &TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let canonical = format!("verify aksk signature fail, canonicalRequest:{head}, key:{KEY_AT_PROVIDER}");
    let body = json!({ "error_code": "APIGW.0301", "error_msg": canonical, "auth_sign_key": KEY_AT_PROVIDER });
    let body = body.to_string();
    let length = body.len();
    let answer =
        format!("HTTP/1.1 401 {KEY_AT_PROVIDER}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).ok()?;
    Some(head)
}

/// The header that authorizes, and the signature in it.
fn authorization_of(head: &str) -> [String; 2] {
    let is_it = |line: &&str| line.to_lowercase().starts_with("authorization: ");
    let value = head.lines().find(is_it).unwrap().split_once(": ").unwrap().1;
    [value.to_owned(), value.rsplit_once("Signature=").unwrap().1.to_owned()]
}

/// All that is in the database, and in the files of the local store.
fn stored(home: &Home, service: &Service) -> String {
    let mut dump = Command::new(program("pg_dump"));
    dump.env_clear().env("PGHOST", service.socket_dir()).args(["-U", "streamtally", "-d", "streamtally"]);
    let output = dump.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut all = String::from_utf8(output.stdout).unwrap();
    assert!(all.contains("provider_account") && all.contains(PROJECT), "the dump has too little");
    read_files(&home.data_dir().join("local-store"), &mut all);
    all
}

fn read_files(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            read_files(&entry.path(), all);
        } else {
            all.push_str(&String::from_utf8_lossy(&fs::read(entry.path()).unwrap()));
        }
    }
}

#[test]
fn no_secret_of_an_account_appears_whatever_the_provider_answers() {
    let home = Home::new(User::Ourselves);
    let stdout = home.path().join("stdout");
    let polling = Polling::start(&home, |command| {
        command.env("STREAMTALLY_LOG", "trace").stdout(Stdio::from(fs::File::create(&stdout).unwrap()));
    });
    let mut api = fake(Settings::default());
    let url = format!("https://tally.example.com/callbacks/huawei/{CREDENTIAL}?token={CREDENTIAL}");
    let configuration = CallbackConfiguration {
        url,
        auth_sign_key: Some(KEY_AT_PROVIDER.to_owned()),
        call_back_area: CallbackArea::OutsideMainlandChina,
    };
    api.world.configure_callbacks("good.example.com", configuration);
    api.world.add_push(Push::new("good.example.com", "live", "room", clock::now() - TimeDelta::minutes(10)));
    let provider = Server::start(api, Arc::new(clock::now)).unwrap();
    let (echo, heads) = start_echo();
    polling.poll("good.example.com", &provider.url(), SECRET_KEY);
    polling.poll("wrong.example.com", &provider.url(), WRONG_SECRET_KEY);
    polling.poll("echo.example.com", &echo, SECRET_KEY);

    let mut printed = String::new();
    // The list is not read if the first request that the provider rejected was for the history.
    for (domain, outcomes, key) in [
        ("good.example.com", &["complete"][..], "differs"),
        ("wrong.example.com", &["refused", "resting"], "unknown"),
        ("echo.example.com", &["refused", "resting"], "unknown"),
    ] {
        let outcome = polling.outcome(domain);
        assert!(outcomes.iter().any(|expected| outcome == *expected), "{domain}: {outcome}");
        let found = polling.ask(Method::POST, &format!("/v1/domains/{domain}/provider-check"), &json!({}));
        assert_eq!(found["callback_key"], key, "{found}");
        polling.get(&format!("/v1/domains/{domain}/provider-differences"));
        printed.push_str(&home.run(&[&["provider", "check", domain], &ASKS[..]].concat()).1);
        printed.push_str(&home.run(&["domain", "show", domain, "--output", "json"]).1);
    }
    for path in ["/v1/provider-accounts", "/v1/domains", "/v1/audit", "/v1/events", "/metrics"] {
        polling.get(path);
    }
    printed.push_str(&home.run(&["provider", "list", "--output", "json"]).1);
    let stored = stored(&home, &polling.service);
    polling.service.signal(Signal::TERM);
    let Polling { mut service, answers, .. } = polling;
    service.wait_exit();

    let log = service.stderr() + &fs::read_to_string(stdout).unwrap() + &service.log();
    // The client of the provider's API says what it does.
    let connected = format!("connected to {}", echo.trim_start_matches("http://"));
    assert!(log.contains(&connected) && printed.contains("APIGW.0301"), "too little is said to tell: {printed}");
    let heads = heads.lock().unwrap();
    assert!(heads.len() >= 3, "{heads:?}");
    let signatures: Vec<String> = heads.iter().flat_map(|head| authorization_of(head)).collect();
    let known = [SECRET_KEY, WRONG_SECRET_KEY, KEY, KEY_AT_PROVIDER, CREDENTIAL, "SDK-HMAC-SHA256", "canonicalRequest"];
    for secret in known.into_iter().chain(signatures.iter().map(String::as_str)) {
        // As the database prints bytes, too.
        for secret in [secret, &hex::encode(secret)] {
            for (place, text) in
                [("log", &log), ("answers", &answers.lock().unwrap()), ("output", &printed), ("database", &stored)]
            {
                let found = text.lines().find(|line| line.contains(secret));
                assert!(found.is_none(), "{secret} is in the {place}: {found:?}");
            }
        }
    }
    // The database has it, and lists show how it ends.
    for text in [&log, &*answers.lock().unwrap(), &printed] {
        let found = text.lines().find(|line| line.contains(ACCESS_KEY));
        assert!(found.is_none(), "{found:?}");
    }
}

#[test]
fn a_provider_that_does_not_answer_holds_up_neither_readiness_nor_the_stop() {
    let home = Home::new(User::Ourselves);
    let outage = Outage {
        from: DateTime::<Utc>::MIN_UTC,
        until: DateTime::<Utc>::MAX_UTC,
        kind: OutageKind::Failure(vec![FaultKind::Stall]),
    };
    let api = fake(Settings { outage: Some(outage), ..Settings::default() });
    let provider = Server::start(api, Arc::new(clock::now)).unwrap();
    let polling = Polling::start(&home, |_| {});
    polling.poll("gone.example.com", "http://127.0.0.1:1", SECRET_KEY);
    assert_eq!(polling.outcome("gone.example.com"), "failed");
    polling.poll("stalled.example.com", &provider.url(), SECRET_KEY);
    wait_for("a request", || !provider.api().requests().is_empty());
    assert!(polling.service.is_ready());
    polling.service.stop();

    // Its first request waits for an answer again.
    provider.api().take_requests();
    let polling = Polling::start(&home, |_| {});
    wait_for("a request", || !provider.api().requests().is_empty());
    assert!(polling.service.is_ready());
    // Had the first process waited for the timeout of its request, the poll would have been stored.
    assert_eq!(polling.polls("stalled.example.com"), [] as [Value; 0]);
    polling.service.stop();
}
