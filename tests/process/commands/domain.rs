//! `domain`, as an administrator runs it.

use test_support::home::{Home, User};

const DOMAIN: &str = "push.example.com";

/// Runs a command of `domain`: it must end with this status, and say these words.
#[track_caller]
fn run(home: &Home, arguments: &[&str], status: i32, words: &str) {
    let (ended, printed) = home.run(&[&["domain"], arguments].concat());
    assert_eq!(ended, status, "{printed}");
    assert!(printed.contains(words), "{printed}");
}

#[test]
fn a_domain_is_registered_with_its_own_rule_for_lost_ends_and_changed() {
    let home = Home::new(User::Ourselves);
    run(&home, &["add", DOMAIN, "--close-unconfirmed-after", "12h"], 0, "is registered");
    run(&home, &["show", DOMAIN], 0, "close unconfirmed    12h\n");
    run(&home, &["set", DOMAIN, "--close-unconfirmed-after", "off"], 0, "close unconfirmed    off\n");
    run(&home, &["show", DOMAIN, "--output", "json"], 0, "\"close_unconfirmed_after\": \"off\"");
    let of_service = "close unconfirmed    as the service's setting says\n";
    run(&home, &["set", DOMAIN, "--reset=close-unconfirmed-after"], 0, of_service);
    for wrong in ["0s", "1500ms", "never", "4000days"] {
        run(&home, &["set", DOMAIN, "--close-unconfirmed-after", wrong], 2, "--close-unconfirmed-after");
    }
}

#[test]
fn settings_that_are_not_named_stay() {
    let home = Home::new(User::Ourselves);
    let add = ["add", DOMAIN, "--app", "live", "--app", "vod", "--concurrent-pushes", "--rendition-template", "lud"];
    run(&home, &add, 0, "is registered");
    run(&home, &["set", DOMAIN, "--joiner", "+"], 0, "separator (joiner)   +\n");
    let shown =
        "apps                 live, vod\nseparator (joiner)   +\nrendition templates  lud\nconcurrent pushes    true\n";
    run(&home, &["show", DOMAIN], 0, shown);
    run(&home, &["set", DOMAIN, "--concurrent-pushes=false", "--app", "live"], 0, "apps                 live\n");
    run(&home, &["show", DOMAIN], 0, "rendition templates  lud\nconcurrent pushes    false\n");
    run(&home, &["set", DOMAIN, "--reset=apps,rendition-templates"], 0, "apps                 all\n");
    run(
        &home,
        &["set", DOMAIN, "--unsigned"],
        0,
        "signature            none\napps                 all\nseparator (joiner)   +\n",
    );
    run(&home, &["set", DOMAIN, "--reset=signature"], 0, "signature            required\n");
    run(
        &home,
        &["set", DOMAIN, "--reset", "--app", "live"],
        0,
        "apps                 live\nseparator (joiner)   nothing\n",
    );
    run(&home, &["set", DOMAIN], 2, "name a setting to change");
}

#[test]
fn what_cannot_be_undone_needs_a_yes_without_a_terminal() {
    let home = Home::new(User::Ourselves);
    run(&home, &["add", DOMAIN], 0, "is registered");
    let (_, ids) = home.run(&["domain", "show", DOMAIN]);
    let key = ids.lines().find_map(|line| line.strip_prefix("key                  ")).unwrap()[..8].to_owned();
    run(&home, &["callback-token", DOMAIN], 0, "/callbacks/huawei/");
    let asks = "Without a terminal, give --yes to confirm";
    run(&home, &["callback-token", DOMAIN], 2, asks);
    run(&home, &["key", "rm", DOMAIN, &key], 2, asks);
    run(&home, &["rm", DOMAIN], 2, asks);
    run(&home, &["show", DOMAIN], 0, &key);
    run(&home, &["key", "rm", DOMAIN, "zzzz", "--yes"], 1, "key not found; `domain show push.example.com` lists all");
    run(&home, &["key", "rm", DOMAIN, &key, "-y"], 0, "rejected from now on");
    run(&home, &["rm", DOMAIN, "-y"], 0, "its history stays");
}
