//! Webhooks while their senders are killed, and while the receiver is away.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use test_support::home::{Home, User, wait_for};

use crate::load::Load;
use crate::shared::SharedDatabase;
use crate::times;
use crate::verdict::check;

/// How many callbacks are to be answered 200 between two faults.
const BETWEEN: usize = 100;

/// What is compared of a session.
const SESSIONS: &str = "
    select session_id || ' ' || status || ' ' || coalesce(ended_at_source, 'null')
    from stream_session where status <> 'unseen'";

/// A receiver that applies what it gets by `revision`.
struct Receiver {
    url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_away: AtomicBool,
    /// The body of each event, by its id.
    bodies: Mutex<BTreeMap<String, Vec<u8>>>,
    /// The newest revision of each session, and what it said.
    sessions: Mutex<BTreeMap<String, (i64, String)>>,
    repeats: Mutex<u64>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(connection.unwrap(), &state));
            }
        });
        Self { url, state }
    }

    fn be_away(&self, is_away: bool) {
        self.state.is_away.store(is_away, Ordering::Relaxed);
    }

    /// How many events it got.
    fn count(&self) -> usize {
        self.state.bodies.lock().unwrap().len()
    }

    fn sessions(&self) -> BTreeSet<String> {
        let sessions = self.state.sessions.lock().unwrap();
        sessions.iter().map(|(id, (_, told))| format!("{id} {told}")).collect()
    }
}

/// Answers each request of a connection, or cuts it.
fn serve(connection: TcpStream, state: &State) -> Option<()> {
    let mut reader = BufReader::new(connection);
    loop {
        let (mut id, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            let read = reader.read_line(&mut line).ok()?;
            let line = line.trim().to_lowercase();
            if read == 0 {
                return None;
            }
            match line.split_once(": ") {
                Some(("webhook-id", value)) => value.clone_into(&mut id),
                Some(("content-length", value)) => length = value.parse().ok()?,
                Some(_) | None => {}
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        if state.is_away.load(Ordering::Relaxed) {
            return None;
        }
        state.take(id, &body);
        reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
    }
}

impl State {
    fn take(&self, id: String, body: &[u8]) {
        let event: Value = serde_json::from_slice(body).unwrap();
        if let Some(before) = self.bodies.lock().unwrap().insert(id, body.to_vec()) {
            assert_eq!(before, body, "the same event has the same bytes");
            *self.repeats.lock().unwrap() += 1;
        }
        let text = |value: &Value| value.as_str().unwrap_or("null").to_owned();
        let data = &event["data"];
        let session = &data["session"];
        let told = format!("{} {}", text(&session["status"]), text(&session["ended_at_source"]));
        let revision = data["revision"].as_i64().unwrap();
        let mut sessions = self.sessions.lock().unwrap();
        let newest = sessions.entry(text(&session["session_id"])).or_insert((0, String::new()));
        if newest.0 < revision {
            *newest = (revision, told);
        }
    }
}

#[test]
fn of_two_senders_each_can_be_killed_and_the_receiver_knows_what_the_database_knows() {
    let home = Home::new(User::Ourselves);
    let database = SharedDatabase::start(&home);
    let service = database.serve(&home, "receiver", "receiver,api,reconciler");
    let key = database.register(&home);
    let receiver = Receiver::start();
    let types = ["session.started", "session.ended", "session.corrected"].map(|event_type| ["--type", event_type]);
    let add = ["webhook", "add", "model", receiver.url.as_str()];
    database.run(&home, &[&add[..], &types.concat()].concat());
    let mut senders = [0, 1].map(|number| database.serve(&home, &format!("sender{number}"), "sender"));
    let load = Load::start(&service, &key);
    let kills = times(4, 30);
    for kill in 0..kills {
        load.wait_for_more(BETWEEN);
        receiver.be_away(kill % 4 == 2);
        let sender = &mut senders[usize::try_from(kill % 2).unwrap()];
        sender.kill();
        *sender = database.serve(&home, &format!("sender of {kill}"), "sender");
    }
    receiver.be_away(false);
    let sent = load.stop();
    check(&(&home, &database, &service), &sent, &format!("{kills} kills of one of two senders"));
    // What failed while the receiver was away waits for minutes, unless someone asks for it.
    database.run(&home, &["webhook", "replay", "model", "--from", "2020-01-01T00:00:00Z", "--only-failed"]);
    let known = || database.sql(SESSIONS).lines().map(str::to_owned).collect::<BTreeSet<_>>();
    // Senders give way to everything else on a busy machine: they may take long, but not stop.
    while receiver.sessions() != known() {
        let before = receiver.count();
        wait_for("the receiver to know more", || receiver.count() > before || receiver.sessions() == known());
    }
    println!(
        "{} sessions known, {} events, {} of them more than once",
        receiver.sessions().len(),
        receiver.state.bodies.lock().unwrap().len(),
        receiver.state.repeats.lock().unwrap()
    );
}
