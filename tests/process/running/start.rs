//! First and later starts.

use std::{fs, os::unix::ffi::OsStrExt};

use test_support::home::{Home, User, is_root, mode_of, owner_of, wait_for};

#[test]
fn a_first_start_makes_a_durable_database_on_a_socket_alone() {
    check_first_start(User::Ourselves);
}

#[test]
fn an_ordinary_user_gets_the_same_database() {
    check_first_start(User::Ordinary);
}

fn check_first_start(user: User) {
    let home = Home::new(user);
    let service = home.serve();
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("max_connections", "100"),
        ("jit", "off"),
    ] {
        assert_eq!(service.sql(&format!("show {setting}")), value, "{setting}");
    }
    let locale = "select datcollate, datctype from pg_database where datname = current_database()";
    assert_eq!(service.sql(locale), "C|C");
    assert_eq!(service.sql("select current_user, current_database()"), "streamtally|streamtally");
    let rights = "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles";
    assert_eq!(service.sql(&format!("{rights} where rolname = current_user")), "f|f|f|f|f");
    let master_key = home.data_dir().join("master-key");
    for statement in [
        format!("select pg_read_file('{}')", master_key.display()),
        "copy (select 1) to program 'true'".to_owned(),
        "set role postgres".to_owned(),
    ] {
        let output = service.psql(&statement).output().expect("psql");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("permission denied") || told.contains("must be superuser"), "{statement}: {output:?}");
    }
    let as_superuser = service.psql_as("postgres", "select 1").output().expect("psql");
    assert!(String::from_utf8_lossy(&as_superuser.stderr).contains("authentication failed"), "{as_superuser:?}");

    let data_dir = home.data_dir();
    assert_eq!(fs::read_to_string(data_dir.join("lock")).expect("a lock file"), format!("{} serve\n", service.pid()));
    assert!(service.log().contains("database system is ready to accept connections"));
    assert!(!data_dir.join("postgres.new").exists());
    assert_eq!(mode_of(&service.pgdata()), 0o700);
    assert_eq!(mode_of(&service.socket_dir()), 0o700);
    assert_eq!(mode_of(&data_dir.join("postgres.log")), 0o600);
    let by_root = user == User::Ourselves && is_root();
    assert_eq!(mode_of(&data_dir), if by_root { 0o711 } else { 0o700 });
    // The folder stays the service's own, whoever the server is.
    assert_eq!(owner_of(&data_dir) == owner_of(&service.pgdata()), !by_root);
    assert_ne!(owner_of(&service.pgdata()), 0);
    service.stop();
}

#[test]
#[cfg(target_os = "linux")]
fn the_server_of_root_keeps_none_of_its_privileges() {
    if !is_root() {
        return;
    }
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let pid = service.running_server();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert!(field("Uid:").split_whitespace().chain(field("Gid:").split_whitespace()).all(|id| id != "0"), "{status}");
    assert_eq!(field("Groups:"), "", "{status}");
    assert_eq!(field("CapEff:").trim_start_matches('0'), "", "{status}");
}

#[test]
fn data_survives_a_restart() {
    check_restart(User::Ourselves);
}

#[test]
fn data_of_an_ordinary_user_survives_a_restart() {
    check_restart(User::Ordinary);
}

fn check_restart(user: User) {
    let home = Home::new(user);
    let service = home.serve();
    service.sql("create table kept as select 42 as answer");
    service.stop();
    let service = home.serve();
    assert_eq!(service.sql("select answer from kept"), "42");
    service.stop();
}

#[test]
fn a_folder_of_an_ordinary_user_is_served_by_root_as_that_user() {
    if !is_root() {
        return;
    }
    let ordinary = Home::new(User::Ordinary);
    let root = Home::new(User::Ourselves);
    let data_dir = ordinary.make_folder("theirs");
    let service = root.serve_in(&data_dir);
    assert_eq!(owner_of(&service.pgdata()), owner_of(&data_dir));
    service.sql("create table kept as select 42 as answer");
    service.stop();
    let service = ordinary.serve_in(&data_dir);
    assert_eq!(service.sql("select answer from kept"), "42");
    service.stop();
}

#[test]
fn a_folder_too_deep_for_a_socket_gets_a_short_one_while_it_runs() {
    let home = Home::new(User::Ourselves);
    let data_dir = home.path().join("work").join("d".repeat(100));
    assert!(data_dir.as_os_str().as_bytes().len() > 107);
    let service = home.serve_in(&data_dir);
    let socket_dir = service.socket_dir();
    assert!(!socket_dir.starts_with(&data_dir));
    assert_eq!(mode_of(&socket_dir), 0o700);
    assert_eq!(owner_of(&socket_dir), owner_of(&service.pgdata()));
    assert_eq!(service.sql("select 1"), "1");
    service.stop();
    assert!(!socket_dir.exists());
}

#[test]
fn a_folder_may_have_any_name() {
    let home = Home::new(User::Ourselves);
    let data_dir = home.path().join("work/a, \"b\" 'c' $d \\e ü");
    let service = home.serve_in(&data_dir);
    // No SQL here: psql takes a comma for the end of a host.
    assert_eq!(service.socket_dir(), data_dir.join("socket"));
    service.stop();
}

#[test]
fn an_unfinished_database_is_made_anew() {
    let home = Home::new(User::Ourselves);
    let unfinished = home.make_folder("work/data").join("postgres.new");
    fs::create_dir_all(unfinished.join("base/1")).unwrap();
    fs::write(unfinished.join("PG_VERSION"), "15\n").unwrap();
    let service = home.serve();
    assert!(!unfinished.exists());
    assert_eq!(service.sql("select 1"), "1");
    service.stop();
}

#[test]
fn a_kill_while_the_database_is_made_heals() {
    let home = Home::new(User::Ourselves);
    let new = home.data_dir().join("postgres.new");
    // In the middle of initdb, and when it is done but our database is not there.
    for step in ["PG_VERSION", "base/1/PG_VERSION", "base/5/PG_VERSION"] {
        let mut service = home.launch(&home.data_dir(), |_| {});
        let reached = || new.join(step).exists() || home.data_dir().join("postgres").exists();
        wait_for("the making of the database", reached);
        service.kill();
    }
    let service = home.serve();
    assert_eq!(service.sql("select current_database()"), "streamtally");
    service.stop();
}
