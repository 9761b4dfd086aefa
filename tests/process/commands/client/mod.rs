//! Commands that ask a running service, as operators and scripts run them.

mod connection;
mod lists;
mod login;
mod operators;
mod sealed_reports;
mod watch;

use serde_json::Value;
use test_support::home::{Home, User};
use test_support::service::Service;

pub const DOMAIN: &str = "push.example.com";

/// A service with a domain, and commands that ask it.
pub struct Desk {
    pub home: Home,
    pub service: Service,
}

impl Desk {
    /// With live streams of these names.
    pub fn with_streams(streams: &[&str]) -> Self {
        let home = Home::new(User::Ourselves);
        let service = home.serve();
        let desk = Self { home, service };
        desk.done(&["domain", "add", DOMAIN]);
        for stream in streams {
            desk.send("start", stream);
        }
        desk
    }

    pub fn send(&self, event: &str, stream: &str) {
        self.done(&["send", event, "-d", DOMAIN, "--stream", stream, "--wait"]);
    }

    /// Runs a command with the data folder of the service and its address: its exit status, and what it prints.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.home.program();
        command.args(arguments).env("STREAMTALLY_DATA_DIR", self.home.data_dir()).env("TZ", "UTC");
        command.env("STREAMTALLY_LISTEN", format!("127.0.0.1:{}", self.service.port()));
        test_support::home::finish(&mut command)
    }

    /// Runs a command that must succeed.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        let (status, printed) = self.run(arguments);
        assert_eq!(status, 0, "{arguments:?}: {printed}");
        printed
    }

    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["-o", "json"]].concat())).expect("JSON")
    }

    /// Runs a command that must fail with this status, and say these words.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], status: i32, words: &str) {
        let (ended, printed) = self.run(arguments);
        assert_eq!(ended, status, "{arguments:?}: {printed}");
        assert!(printed.starts_with("error: ") && printed.contains(words), "{arguments:?}: {printed}");
    }
}
