//! `master-key rotate`: under running services, interrupted, and what backups need afterwards.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use streamtally::huawei::composing::{Message, Signing, compose};
use streamtally::huawei::notification::Event;
use streamtally::huawei::signature::SigningKey;
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;
use test_support::home::{Home, User, finish, mode_of, wait_for};
use test_support::service::Service;

const DOMAIN: &str = "push.example.com";
const KEYS: &str = "/v1/domains/push.example.com/keys";
const OLD: &str = "c2VjcmV0LWtleS1vZi10aGlydHktdHdvLWJ5dGVzISE=";
const NEXT: &str = "YW5vdGhlci1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE=";
const ADMIN_TOKEN: &str = "an-administrators-token-of-many-letters";
const ROTATE: [&str; 2] = ["master-key", "rotate"];

/// Runs a command that is to succeed: what it prints.
#[track_caller]
fn run(home: &Home, arguments: &[&str]) -> String {
    let (status, printed) = home.run(arguments);
    assert_eq!(status, 0, "{arguments:?}: {printed}");
    printed
}

/// Registers the domain; its callback key.
fn register(home: &Home) -> String {
    let printed = run(home, &["domain", "add", DOMAIN]);
    printed.trim_end().rsplit(' ').next().unwrap().to_owned()
}

fn read(home: &Home, name: &str) -> String {
    fs::read_to_string(home.data_dir().join(name)).unwrap().trim().to_owned()
}

/// The status of the answer to a callback that is signed with this key.
fn send(service: &Service, key: &str) -> String {
    let now = clock::now().timestamp();
    let message = Message {
        domain: DOMAIN,
        app: "live",
        stream: "room",
        user_args: "",
        client_ip: "203.0.113.7",
        node_ip: "203.0.113.8",
        publish_timestamp: now,
        event: &Event::Publish,
    };
    let signing = Signing { key: &SigningKey::new(key), joiner: FieldSeparator::default(), auth_timestamp: now + 60 };
    let answer = service.ask("POST", "/callbacks/huawei", &compose(&message, Some(signing)));
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Asks the API as the administrator.
fn ask(service: &Service, token: &str, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = Client::new().request(method, format!("{}{path}", service.url())).bearer_auth(token);
    runtime.block_on(async {
        let answer = request.body(body.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    })
}

/// Adds a callback key by this service's API.
#[track_caller]
fn add_key(service: &Service, token: &str) -> String {
    let (status, added) = ask(service, token, Method::POST, KEYS, &json!({}));
    assert_eq!(status, 201, "{added}");
    added["key"].as_str().unwrap().to_owned()
}

/// Says that it is done when it goes: also when a test fails, which would else wait for the sending.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends callbacks that are all to be accepted while something else is done.
fn accepted_throughout(service: &Service, key: &str, doing: impl FnOnce()) {
    wait_for("the key to count", || send(service, key) == "200");
    let (done, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(send(service, key), "200");
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let sending_ends = Done(&done);
        let some_more = || {
            let before = sent.load(Ordering::Relaxed);
            wait_for("accepted callbacks", || sending.is_finished() || sent.load(Ordering::Relaxed) > before + 2);
        };
        some_more();
        doing();
        some_more();
        drop(sending_ends);
        sending.join().unwrap();
    });
}

fn audit_entries(service: &Service) -> String {
    service.sql("select count(*), max(details ->> 'keys') from audit_entry where act = 'master_key_rotated'")
}

#[test]
fn a_service_goes_on_receiving_while_its_master_key_is_rotated_and_knows_the_new_one_at_once() {
    let home = Home::new(User::Ordinary);
    let mut service = home.launch(&home.data_dir(), |command| {
        command.env("STREAMTALLY_LOG", "trace");
    });
    service.wait_ready();
    let (key, token) = (register(&home), read(&home, "admin-token"));
    let old = read(&home, "master-key");
    let sealed = "select string_agg(md5(sealed_key), ',' order by key_id) from signing_key";
    let sealed_before = service.sql(sealed);
    let mut printed = String::new();
    accepted_throughout(&service, &key, || {
        printed = run(&home, &ROTATE);
        let added = add_key(&service, &token);
        wait_for("the added key to count", || send(&service, &added) == "200");
    });
    assert!(printed.contains("encrypted with the next master key: 1\n"), "{printed}");
    let new = read(&home, "master-key");
    assert_ne!(old, new);
    assert_eq!(mode_of(&home.data_dir().join("master-key")), 0o600);
    assert!(!home.data_dir().join("master-key.next").exists());
    assert!(!service.sql(sealed).contains(&sealed_before));
    assert_eq!(audit_entries(&service), "1|1");
    let (status, acts) = ask(&service, &token, Method::GET, "/v1/audit", &Value::Null);
    assert!(status == 200 && acts.to_string().contains("master_key_rotated"), "{acts}");
    for secret in [&old, &new, &key] {
        assert!(!service.stderr().contains(secret.as_str()) && !printed.contains(secret.as_str()));
    }
    let by_command = run(&home, &["domain", "key", "add", DOMAIN]);
    let by_command = by_command.trim_end().rsplit(' ').next().unwrap();
    wait_for("the key of the command to count", || send(&service, by_command) == "200");
    service.stop();
    let service = home.serve();
    assert_eq!([&key, by_command].map(|key| send(&service, key)), ["200", "200"]);
    service.stop();
}

#[test]
fn a_rotation_that_was_interrupted_is_completed_when_it_is_run_again() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let (key, token) = (register(&home), read(&home, "admin-token"));
    let damaged = ask(&service, &token, Method::POST, KEYS, &json!({})).1["key_id"].as_str().unwrap().to_owned();
    service.sql(&format!(
        "update signing_key set sealed_key = decode(repeat('00', 80), 'hex') where key_id = '{damaged}'"
    ));
    let old = read(&home, "master-key");

    // Before the commit: nothing has changed but that there is a next key, which the next run takes.
    let (status, printed) = home.run(&ROTATE);
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains(&damaged) && printed.contains("domain key remove"), "{printed}");
    assert_eq!((read(&home, "master-key"), audit_entries(&service)), (old.clone(), "0|".to_owned()));
    let next = read(&home, "master-key.next");
    run(&home, &["domain", "key", "remove", DOMAIN, &damaged, "--yes"]);
    assert!(run(&home, &ROTATE).contains("encrypted with the next master key: 1\n"));
    assert_eq!(read(&home, "master-key"), next);

    // After the commit, before the file takes its new name: services and commands use it under its old one.
    let [present_file, next_file] = ["master-key", "master-key.next"].map(|name| home.data_dir().join(name));
    fs::rename(&present_file, &next_file).unwrap();
    fs::write(&present_file, &old).unwrap();
    let added = add_key(&service, &token);
    wait_for("the added key to count", || send(&service, &added) == "200");
    service.stop();
    let service = home.serve();
    assert_eq!([&key, &added].map(|key| send(&service, key)), ["200", "200"]);
    assert!(run(&home, &["domain", "list"]).contains(DOMAIN));
    assert_eq!((read(&home, "master-key"), read(&home, "master-key.next")), (old, next.clone()));
    assert!(run(&home, &ROTATE).contains("are already encrypted with the next master key"));
    assert_eq!((read(&home, "master-key"), audit_entries(&service)), (next, "1|1".to_owned()));
    assert!(!next_file.exists());
    assert_eq!(send(&service, &key), "200");
    service.stop();
}

