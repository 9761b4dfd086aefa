//! `database`: other programs on the private database.

use test_support::home::{Home, User, finish};

#[test]
fn a_program_finds_the_private_database_whether_the_service_runs_or_not() {
    let home = Home::new(User::Ourselves);
    let run = |program: &[&str]| {
        let mut command = home.program();
        command.args(["database", "--data-dir"]).arg(home.data_dir()).args(program);
        finish(&mut command)
    };
    let tables = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", "--command"];
    let count = [&tables[..], &["select count(*) from pg_tables where tablename = 'log_entry'"]].concat();
    // One to restore into.
    assert_eq!(run(&count), (0, "0\n".to_owned()));
    let service = home.serve();
    assert_eq!(run(&count), (0, "1\n".to_owned()));
    service.stop();
    assert_eq!(run(&count), (0, "1\n".to_owned()));
    let (status, printed) = run(&["sh", "-c", "exit 3"]);
    assert_eq!((status, printed.as_str()), (3, "error: sh ended with exit status: 3\n"));
    // Not a setting of ours.
    let (status, printed) = run(&["echo", "--config=elsewhere"]);
    assert_eq!((status, printed.as_str()), (0, "--config=elsewhere\n"));
    let (status, printed) = run(&["no-such-program"]);
    assert!(status == 1 && printed.contains("failed to run no-such-program"), "{printed}");
}

#[test]
fn a_database_that_is_named_needs_no_help() {
    let home = Home::new(User::Ourselves);
    let mut command = home.program();
    command.args(["database", "psql"]).env("DATABASE_URL", "postgres://me:hush@127.0.0.1/streams");
    let (status, printed) = finish(&mut command);
    assert_eq!(status, 2);
    assert!(printed.contains("DATABASE_URL") && !printed.contains("hush"), "{printed}");
}
