//! `export` and `import`, as an operator runs them.

use std::fs::File;
use std::process::Stdio;

use test_support::home::{Home, User, finish};

/// A command's exit status and standard output, its standard input from a file.
fn import(home: &Home, log: &File) -> (i32, String) {
    let mut command = home.program();
    command.arg("import").arg("--data-dir").arg(home.data_dir()).stdin(log.try_clone().expect("the file again"));
    finish(&mut command)
}

#[test]
fn a_log_that_one_installation_exports_another_imports_and_bills_alike() {
    let (home, other) = (Home::new(User::Ourselves), Home::new(User::Ourselves));
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let url = service.url();
    let started = (streamtally::platform::clock::now().timestamp() - 60).to_string();
    for event in ["start", "end"] {
        let send = ["send", event, "--domain", "push.example.com", "--stream", "room", "--url", &url, "--wait"];
        assert_eq!(home.run(&[&send[..], &["--publish-timestamp", &started]].concat()).0, 0);
    }
    let path = home.path().join("log.ndjson");
    let mut export = home.program();
    export.arg("export").arg("--data-dir").arg(home.data_dir());
    export.stdout(File::create(&path).expect("a file")).stderr(Stdio::piped());
    let exported = export.output().expect("an export");
    assert_eq!(String::from_utf8_lossy(&exported.stderr), "2 events exported\n");
    assert!(exported.status.success());

    let again = || File::open(&path).expect("the log");
    let (status, printed) = import(&other, &again());
    assert_eq!((status, printed.as_str()), (0, "2 events imported and folded; 0 existed already\n"));
    let (status, printed) = import(&other, &again());
    assert_eq!((status, printed.as_str()), (0, "0 events imported and folded; 2 existed already\n"));

    let report = |home: &Home, as_of: &str| {
        let period = ["--from", "2026-01-01", "--to", "2099-01-01", "--group-by", "stream", "--as-of", as_of];
        home.run(&[&["report", "push-duration"], &period[..]].concat())
    };
    let as_of = streamtally::platform::clock::now().to_rfc3339();
    let (status, bill) = report(&home, &as_of);
    assert!(status == 0 && bill.contains("room"), "{bill}");
    assert_eq!(report(&other, &as_of), (status, bill));
    assert!(other.run(&["rebuild", "--verify"]).1.contains("every row matches the log"));

    let (status, printed) = import(&other, &File::open(file!()).expect("this file"));
    assert_eq!(status, 1);
    assert!(printed.contains("this is not an exported log"), "{printed}");
}
