//! `domain`, as an administrator runs it.

use test_support::home::{Home, User};

#[test]
fn a_domain_is_registered_with_its_own_rule_for_lost_ends_and_changed() {
    let home = Home::new(User::Ourselves);
    let run = |arguments: &[&str], status: i32, words: &str| {
        let (ended, printed) = home.run(&[&["domain"], arguments].concat());
        assert_eq!(ended, status, "{printed}");
        assert!(printed.contains(words), "{printed}");
    };
    let domain = "push.example.com";
    run(&["add", domain, "--close-unconfirmed-after", "12h"], 0, "is registered");
    run(&["show", domain], 0, "close unconfirmed    12h\n");
    run(&["set", domain, "--close-unconfirmed-after", "off"], 0, "close unconfirmed    off\n");
    run(&["show", domain, "--output", "json"], 0, "\"close_unconfirmed_after\": \"off\"");
    run(&["set", domain], 0, "close unconfirmed    as the service's setting says\n");
    for wrong in ["0s", "1500ms", "never", "4000days"] {
        run(&["set", domain, "--close-unconfirmed-after", wrong], 2, "--close-unconfirmed-after");
    }
}