fn launch_with(home: &Home, data_dir: &Path, keys: &[(&str, &str)], database: Option<&str>) -> Service {
    home.launch(data_dir, |command| {
        command.envs(keys.iter().copied()).env("STREAMTALLY_ADMIN_TOKEN", ADMIN_TOKEN);
        if let Some(url) = database {
            command.env("DATABASE_URL", url);
        }
    })
}

#[test]
fn of_several_processes_those_that_know_both_keys_change_over_and_the_others_go_on_with_what_they_know() {
    let home = Home::new(User::Ourselves);
    let (old, next) = (("STREAMTALLY_MASTER_KEY", OLD), ("STREAMTALLY_NEXT_MASTER_KEY", NEXT));
    let mut knowing = launch_with(&home, &home.data_dir(), &[old, next], None);
    knowing.wait_ready();
    let database = format!("postgres://streamtally@localhost/streamtally?host={}", knowing.socket_dir().display());
    let [of_environment, of_files] = ["environment", "files"].map(|name| home.path().join("work").join(name));
    let mut unknowing = launch_with(&home, &of_environment, &[old], Some(&database));
    fs::create_dir(&of_files).unwrap();
    fs::write(of_files.join("master-key"), OLD).unwrap();
    let mut learning = launch_with(&home, &of_files, &[], Some(&database));
    unknowing.wait_ready();
    learning.wait_ready();
    let command = |keys: &[(&str, &str)], arguments: &[&str]| {
        finish(home.program().envs(keys.iter().copied()).env("DATABASE_URL", &database).args(arguments))
    };
    let (status, printed) = command(&[old], &["domain", "add", DOMAIN]);
    assert_eq!(status, 0, "{printed}");
    let key = printed.trim_end().rsplit(' ').next().unwrap().to_owned();
    let (_, made) =
        ask(&unknowing, ADMIN_TOKEN, Method::POST, "/v1/tokens", &json!({ "name": "x", "scopes": ["read"] }));
    let [token, token_id] = ["token", "token_id"].map(|member| made[member].as_str().unwrap().to_owned());
    let status_of_token = || ask(&unknowing, &token, Method::GET, "/v1/live", &Value::Null).0;
    wait_for("the domain everywhere", || {
        [&knowing, &unknowing, &learning].iter().all(|service| send(service, &key) == "200")
    });
    assert_eq!(status_of_token(), 200);

    let (status, printed) = command(&[old], &ROTATE);
    assert!(status == 1 && printed.contains("set STREAMTALLY_NEXT_MASTER_KEY to the next one"), "{printed}");
    assert_eq!(audit_entries(&knowing), "0|");
    accepted_throughout(&unknowing, &key, || {
        let (status, printed) = command(&[old, next], &ROTATE);
        assert_eq!(status, 0, "{printed}");
        assert!(printed.contains("unset STREAMTALLY_NEXT_MASTER_KEY") && !printed.contains(NEXT), "{printed}");
    });

    // What a process cannot seal it does not write, and it says why; tokens need no key.
    assert_eq!(ask(&unknowing, ADMIN_TOKEN, Method::POST, KEYS, &json!({})).0, 503);
    let added = add_key(&knowing, ADMIN_TOKEN);
    wait_for("the added key to count", || send(&knowing, &added) == "200");
    let words = "the master key was rotated, and this process does not have the new one";
    wait_for("a line about it", || [&unknowing, &learning].iter().all(|service| service.stderr().contains(words)));
    assert_eq!([&key, &added].map(|key| send(&unknowing, key)), ["200", "401"]);
    let revoke = format!("/v1/tokens/{token_id}");
    assert_eq!(ask(&knowing, ADMIN_TOKEN, Method::DELETE, &revoke, &Value::Null).0, 204);
    wait_for("the token to be revoked", || status_of_token() == 401);
    assert_eq!(unknowing.stderr().matches(words).count(), 1, "{}", unknowing.stderr());

    // A process with files is given the key as it runs; a command puts it in its place.
    fs::write(of_files.join("master-key.next"), NEXT).unwrap();
    wait_for("the added key to count there, too", || send(&learning, &added) == "200");
    let data_dir = of_files.display().to_string();
    let (status, printed) = command(&[], &["master-key", "rotate", "--data-dir", &data_dir]);
    assert!(status == 0 && printed.contains("are already encrypted with the next master key"), "{printed}");
    assert_eq!(fs::read_to_string(of_files.join("master-key")).unwrap(), NEXT);
    assert_eq!(audit_entries(&knowing), "1|1");
    let log = [&knowing, &unknowing, &learning].map(Service::stderr).concat();
    assert!(!log.contains(OLD) && !log.contains(NEXT), "{log}");

    unknowing.stop();
    let with_old = |command: &mut Command| {
        command.envs([old]).env("STREAMTALLY_ADMIN_TOKEN", ADMIN_TOKEN).env("DATABASE_URL", &database);
    };
    home.assert_refused_with(&of_environment, with_old, &["this is not the master key of the installation"]);
    let mut unknowing = launch_with(&home, &of_environment, &[(old.0, NEXT)], Some(&database));
    unknowing.wait_ready();
    assert_eq!(send(&unknowing, &added), "200");
    unknowing.stop();
    learning.stop();
    knowing.stop();
}

