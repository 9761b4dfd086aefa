//! The example clients of `examples/`, as their users run them, against a service that runs.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use chrono::{DateTime, Datelike, Utc};
use streamtally::platform::clock;
use test_support::home::{Bystander, Home, User, free_port, wait_for};
use test_support::service::Service;

pub const DOMAIN: &str = "push.example.com";

/// A home with a registered domain and a caller's token.
pub struct Caller {
    pub home: Home,
    pub token: String,
}

impl Caller {
    /// With a service that runs.
    fn new(scopes: &str, prepare: impl FnOnce(&mut Command)) -> (Self, Service) {
        let home = Home::new(User::Ourselves);
        let mut service = home.launch(&home.data_dir(), prepare);
        service.wait_ready();
        let mut caller = Self { home, token: String::new() };
        caller.run(&["domain", "add", DOMAIN]);
        let printed = caller.run(&["token", "create", "example", "--scopes", scopes]);
        let token = printed.split_whitespace().find(|word| word.starts_with("stt_"));
        token.unwrap_or_else(|| panic!("no token in {printed}")).clone_into(&mut caller.token);
        (caller, service)
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let (status, printed) = self.home.run(arguments);
        assert_eq!(status, 0, "{printed}");
        printed
    }

    /// Sends a message about a push, and waits until it shows.
    #[track_caller]
    pub fn send(&self, service: &Service, moment: &str, stream: &str, more: &[&str]) {
        let url = service.url();
        let send = ["send", moment, "--domain", DOMAIN, "--stream", stream, "--url", &url];
        self.run(&[&send[..], more].concat());
    }

    /// An example's command, in this caller's name.
    fn example(&self, name: &str, service: &Service, arguments: &[&str]) -> Command {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let mut command = Command::new("python3");
        command.arg(script).args(arguments).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("STREAMTALLY_URL", service.url()).env("STREAMTALLY_TOKEN", &self.token).env("NO_PROXY", "*");
        command
    }

    /// Runs an example to its end: its status, and what it prints on standard output and on standard error.
    #[track_caller]
    fn print(&self, name: &str, service: &Service, arguments: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.example(name, service, arguments).output().expect("python3");
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        for text in [&stdout, &stderr] {
            assert!(!text.contains(&self.token) && !text.contains("Traceback"), "{text}");
        }
        (status.code().expect("an exit status"), stdout, stderr)
    }
}

#[test]
fn the_live_board_shows_what_begins_and_ends_and_misses_nothing_while_the_service_is_away() {
    let (caller, service) = Caller::new("read", |_| {});
    let data_dir = caller.home.data_dir();
    let port = service.port();
    caller.send(&service, "start", "room0", &["--wait"]);
    let [shown, told] = ["shown", "told"].map(|name| caller.home.path().join(name));
    let mut board = caller.example("live_board.py", &service, &["--domain", DOMAIN]);
    let mut board = Bystander::spawn(board.stdout(File::create(&shown).unwrap()).stderr(File::create(&told).unwrap()));
    let mut wait_for_line = |line: &str| {
        wait_for(line, || {
            assert!(!board.has_ended(), "{}", fs::read_to_string(&told).unwrap());
            fs::read_to_string(&shown).unwrap().lines().any(|shown| shown.starts_with(line))
        });
    };
    wait_for_line("live   push.example.com/live/room0 since ");
    caller.send(&service, "start", "room1", &[]);
    wait_for_line("live   push.example.com/live/room1 since ");
    caller.send(&service, "end", "room1", &[]);
    wait_for_line("ended  push.example.com/live/room1 after ");
    service.stop();

    // The board knows nothing of this one.
    let mut elsewhere = caller.home.launch_on(free_port(), &data_dir, |_| {});
    elsewhere.wait_ready();
    caller.send(&elsewhere, "end", "room0", &["--wait"]);
    caller.send(&elsewhere, "start", "room2", &["--wait"]);
    elsewhere.stop();

    let mut service = caller.home.launch_on(port, &data_dir, |_| {});
    service.wait_ready();
    wait_for_line("ended  push.example.com/live/room0 after ");
    wait_for_line("live   push.example.com/live/room2 since ");
    let told = fs::read_to_string(&told).unwrap();
    assert!(told.contains("the connection ended; going on in 0.5 s"), "{told}");
    service.stop();
}

#[test]
fn the_live_board_ends_when_its_token_does_not_do() {
    let (mut caller, service) = Caller::new("billing", |_| {});
    let (status, shown, told) = caller.print("live_board.py", &service, &[]);
    let expected = "the token lacks the scope `read` (status 403)\n";
    assert_eq!((status, shown.as_str(), told.as_str()), (1, "", expected));
    caller.token = "stt_wrong".to_owned();
    let (status, shown, told) = caller.print("live_board.py", &service, &[]);
    assert_eq!((status, shown.as_str(), told.as_str()), (1, "", "a valid bearer token is required (status 401)\n"));
    service.stop();
}

