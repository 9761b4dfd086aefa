//! What `scripts/record-release` has recorded of each release is upgraded to this version.

use std::{
    fs,
    path::{Path, PathBuf},
};

use reqwest::Method;
use serde_json::Value;
use test_support::home::{Home, User, finish, wait_for};
use test_support::service::Service;

use super::{Caller, serve, url_of};

#[test]
fn each_release_is_upgraded_and_answers_as_it_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/releases");
    let mut releases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    releases.sort();
    assert!(!releases.is_empty());
    for release in releases {
        eprintln!("{}", release.display());
        check_upgrade(&release);
    }
}

#[test]
fn a_database_from_before_the_first_release_is_refused_as_it_is() {
    let home = Home::new(User::Ourselves);
    assert_eq!(home.run(&["migrate"]).0, 0);
    // Until then, migrations were edited.
    let edit =
        "update _sqlx_migrations set checksum = '\\x00' where version = (select min(version) from _sqlx_migrations)";
    let mut psql = home.program();
    psql.args(["database", "--data-dir"]).arg(home.data_dir()).args(["psql", "-c", edit]);
    assert_eq!(finish(&mut psql), (0, "UPDATE 1\n".to_owned()));
    let told = "created by a version before 0.1.0, which cannot be upgraded";
    home.assert_refused(&home.data_dir(), &[told]);
    for command in [["domain", "list"], ["token", "list"]] {
        let (status, printed) = home.run(&command);
        assert!(status == 1 && printed.contains(told), "{printed}");
    }
}

fn check_upgrade(release: &Path) {
    let home = Home::new(User::Ourselves);
    let server = home.serve();
    let url = restore(&server, &release.join("database.sql"));
    let data_dir = home.path().join("work/upgraded");
    copy_files(&release.join("data"), &data_dir);
    let run = |arguments: &[&str]| {
        let mut command = home.program();
        command.env("DATABASE_URL", &url).args(arguments).arg("--data-dir").arg(&data_dir);
        let (status, printed) = finish(&mut command);
        assert_eq!(status, 0, "{arguments:?}: {printed}");
    };
    run(&["migrate"]);
    run(&["rebuild", "--verify"]);

    let service = serve(&home, &data_dir, &[("DATABASE_URL", &url)]);
    let caller = Caller::of(&service);
    let expected = |name: &str| fs::read_to_string(release.join("expected").join(name)).unwrap();
    let json = |name: &str| serde_json::from_str::<Value>(&expected(name)).unwrap();
    let paths = json("paths.json");
    assert_eq!(caller.get(paths["report"].as_str().unwrap()), json("report.json"));
    assert_eq!(caller.ask(Method::GET, paths["sealed"].as_str().unwrap(), None), expected("sealed.csv"));
    for session in json("sessions.json").as_array().unwrap() {
        let found = caller.get(&format!("/v1/sessions/{}", session["session_id"].as_str().unwrap()));
        for (member, value) in session.as_object().unwrap() {
            assert_eq!(found[member], *value, "{member} of {session}");
        }
    }
    wait_for("the callbacks of the spool", || caller.session("spooled")["status"] == "ended");
    service.stop();
    run(&["rebuild", "--verify"]);
    server.stop();
}

/// Restores a dump into a new database of a server; its address.
fn restore(server: &Service, dump: &Path) -> String {
    server.let_be_any_role();
    let create = "create database upgraded owner streamtally";
    assert!(server.psql_as("postgres", create).status().unwrap().success());
    let url = url_of(server, "upgraded");
    let mut psql = server.psql("select 1");
    // The last database that is named counts.
    let (status, printed) = finish(psql.args(["-d", "upgraded", "-o", "/dev/null", "-f"]).arg(dump));
    assert_eq!(status, 0, "{printed}");
    url
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let to = to.join(entry.file_name());
        if path.is_dir() {
            copy_files(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
            test_support::home::set_mode(&to, 0o600);
        }
    }
    test_support::home::set_mode(to, 0o700);
}
