//! `diagnose`: what a support person is told of a captured message, and that nothing else comes of it.

use std::fs::{self, File};
use std::path::PathBuf;

use serde_json::{Value, json};
use test_support::home::{Home, User, finish};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const CREDENTIAL: &str = "yz1TG0PVN";
const EXPIRY: &str = "2020-04-27T02:22:20Z";
const DURING: &str = "2020-04-27T02:22:14Z";

/// A folder with a key and captured messages.
struct Desk(Home);

impl Desk {
    fn new() -> Self {
        let desk = Self(Home::new(User::Ourselves));
        desk.write("key", format!("{KEY}\n").as_bytes());
        desk
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("a file");
        path
    }

    /// Diagnoses a body with these arguments; whatever it is, no secret of it is printed.
    #[track_caller]
    fn diagnose(&self, body: &[u8], arguments: &[&str]) -> (i32, String) {
        let body = self.write("body", body);
        let mut command = self.0.program();
        command.arg("diagnose").arg(body).args(arguments);
        let (status, printed) = finish(&mut command);
        for secret in [KEY, CREDENTIAL, &vector("start"), &vector("joined with plus")] {
            assert!(!printed.contains(secret), "{printed}");
        }
        (status, printed)
    }

    /// Diagnoses with the key file.
    #[track_caller]
    fn diagnose_with_key(&self, body: &Value, more: &[&str]) -> (i32, String) {
        self.diagnose(body.to_string().as_bytes(), &[&["--key-file", "key"], more].concat())
    }

    /// Diagnoses as the installation has it registered.
    #[track_caller]
    fn diagnose_as_registered(&self, body: &Value, more: &[&str]) -> (i32, String) {
        let data_dir = self.0.data_dir();
        let asked = ["--data-dir", data_dir.to_str().expect("text"), "--now", DURING];
        self.diagnose(body.to_string().as_bytes(), &[&asked, more].concat())
    }

    /// A command that must succeed, its key on standard input.
    fn prepare(&self, arguments: &[&str]) -> String {
        let mut command = self.0.program();
        command.args(arguments).arg("--data-dir").arg(self.0.data_dir());
        command.stdin(File::open(self.0.path().join("key")).expect("the key"));
        let (status, printed) = finish(&mut command);
        assert_eq!(status, 0, "{printed}");
        printed
    }
}

/// The signature of a vector that was made elsewhere.
fn vector(name: &str) -> String {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/signatures.json")).expect("fixture");
    let vector = vectors.into_iter().find(|vector| vector["name"] == name).expect("a vector of this name");
    vector["auth_sign"].as_str().expect("a signature").to_owned()
}

/// A start that was signed with the key.
fn genuine() -> Value {
    json!({
        "domain": "push.example.com",
        "app": "live",
        "stream": "example_stream",
        "user_args": format!("auth_info={CREDENTIAL}&cdn=hw"),
        "publish_timestamp": "1587954134",
        "event": "PUBLISH",
        "auth_timestamp": 1_587_954_140,
        "auth_sign": vector("start"),
    })
}

fn with(member: &str, value: impl Into<Value>) -> Value {
    let mut message = genuine();
    message[member] = value.into();
    message
}

#[track_caller]
fn assert_told((status, printed): (i32, String), expected: i32, words: &[&str]) {
    assert_eq!(status, expected, "{printed}");
    // Sentences are wrapped.
    let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(printed.contains(word), "{word:?} is not in: {printed}");
    }
}

#[test]
fn a_good_message_is_told_in_full() {
    let desk = Desk::new();
    let told = "\
event        PUBLISH: a push starts
domain       \"push.example.com\"
app          \"live\"
stream       \"example_stream\"
started at   2020-04-27T02:22:14Z
signature    64 hexadecimal digits, lower case
fits         the given key, as it is
separator    nothing
fields       as documented: event, domain, app, stream, auth_timestamp
expiry       2020-04-27T02:22:20Z, expires in 6 s
as of        2020-04-27T02:22:14Z
verdict      accepted
";
    assert_eq!(desk.diagnose_with_key(&genuine(), &["--now", DURING]), (0, told.to_owned()));
    assert!(!desk.0.data_dir().exists(), "a given key needs no installation");
}

#[test]
fn body_and_key_may_come_by_standard_input() {
    let desk = Desk::new();
    let body = desk.write("body", genuine().to_string().as_bytes());
    for (arguments, input) in [
        (vec!["diagnose", "--key-file", "key"], &body),
        (vec!["diagnose", "-", "--key-file", "key"], &body),
        (vec!["diagnose", "body", "--key-stdin"], &desk.0.path().join("key")),
    ] {
        let mut command = desk.0.program();
        command.args(arguments).args(["--now", DURING]).stdin(File::open(input).expect("a file"));
        assert_told(finish(&mut command), 0, &["verdict accepted"]);
    }
}

