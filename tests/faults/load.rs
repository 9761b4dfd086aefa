//! A provider that never rests: sends starts and ends, and remembers each that was answered 200.

use std::collections::BTreeSet;
use std::mem::take;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use reqwest::Client;
use test_support::home::{Home, wait_for};
use test_support::messages::{DOMAIN, Push};
use test_support::service::Service;

/// How many messages are under way at one time.
const AT_ONCE: usize = 16;

/// How long to wait after a failure, so that the provider does not take all of the machine.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Shared {
    url: Mutex<String>,
    stopped: AtomicBool,
    sent: AtomicU64,
    answered_200: Mutex<BTreeSet<String>>,
    failures: Mutex<Vec<String>>,
    slowest: Mutex<Duration>,
}

/// A load that goes on until it is told to stop.
pub struct Load {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What was sent, and what came of it.
pub struct Sent {
    pub messages: u64,
    /// What was answered 200: stream and event.
    pub answered_200: BTreeSet<String>,
    /// What was met instead of a 200.
    pub failures: Vec<String>,
    /// The longest that a 200 took.
    pub slowest: Duration,
}

impl Load {
    /// Sends to a service, signed with a key that it knows.
    pub fn start(service: &Service, key: &str) -> Self {
        let shared = Arc::new(Shared { url: Mutex::new(url_of(service)), ..Shared::default() });
        let thread = {
            let (shared, key) = (Arc::clone(&shared), key.to_owned());
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(send_all(&shared, &key));
            })
        };
        Self { shared, thread }
    }

    /// Sends to another service from now on.
    pub fn send_to(&self, service: &Service) {
        *self.shared.url.lock().unwrap() = url_of(service);
    }

    /// How many messages were answered 200 until now.
    pub fn answered_200(&self) -> usize {
        self.shared.answered_200.lock().unwrap().len()
    }

    /// How many messages were not answered 200 until now.
    pub fn failures(&self) -> usize {
        self.shared.failures.lock().unwrap().len()
    }

    /// Waits until so many more are.
    pub fn wait_for_more(&self, messages: usize) {
        let before = self.answered_200();
        wait_for("callbacks to be answered 200", || self.answered_200() >= before + messages);
    }

    /// Ends the load when what is under way is answered.
    pub fn stop(self) -> Sent {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        let shared = self.shared;
        Sent {
            messages: shared.sent.load(Ordering::Relaxed),
            answered_200: take(&mut shared.answered_200.lock().unwrap()),
            failures: take(&mut shared.failures.lock().unwrap()),
            slowest: take(&mut shared.slowest.lock().unwrap()),
        }
    }
}

fn url_of(service: &Service) -> String {
    format!("{}/callbacks/huawei", service.url())
}

async fn send_all(shared: &Shared, key: &str) {
    let client = || Client::builder().timeout(Duration::from_secs(5));
    // Half of the senders keep their connections, half make a new one for each message.
    let clients = [client().build().unwrap(), client().pool_max_idle_per_host(0).build().unwrap()];
    let senders = (0..AT_ONCE).map(|sender| send_some(shared, &clients[sender % clients.len()], key, sender));
    futures_util::future::join_all(senders).await;
}

async fn send_some(shared: &Shared, client: &Client, key: &str, sender: usize) {
    for number in 0.. {
        let push = Push { key: key.to_owned(), ..Push::of(&format!("load{sender}-{number}"), 60) };
        for message in [push.start(), push.end()] {
            if shared.stopped.load(Ordering::Relaxed) {
                return;
            }
            let url = shared.url.lock().unwrap().clone();
            let asked = Instant::now();
            let answer = client.post(url).body(message.to_string()).send().await;
            let was_heard = !answer.as_ref().is_err_and(reqwest::Error::is_connect);
            shared.sent.fetch_add(u64::from(was_heard), Ordering::Relaxed);
            if answer.as_ref().is_ok_and(|answer| answer.status() == 200) {
                let name = format!("{} {}", push.stream, message["event"].as_str().unwrap());
                shared.answered_200.lock().unwrap().insert(name);
                let mut slowest = shared.slowest.lock().unwrap();
                *slowest = slowest.max(asked.elapsed());
            } else {
                let failure = answer.map_or_else(|error| format!("{error:?}"), |answer| answer.status().to_string());
                shared.failures.lock().unwrap().push(failure);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Registers the domain of the load; gives its key.
pub fn register(home: &Home) -> String {
    let (status, printed) = home.run(&["domain", "add", DOMAIN]);
    assert_eq!(status, 0, "{printed}");
    key_in(&printed)
}

/// The key that `domain add` has printed.
pub fn key_in(printed: &str) -> String {
    let key = printed.lines().find_map(|line| line.strip_prefix("Key to set at the provider, shown this once: "));
    key.unwrap().to_owned()
}
