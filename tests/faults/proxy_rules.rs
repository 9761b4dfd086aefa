//! What the network between a service and its database does, on a plain one between a client and an echo.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use test_support::home::{DEADLINE, wait_for};

use crate::proxy::{Mode, Proxy, Target};

/// Answers all that it hears, and tells of each connection what it heard on it when that has ended.
struct Echo {
    target: Target,
    heard: Receiver<Vec<u8>>,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = Target::Tcp(listener.local_addr().unwrap());
        let (tell, heard) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let tell = tell.clone();
                thread::spawn(move || tell.send(answer(&mut stream.unwrap())));
            }
        });
        Self { target, heard }
    }

    /// What it heard on the next connection that ends.
    fn heard(&self) -> String {
        String::from_utf8(self.heard.recv_timeout(DEADLINE).unwrap()).unwrap()
    }
}

/// Answers until the connection ends; all that was heard on it.
fn answer(stream: &mut TcpStream) -> Vec<u8> {
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut bytes) {
        heard.extend_from_slice(&bytes[..length]);
        let _ = stream.write_all(&bytes[..length]);
    }
    heard
}

struct Client(TcpStream);

impl Client {
    fn of(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(stream)
    }

    fn say(&mut self, words: &str) {
        self.0.write_all(words.as_bytes()).unwrap();
    }

    #[track_caller]
    fn assert_hears(&mut self, words: &str) {
        let mut heard = vec![0; words.len()];
        self.0.read_exact(&mut heard).unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), words);
    }

    /// That nothing comes any more but the end, in whatever way.
    #[track_caller]
    fn assert_cut(&mut self) {
        match self.0.read(&mut [0; 1]) {
            Ok(length) => assert_eq!(length, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

fn start() -> (Echo, Proxy) {
    let echo = Echo::start();
    let proxy = Proxy::start(echo.target.clone());
    (echo, proxy)
}

#[test]
fn all_that_is_sent_passes_and_so_does_the_end() {
    let (echo, proxy) = start();
    let mut client = Client::of(&proxy);
    let much = "much".repeat(1_000_000);
    thread::scope(|threads| {
        let mut stream = &client.0;
        let much = &much;
        threads.spawn(move || {
            stream.write_all(much.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
        });
        let mut heard = String::new();
        (&client.0).read_to_string(&mut heard).unwrap();
        assert!(heard == *much);
    });
    client.assert_cut();
    assert!(echo.heard() == much);
    wait_for("nothing to be held", || proxy.held() == 0);
}

#[test]
fn a_black_hole_holds_all_and_lets_it_pass_when_it_ends() {
    let (echo, proxy) = start();
    let mut present = Client::of(&proxy);
    present.say("before");
    present.assert_hears("before");
    proxy.set(Mode::BlackHole);
    let mut later = Client::of(&proxy);
    later.say("later");
    present.say("within");
    present.0.shutdown(Shutdown::Write).unwrap();
    wait_for("bytes that are held", || proxy.held() == "within".len());
    proxy.set(Mode::Pass);
    present.assert_hears("within");
    present.assert_cut();
    assert_eq!(echo.heard(), "beforewithin");
    later.assert_hears("later");
}

#[test]
fn what_a_black_hole_holds_of_a_connection_that_is_cut_never_arrives() {
    let (echo, proxy) = start();
    let mut client = Client::of(&proxy);
    client.say("before");
    client.assert_hears("before");
    proxy.set(Mode::BlackHole);
    client.say("within");
    wait_for("bytes that are held", || proxy.held() == "within".len());
    proxy.cut();
    proxy.set(Mode::Pass);
    client.assert_cut();
    assert_eq!(echo.heard(), "before");
}

#[test]
fn connections_are_refused_until_they_pass_again() {
    let (_echo, proxy) = start();
    let mut present = Client::of(&proxy);
    proxy.set(Mode::Refuse);
    present.assert_cut();
    Client::of(&proxy).assert_cut();
    proxy.set(Mode::Pass);
    let mut later = Client::of(&proxy);
    later.say("later");
    later.assert_hears("later");
}

#[test]
fn a_cut_ends_every_present_connection_and_no_later_one() {
    let (_echo, proxy) = start();
    for round in 0..50 {
        let mut present = Client::of(&proxy);
        // In some rounds nobody has accepted it yet.
        if round % 2 == 0 {
            present.say("present");
            present.assert_hears("present");
        }
        proxy.cut();
        let mut later = Client::of(&proxy);
        present.assert_cut();
        later.say("later");
        later.assert_hears("later");
    }
}

#[test]
fn a_swallowed_answer_ends_the_connection_though_the_request_has_arrived() {
    let (echo, proxy) = start();
    let mut present = Client::of(&proxy);
    proxy.set(Mode::SwallowAnswers);
    present.say("present");
    present.assert_cut();
    assert_eq!(echo.heard(), "present");
    let mut later = Client::of(&proxy);
    later.say("later");
    later.assert_cut();
    assert_eq!(echo.heard(), "later");
}

#[test]
fn next_answers_are_swallowed_on_present_connections_alone() {
    let (echo, proxy) = start();
    let mut present = Client::of(&proxy);
    present.say("before ");
    present.assert_hears("before ");
    proxy.swallow_next_answers();
    let mut later = Client::of(&proxy);
    later.say("later");
    later.assert_hears("later");
    present.say("present");
    present.assert_cut();
    assert_eq!(echo.heard(), "before present");
}

#[test]
fn a_delay_is_kept_each_way_for_as_long_as_it_is_set() {
    let (_echo, proxy) = start();
    let mut client = Client::of(&proxy);
    let delay = Duration::from_millis(50);
    proxy.set(Mode::Delay(delay));
    let said = Instant::now();
    client.say("slowly");
    client.assert_hears("slowly");
    assert!(said.elapsed() >= 2 * delay);
    proxy.set(Mode::Delay(Duration::from_hours(1)));
    client.say("at once");
    wait_for("bytes that are held", || proxy.held() > 0);
    proxy.set(Mode::Pass);
    client.assert_hears("at once");
}