/// The Unix second at which this day of last year began in UTC.
pub fn last_year(day: &str) -> String {
    let date = format!("{}-{day}T00:00:00Z", clock::now().year() - 1);
    date.parse::<DateTime<Utc>>().unwrap().timestamp().to_string()
}

/// This month of last year.
pub fn month(number: u32) -> String {
    format!("{}-{number:02}", clock::now().year() - 1)
}

/// A service that believes pushes which began long ago: these last through whole months.
pub fn serve_history() -> (Caller, Service) {
    let (caller, service) = Caller::new("billing", |command| {
        command.env("STREAMTALLY_START_WINDOW_BEFORE", "800d");
    });
    for (stream, began) in [("room1", last_year("01-01")), ("=2+3", last_year("01-15")), ("room2", last_year("04-16"))]
    {
        caller.send(&service, "start", stream, &["--publish-timestamp", &began]);
        caller.send(&service, "end", stream, &["--publish-timestamp", &began, "--wait"]);
    }
    (caller, service)
}

#[test]
fn the_bill_of_a_month_is_the_report_of_the_command_line_and_adds_up() {
    let (caller, service) = serve_history();
    let asked = ["--time-zone", "Europe/Berlin", "--group-by", "domain,stream"];
    let [april, may] = [4, 5].map(month);
    let bill = |more: &[&str]| caller.print("monthly_bill.py", &service, &[&[&*april], &asked[..], more].concat());

    let (status, printed, told) = bill(&[]);
    assert_eq!(status, 0, "{told}");
    let as_of = told.strip_prefix("as of ").and_then(|rest| rest.lines().next()).unwrap();
    let [from, to] = [april.clone(), may].map(|month| format!("{month}-01"));
    let report = ["report", "push-duration", "--from", &from, "--to", &to, "--output", "csv"];
    let report = caller.run(&[&report[..], &asked, &["--as-of", as_of]].concat());
    assert_eq!(printed, report);

    let (status, priced, told) = bill(&["--price-per-minute", "0.0125", "--as-of", as_of]);
    assert_eq!(status, 0, "{told}");
    // A push through all of April, and one from its 16th until it ends, at 22:00 UTC on its 30th.
    let whole = 30 * 86_400;
    let half = 15 * 86_400 - 2 * 3_600;
    let seconds: Vec<i64> = rows(&priced, "push_seconds").iter().map(|cell| cell.parse().unwrap()).collect();
    assert_eq!(rows(&priced, "stream"), ["'=2+3", "room1", "room2"]);
    assert_eq!(seconds, [whole, whole, half]);
    assert_eq!(rows(&priced, "amount"), ["540.00", "540.00", "268.50"]);
    assert!(told.contains("total amount 1348.50\n"), "{told}");
    service.stop();
}

/// The cells of a column.
fn rows(text: &str, column: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let place = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
    reader.records().map(|row| row.unwrap()[place].to_owned()).collect()
}

#[test]
fn a_bill_that_may_still_change_is_only_sealed_anyway_and_shows_what_changed_since() {
    let (caller, service) = serve_history();
    let bill = |arguments: &[&str]| caller.print("monthly_bill.py", &service, arguments);
    let (status, _, told) = bill(&["2098-12"]);
    assert!(status == 3 && told.contains("may still change: the month is not over"), "{told}");

    let april = month(4);
    let april = |more: &[&str]| bill(&[&[&*april], more].concat());
    let (status, _, told) = april(&["--corrections"]);
    assert!(status == 1 && told.contains("this month was not sealed with these parameters"), "{told}");
    caller.send(&service, "start", "room3", &["--publish-timestamp", &last_year("04-30"), "--wait"]);
    let (status, printed, told) = april(&["--seal"]);
    assert_eq!((status, printed.as_str()), (3, ""), "{told}");
    assert!(told.contains("may still change: 86400 seconds are of pushes that have not ended"), "{told}");
    let (status, sealed, told) = april(&["--seal", "--anyway"]);
    assert!(status == 0 && told.contains("sealed as "), "{told}");
    assert_eq!(rows(&sealed, "open_seconds"), ["86400"]);

    caller.send(&service, "end", "room3", &["--wait"]);
    let (status, changed, told) = april(&["--corrections"]);
    assert_eq!(status, 0, "{told}");
    let columns = ["domain", "old_open_seconds", "new_open_seconds"].map(|column| rows(&changed, column).concat());
    assert_eq!(columns, [DOMAIN, "86400", "0"]);
    service.stop();
}

