//! `repair-clock`, as an operator runs it: while the service runs.

use test_support::home::{Home, User, wait_for};

#[test]
fn what_lies_ahead_of_the_clock_is_told_and_moved_when_that_is_wanted() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let run = |arguments: &[&str], status: i32, words: &str| {
        let (ended, printed) = home.run(arguments);
        assert_eq!(ended, status, "{printed}");
        assert!(printed.contains(words), "{printed}");
    };
    run(&["repair-clock"], 0, "no events are ahead of the clock");
    // As a report left it that was made while the clock was ahead.
    service.sql("update shard_head set recorded_at = now() + interval '400 days'");
    let url = service.url();
    let send = ["send", "start", "--domain", "push.example.com", "--stream", "room", "--url", &url, "--wait"];
    assert_eq!(home.run(&send).0, 0);
    let report = ["report", "push-duration", "--from", "2026-01-01", "--to", "2099-01-01"];
    wait_for("a line of the log", || service.stderr().contains("a clock is wrong"));
    run(&report, 1, "no report can be made: the log reaches 399 days");
    run(&["repair-clock"], 0, "1 events in 1 shards are recorded ahead of the clock\nnothing was changed");
    assert!(!service.is_ready());
    run(&["repair-clock", "--yes"], 0, "moved to the present");
    assert!(service.is_ready());
    run(&["rebuild", "--verify"], 0, "1 events folded: every row matches the log");
    run(&report, 0, "push.example.com");
    run(&["repair-clock", "--yes"], 0, "no events are ahead of the clock");
    service.stop();
}
