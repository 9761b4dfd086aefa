//! Folders and machines that will not do: status 1, and words that say what to do.

use std::{fs, os::unix::fs::chown, path::Path};

use test_support::home::{Home, User, is_root, set_mode};

#[test]
fn a_second_service_is_refused_and_the_first_unharmed() {
    let home = Home::new(User::Ourselves);
    let mut first = home.serve();
    let server = first.server_pid();
    let data_dir = home.data_dir();
    home.assert_refused(&data_dir, &[&first.pid().to_string(), &data_dir.to_string_lossy()]);
    assert_eq!(first.server_pid(), server);
    first.wait_ready();
    assert_eq!(first.sql("select 1"), "1");
    first.stop();
}

#[test]
fn without_an_installation_the_way_out_is_told() {
    let home = Home::new(User::Ourselves);
    let empty = home.make_folder("empty");
    let hide = |command: &mut std::process::Command| {
        command.env("STREAMTALLY_PG_BIN", &empty);
    };
    let words = ["STREAMTALLY_PG_BIN", &empty.to_string_lossy(), "install", "DATABASE_URL"];
    home.assert_refused_with(&home.data_dir(), hide, &words);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let home = Home::new(User::Ordinary);
    let closed = home.make_folder("closed");
    if is_root() {
        chown(&closed, Some(0), Some(0)).unwrap();
    }
    set_mode(&closed, 0o555);
    let below = closed.join("data");
    home.assert_refused(&closed, &["cannot write", &closed.to_string_lossy(), "--data-dir"]);
    home.assert_refused(&below, &["cannot create", &below.to_string_lossy(), "--data-dir"]);
    set_mode(&closed, 0o755);
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_even_root_cannot_make_is_named() {
    let home = Home::new(User::Ourselves);
    let impossible = Path::new("/proc/streamtally/data");
    home.assert_refused(impossible, &["cannot create", "/proc/streamtally/data", "--data-dir"]);
}

#[test]
fn a_file_is_no_folder() {
    let home = Home::new(User::Ourselves);
    let file = home.path().join("work/file");
    fs::write(&file, "precious").unwrap();
    let words = [&*file.to_string_lossy(), "Not a directory"];
    home.assert_refused(&file, &words);
    home.assert_refused(&file.join("data"), &words);
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn a_closed_folder_above_the_data_is_named_to_root() {
    if !is_root() {
        return;
    }
    let home = Home::new(User::Ourselves);
    let closed = home.make_folder("closed");
    set_mode(&closed, 0o700);
    let words = ["may not enter", &closed.to_string_lossy(), "--data-dir"];
    home.assert_refused(&closed.join("data"), &words);
    assert!(!closed.join("data").exists());
    // Nor is a closed folder opened that is in use for other things.
    fs::write(closed.join("other"), "").unwrap();
    home.assert_refused(&closed, &words);
    // An empty one, such as `mktemp -d` makes, is for us.
    fs::remove_file(closed.join("other")).unwrap();
    home.serve_in(&closed).stop();
}

#[test]
fn data_of_a_version_that_is_not_installed_is_told_apart() {
    let home = Home::new(User::Ordinary);
    home.make_folder("work/data");
    let pgdata = home.make_folder("work/data/postgres");
    fs::write(pgdata.join("PG_VERSION"), "99\n").unwrap();
    home.assert_refused(&home.data_dir(), &["PostgreSQL 99", &pgdata.to_string_lossy()]);
    fs::write(pgdata.join("PG_VERSION"), "12\n").unwrap();
    home.assert_refused(&home.data_dir(), &["PostgreSQL 12", "too old"]);
    fs::remove_file(pgdata.join("PG_VERSION")).unwrap();
    fs::write(pgdata.join("other"), "").unwrap();
    home.assert_refused(&home.data_dir(), &["no database", &pgdata.to_string_lossy()]);
    assert!(pgdata.join("other").exists());
}

#[test]
fn a_user_without_a_name_is_told_so() {
    if !is_root() {
        return;
    }
    let home = Home::new(User::Nameless);
    home.assert_refused(&home.data_dir(), &["54321", "/etc/passwd", "DATABASE_URL"]);
}