#[test]
fn the_look_up_names_the_cause_of_a_refused_signature() {
    let (caller, service) = Caller::new("read", |_| {});
    let look_up = |what: &str| caller.print("support_lookup.py", &service, &[what]);
    let (status, printed, told) = look_up("room1");
    assert_eq!((status, told.as_str()), (1, ""), "{printed}");

    let key = caller.home.path().join("key");
    fs::write(&key, "another key than the one that is registered").unwrap();
    let mut send = caller.home.program();
    let url = service.url();
    send.args(["send", "start", "--domain", DOMAIN, "--stream", "room1", "--key-stdin", "--url", &url]);
    let refused = send.stdin(File::open(&key).unwrap()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    let mut found = (1, String::new(), String::new());
    wait_for("the refused message", || {
        found = look_up("room1");
        found.0 == 0
    });
    let words = found.1.split_whitespace().collect::<Vec<_>>().join(" ");
    let cause = "! signature_mismatch: 1 rejected in the name of push.example.com in 7 days";
    assert!(words.contains(cause) && words.contains("samples that name this stream: 1"), "{words}");
    assert!(words.contains("Most often another key is set at the provider: add it here."), "{words}");
    service.stop();
}

#[test]
fn the_look_up_says_what_is_live_and_why_and_what_was_set_aside() {
    let (caller, service) = Caller::new("read", |_| {});
    // A name that would turn a terminal's line around.
    caller.send(&service, "start", "room\u{202e}1", &["--wait"]);
    caller.send(&service, "start", "room2", &["--wait"]);
    caller.send(&service, "end", "room2", &["--wait"]);
    caller.send(&service, "start", "room2", &["--publish-timestamp", "1000000000"]);
    let look_up = |what: &str| {
        let (status, printed, told) = caller.print("support_lookup.py", &service, &[what]);
        assert_eq!(status, 0, "{printed}{told}");
        printed
    };
    let printed = look_up("room");
    let words = printed.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!printed.contains('\u{202e}'), "{printed}");
    assert!(words.contains("push.example.com/live/room\u{fffd}1 is LIVE since "), "{words}");
    assert!(words.contains("is LIVE: no end was reported yet"), "{words}");
    assert!(words.contains("push.example.com/live/room2 is not live "), "{words}");
    assert!(words.contains(": the provider reported it") && words.contains(" PUBLISH_DONE accepted"), "{words}");
    let why = "start_outside_window: the push began too long before or after its signature's expiry. It does not count";
    assert!(words.contains(why), "{words}");

    let session = words.split(" push ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let by_id = look_up(session);
    assert!(by_id.starts_with("push.example.com/live/room"), "{by_id}");
    service.stop();
}

/// A Python that has the library of the receiver.
pub fn python_with_library() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let python = target.parent().unwrap().join("tools/bin/python");
    assert!(python.exists(), "scripts/check-dependencies installs {}", python.display());
    python
}

#[test]
fn the_receiver_verifies_events_by_the_public_library() {
    const ALLOW: [&str; 3] = ["--webhook-allow-http", "--webhook-allow-networks", "127.0.0.0/8"];
    let (caller, service) = Caller::new("read", |command| {
        command.args(ALLOW);
    });
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/");
    let printed = caller.run(&[&["webhook", "add", "recorder", &url][..], &ALLOW].concat());
    let secret = printed.split_whitespace().find(|word| word.starts_with("whsec_")).unwrap().to_owned();
    let shown = caller.home.path().join("shown");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/receiver.py");
    let mut receiver = Command::new(python_with_library());
    receiver.arg(script).arg(port.to_string()).env("WEBHOOK_SECRET", secret).current_dir(caller.home.path());
    receiver.stdout(File::create(&shown).unwrap()).stderr(Stdio::null());
    let _receiver = Bystander::spawn(&mut receiver);
    wait_for("a receiver", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());

    let tested = caller.run(&[&["webhook", "test", "recorder"][..], &ALLOW].concat());
    assert!(tested.contains("204"), "{tested}");
    caller.send(&service, "start", "room", &["--wait"]);
    caller.send(&service, "end", "room", &["--wait"]);
    let expected = format!("session.started {DOMAIN} live room live\nsession.ended {DOMAIN} live room ended\n");
    wait_for("both events", || fs::read_to_string(&shown).is_ok_and(|printed| printed == expected));

    // Another secret signs now, which the receiver does not know.
    caller.run(&[&["webhook", "secret", "recorder", "--overlap", "0s"][..], &ALLOW].concat());
    let (status, printed) = caller.home.run(&[&["webhook", "test", "recorder"][..], &ALLOW].concat());
    assert!(status != 0 && printed.contains("401"), "{printed}");
}