#[test]
fn a_wrong_key_fits_in_no_way() {
    let desk = Desk::new();
    desk.write("key", "z".repeat(32).as_bytes());
    let words = ["fits none of the keys", "verdict rejected: signature_mismatch", "another key is set at the provider"];
    assert_told(desk.diagnose_with_key(&genuine(), &["--now", DURING]), 1, &words);
}

#[test]
fn a_key_that_was_pasted_with_blanks_is_told() {
    let desk = Desk::new();
    desk.write("key", format!("  {KEY}\t\r\n").as_bytes());
    let words = [
        "the given key, without the white space around it",
        "to do The key was given with",
        "the key must not contain control",
    ];
    assert_told(desk.diagnose_with_key(&genuine(), &["--now", DURING]), 1, &words);
}

#[test]
fn another_joiner_is_found_and_helps() {
    let desk = Desk::new();
    let plus = with("auth_sign", vector("joined with plus"));
    let words =
        ["separator \"+\"", "to do Set the domain's separator (joiner) to this one", "rejected: signature_mismatch"];
    assert_told(desk.diagnose_with_key(&plus, &["--now", DURING]), 1, &words);
    assert_told(desk.diagnose_with_key(&plus, &["--now", DURING, "--joiner", "+"]), 0, &["verdict accepted"]);
}

#[test]
fn an_expired_message_is_told_how_long_ago_and_judged_by_the_settings() {
    let desk = Desk::new();
    let now = ["--now", "2020-04-27T07:24:21+02:00"];
    let words = [EXPIRY, "expired 3 h 2 min ago", "verdict quarantined: expired", "--signature-grace"];
    assert_told(desk.diagnose_with_key(&genuine(), &now), 1, &words);
    let patient = [&now[..], &["--signature-grace", "4h"]].concat();
    assert_told(desk.diagnose_with_key(&genuine(), &patient), 0, &["verdict accepted"]);
    assert_told(desk.diagnose_with_key(&genuine(), &[]), 1, &["verdict quarantined: expired"]);
}

#[test]
fn digits_moved_between_stream_and_expiry_are_told_although_the_signature_fits() {
    let desk = Desk::new();
    let forgeries: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/forgeries.json")).expect("fixture");
    let moved = forgeries.iter().find(|forgery| forgery["id"] == "F1").expect("F1");
    let mut body = moved["forged"].clone();
    body["auth_sign"] = moved["auth_sign"].clone();
    body["publish_timestamp"] = json!(1_700_000_000);
    let words = [
        "fits the given key, as it is",
        "fields as documented",
        "11700000000 has 11 digits",
        "verdict rejected: expiry_malformed",
        "treat it as forged",
    ];
    assert_told(desk.diagnose_with_key(&body, &["--now", "2023-11-14T22:13:20Z"]), 1, &words);
}

#[test]
fn what_is_no_notification_is_told_with_the_readers_error() {
    let desk = Desk::new();
    let request = format!("POST /callbacks/huawei HTTP/1.1\r\n\r\n{}", genuine());
    let twice = genuine().to_string().replacen('{', "{\"app\":\"live\",", 1);
    for (body, words) in [
        ("", "EOF while parsing"),
        ("not JSON", "the body is not a valid JSON object"),
        (request.as_str(), "the capture starts like a whole HTTP request"),
        (twice.as_str(), "duplicate member"),
        ("{\"domain\":\"a\"}", "the member `app` is missing"),
    ] {
        let told = desk.diagnose(body.as_bytes(), &["--key-file", "key"]);
        assert_told(told, 1, &["verdict rejected: ", "it is answered 400", words]);
    }
    let long = with("user_args", "x".repeat(64 * 1024)).to_string();
    assert_told(desk.diagnose(long.as_bytes(), &["--key-file", "key"]), 1, &["rejected: too long", "answered 413"]);
}

#[test]
fn the_documented_example_is_told_to_be_masked() {
    let desk = Desk::new();
    let body = include_bytes!("../../fixtures/documented_example.json");
    let words = [
        "client_ip is masked",
        "node_ip is masked",
        "auth_sign is masked, as in the provider's documented example, and can never verify",
        "signature 58 characters",
        "verdict rejected: signature_malformed",
    ];
    assert_told(desk.diagnose(body, &["--key-file", "key"]), 1, &words);
}

