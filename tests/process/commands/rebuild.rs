//! `rebuild`, as an operator runs it: while the service runs, and while it does not.

use test_support::home::{Home, User};

#[test]
fn what_differs_from_the_log_is_told_and_put_right() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let url = service.url();
    let send = ["send", "start", "--domain", "push.example.com", "--stream", "room", "--url", &url, "--wait"];
    assert_eq!(home.run(&send).0, 0);
    let run = |arguments: &[&str], status: i32, words: &str| {
        let (ended, printed) = home.run(&[&["rebuild"], arguments].concat());
        assert_eq!(ended, status, "{printed}");
        assert!(printed.contains(words), "{printed}");
    };
    run(&["--verify"], 0, "1 events folded: every row matches the log");
    service.sql("update stream_session set client_ip = 'elsewhere'");
    let names = "push.example.com,live,room";
    run(&["--verify", "--output", "csv"], 1, &format!("{names},,value,client_ip,elsewhere,127.0.0.1"));
    run(&["--verify", "--output", "json"], 1, r#""difference":"value","column":"client_ip","stored":"elsewhere""#);
    run(&["--verify"], 1, "1 rows differ from the log");
    service.stop();
    run(&[], 0, "1 events folded: 1 rows corrected");
    run(&["--verify"], 0, "every row matches the log");
}
