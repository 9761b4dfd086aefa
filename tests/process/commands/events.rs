//! `events release`, as an operator runs it: while the service runs and while it does not.

use streamtally::platform::clock;
use test_support::home::{Home, User};

#[test]
fn what_was_quarantined_for_a_reason_is_counted_and_released() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let run = |arguments: &[&str], status: i32, words: &str| {
        let (ended, printed) = home.run(&[&["events", "release", "--domain"], arguments].concat());
        assert_eq!(ended, status, "{printed}");
        assert!(printed.contains(words), "{printed}");
    };
    let url = service.url();
    let long_ago = (clock::now().timestamp() - 3 * 86_400).to_string();
    for stream in ["one", "two", "three"] {
        let send = ["send", "start", "--domain", "push.example.com", "--url", &url, "--publish-timestamp", &long_ago];
        assert_eq!(home.run(&[&send[..], &["--stream", stream]].concat()).0, 0);
    }
    let early = ["push.example.com", "--reason", "start_outside_window"];
    run(&[&early[..], &["--dry-run"]].concat(), 0, "3 callbacks would be released");
    run(&[&early[..], &["--to", "2026-01-01T00:00:00Z"]].concat(), 0, "no callbacks wait to be released");
    run(&["push.example.com", "--reason", "expired"], 0, "no callbacks wait to be released");
    run(&["push.examples.com", "--reason", "expired"], 1, "did you mean push.example.com?");
    run(&["push.example.com", "--reason", "late"], 2, "start_outside_window");
    let backwards = ["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
    run(&[&early[..], &backwards].concat(), 2, "--to must be later than --from");
    run(&[&early[..], &["--note", "a\nb"]].concat(), 2, "--note must have at most 500 characters");
    service.stop();
    run(&[&early[..], &["--note", "our clock was wrong"]].concat(), 0, "3 callbacks are released");
    run(&early, 0, "no callbacks wait to be released");
}
