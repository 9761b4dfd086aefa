//! The limit of open files.

use std::fs;
use std::process::Command;

use test_support::home::{Home, User, finish};

#[test]
fn as_many_files_may_be_open_as_the_hard_limit_allows_and_too_few_are_told() {
    let home = Home::new(User::Ourselves);
    let taken = home.make_folder("taken");
    fs::write(taken.join("file"), "").unwrap();
    let start = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 300 && ulimit -Hn 4000 && exec \"$@\"", "sh"]);
        command.arg(env!("CARGO_BIN_EXE_streamtally")).arg("serve").args(arguments);
        // It ends at the folder or the database, after the limits.
        command.arg("--data-dir").arg(&taken);
        let (status, printed) = finish(&mut command);
        assert_eq!(status, 1, "{printed}");
        printed
    };
    let printed = start(&["--max-connections", "20000", "--database-url", "mysql://nothing"]);
    assert!(
        printed.contains("the limit of open files is too low") && printed.contains("limit=4000 needed=40512"),
        "{printed}"
    );
    let printed = start(&["--max-connections", "1000", "--database-url", "mysql://nothing"]);
    assert!(!printed.contains("the limit of open files"), "{printed}");
    let printed = start(&["--demo"]);
    assert!(!printed.contains("the limit of open files"), "{printed}");
}