#[test]
fn a_hostile_name_does_nothing_to_the_terminal() {
    let desk = Desk::new();
    let (_, printed) = desk.diagnose_with_key(&with("stream", "a\u{202e}b\u{2028}verdict      accepted"), &[]);
    assert!(printed.contains(r#""a\u{202e}b\u{2028}verdict      accepted""#), "{printed}");
}

#[test]
fn without_a_key_the_registered_domain_is_asked_and_nothing_changes() {
    let desk = Desk::new();
    let service = desk.0.serve();
    let added = desk.prepare(&["domain", "add", "push.example.com", "--app", "live", "--key-stdin"]);
    let key_id = added.split_once("Key id: ").expect("an id").1.trim();
    let path = desk.prepare(&["domain", "add", "open.example.com", "--unsigned"]);
    let path = path.trim_end().split_once("https://THIS-SERVICE").expect("a path").1;
    let everything = "select md5(string_agg(query_to_xml('select * from ' || quote_ident(tablename), true, false, '')\
                      ::text, '' order by tablename)) from pg_tables where schemaname = 'public'";
    let before = service.sql(everything);
    let ask = |body: &Value, more: &[&str], status: i32, words: &[&str]| {
        assert_told(desk.diagnose_as_registered(body, more), status, words);
    };

    let fits = format!("fits key {key_id}, as it is");
    let registered = "registered signature required, separator nothing, apps live, usable keys 1";
    ask(&genuine(), &[], 0, &[&fits, registered, "verdict accepted"]);
    let add_app = "run streamtally domain set push.example.com --app live --app other";
    ask(&with("app", "other"), &[], 1, &["verdict rejected: app_not_allowed", add_app]);
    let joined = with("auth_sign", vector("joined with plus"));
    let set_joiner = "run streamtally domain set push.example.com --joiner '+'";
    ask(&joined, &[], 1, &[set_joiner, "rejected: signature_mismatch The signature was made with the key above"]);
    let hostile = with("domain", "x; rm -rf ~");
    ask(&hostile, &[], 1, &["run streamtally domain add NAME --key-stdin"]);
    ask(&with("auth_sign", Value::Null), &[], 1, &["signature none", "verdict rejected: signature_missing"]);
    let similar = "similar \"push.example.com\" is registered; \"Push.example.com.\" is a different name";
    let unknown = ["registered no domain with exactly this name", similar, "verdict rejected: unknown_domain"];
    ask(&with("domain", "Push.example.com."), &[], 1, &unknown);
    let meant =
        ["did you mean \"push.example.com\"?", "fits no key to try", "run streamtally domain add push.example.org"];
    ask(&with("domain", "push.example.org"), &[], 1, &meant);

    let unsigned = with("domain", "open.example.com");
    ask(&unsigned, &[], 1, &["not signed", "verdict rejected: secret_path_missing"]);
    ask(&unsigned, &["--callback-path", path], 0, &["verdict accepted"]);
    ask(&unsigned, &["--callback-path", "/callbacks/huawei/x"], 1, &["verdict rejected: secret_path_wrong"]);

    assert_eq!(service.sql(everything), before);
    service.stop();
    ask(&genuine(), &[], 0, &[&fits, "verdict accepted"]);
}

#[test]
fn where_there_is_no_installation_none_is_made() {
    let desk = Desk::new();
    assert_told(desk.diagnose_as_registered(&genuine(), &[]), 1, &["has no installation", "--data-dir"]);
    assert!(!desk.0.data_dir().exists());
}

#[test]
fn what_makes_no_sense_is_bad_usage() {
    let desk = Desk::new();
    for arguments in [
        vec!["--key-stdin"],
        vec!["-", "--key-stdin"],
        vec!["body", "--key-stdin", "--key-file", "key"],
        vec!["body", "--joiner", "+"],
        vec!["body", "--key-file", "key", "--joiner", "&"],
        vec!["body", "--key-file", "key", "--callback-path", "/callbacks/huawei/x"],
        vec!["body", "--key-file", "key", "--now", "yesterday"],
    ] {
        let mut command = desk.0.program();
        let (status, printed) = finish(command.arg("diagnose").args(&arguments));
        assert_eq!(status, 2, "{arguments:?}: {printed}");
    }
}

#[test]
fn programs_are_told_the_same() {
    let desk = Desk::new();
    let told = |body: &Value| {
        let (status, printed) = desk.diagnose_with_key(body, &["--now", DURING, "--output", "json"]);
        let told: Value = serde_json::from_str(printed.split("error: ").next().unwrap()).expect("JSON");
        (status, told)
    };
    let (status, good) = told(&genuine());
    assert_eq!((status, &good["outcome"], &good["cause"]), (0, &json!("accepted"), &Value::Null));
    assert!(
        good["findings"].as_array().unwrap().contains(&json!({ "name": "fits", "words": "the given key, as it is" }))
    );
    let (status, bad) = told(&with("stream", "another"));
    assert_eq!((status, &bad["outcome"], &bad["cause"]), (1, &json!("rejected"), &json!("signature_mismatch")));
    let findings = bad["findings"].as_array().unwrap();
    assert_eq!(findings.last().unwrap()["name"], "advice");
    let (status, none) = told(&json!({}));
    assert_eq!((status, &none["outcome"]), (1, &json!("rejected")));
}
