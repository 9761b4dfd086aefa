//! The limit of open files.

use std::process::Command;

use test_support::home::{Home, User, finish};

#[test]
fn as_many_files_may_be_open_as_the_hard_limit_allows_and_too_few_are_told() {
    let home = Home::new(User::Ourselves);
    let start = |max_connections: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 300 && ulimit -Hn 4000 && exec \"$@\"", "sh"]);
        command.arg(env!("CARGO_BIN_EXE_streamtally")).args(["serve", "--max-connections", max_connections]);
        // It ends at this, after the limits.
        command.arg("--data-dir").arg(home.data_dir()).args(["--database-url", "mysql://nothing"]);
        finish(&mut command)
    };
    let (status, printed) = start("20000");
    assert_eq!(status, 1, "{printed}");
    assert!(
        printed.contains("the limit of open files is too low") && printed.contains("limit=4000 needed=40512"),
        "{printed}"
    );
    let (status, printed) = start("1000");
    assert_eq!(status, 1, "{printed}");
    assert!(!printed.contains("the limit of open files"), "{printed}");
}