#[test]
fn a_backup_from_before_a_rotation_needs_the_key_of_that_time() {
    let home = Home::new(User::Ourselves);
    register(&home);
    let old = read(&home, "master-key");
    let dump = home.path().join("backup.dump").display().to_string();
    let restored = home.path().join("work/restored").display().to_string();
    let database = |data_dir: &str, program: &[&str]| {
        let (status, printed) = finish(home.program().args(["database", "--data-dir", data_dir]).args(program));
        assert_eq!(status, 0, "{printed}");
    };
    let data_dir = home.data_dir().display().to_string();
    database(&data_dir, &["pg_dump", "--format", "custom", "--file", &dump]);
    run(&home, &ROTATE);
    database(&restored, &["pg_restore", "--dbname", "streamtally", "--exit-on-error", &dump]);
    let add = |key: &str| {
        fs::write(Path::new(&restored).join("master-key"), key).unwrap();
        finish(home.program().args(["domain", "key", "add", DOMAIN, "--data-dir", &restored]))
    };
    let (status, printed) = add(&read(&home, "master-key"));
    assert!(status == 1 && printed.contains("this is not the master key of the installation"), "{printed}");
    let (status, printed) = add(&old);
    assert_eq!(status, 0, "{printed}");
    let (status, printed) = finish(home.program().args(["master-key", "rotate", "--data-dir", &restored]));
    assert!(status == 0 && printed.contains("encrypted with the next master key: 2\n"), "{printed}");
}
