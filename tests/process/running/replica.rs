//! Queries on a replica: a real one, that lags when it is told to.

use std::{fs, process::Command};

use serde_json::Value;
use streamtally::platform::clock;
use test_support::home::{Bystander, Home, User, owner_of, program, run_as, set_mode, wait_for};
use test_support::service::Service;

/// A standby server that follows a service's private one.
struct Replica {
    sockets: String,
    _server: Bystander,
}

impl Replica {
    fn of(home: &Home, service: &Service) -> Self {
        let (pgdata, owner) = (service.pgdata(), owner_of(&service.pgdata()));
        service.let_be_any_role();
        let folder = home.path().join("replica");
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(owner), Some(owner)).unwrap();
        set_mode(&folder, 0o755);
        let data = folder.join("data");
        let mut copy = Command::new(program("pg_basebackup"));
        copy.args(["--username", "postgres", "--checkpoint", "fast", "--write-recovery-conf", "--pgdata"]).arg(&data);
        copy.env("PGHOST", service.socket_dir()).current_dir("/");
        assert!(run_as(&mut copy, Some(owner)).status().unwrap().success());
        let mut server = Command::new(program("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&folder).args([
            "-c",
            "listen_addresses=",
            "-c",
            "max_connections=100",
        ]);
        for (setting, file) in [("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf")] {
            server.arg("-c").arg(format!("{setting}={}", home.data_dir().join(file).display()));
        }
        let server = Bystander::spawn(run_as(server.current_dir("/"), Some(owner)));
        let replica = Self { sockets: folder.display().to_string(), _server: server };
        wait_for("a replica that answers", || replica.try_sql("select pg_is_in_recovery()").as_deref() == Some("t"));
        assert_ne!(pgdata, data);
        replica
    }

    fn try_sql(&self, statement: &str) -> Option<String> {
        let mut psql = Command::new(program("psql"));
        psql.env_clear().env("PGHOST", &self.sockets);
        let output = psql.args(["-XAtq", "-U", "postgres", "-d", "streamtally", "-c", statement]).output().unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }
}

fn url_of(sockets: &str) -> String {
    format!("postgres://streamtally@localhost/streamtally?host={}", sockets.replace('/', "%2F"))
}

fn get(url: &str, token: &str) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
        answer.json().await.unwrap()
    })
}

/// The streams that a service lists, and the moment that this is of.
fn sessions(service: &Service, token: &str) -> (Vec<String>, String) {
    let page = get(&format!("{}/v1/sessions", service.url()), token);
    let streams = page["data"].as_array().unwrap().iter().map(|session| session["stream"].as_str().unwrap().to_owned());
    (streams.collect(), page["as_of"].as_str().unwrap().to_owned())
}

#[test]
fn what_is_read_from_a_replica_says_of_which_moment_it_is() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let replica = Replica::of(&home, &service);
    let secret = |name: &str| fs::read_to_string(home.data_dir().join(name)).unwrap().trim_end().to_owned();
    let token = secret("admin-token");
    let token_of_report = token.clone();
    let mut reader = home.launch(&home.path().join("work/reader"), |command| {
        command.env("DATABASE_URL", url_of(&service.socket_dir().display().to_string()));
        command.env("STREAMTALLY_READ_DATABASE_URL", url_of(&replica.sockets));
        command.env("STREAMTALLY_MASTER_KEY", secret("master-key")).env("STREAMTALLY_ADMIN_TOKEN", &token);
        command.args(["--roles", "api"]);
    });
    reader.wait_ready();
    // A push that began in this very second counts for no report yet.
    let started = (clock::now().timestamp() - 60).to_string();
    let send = |stream: &str| {
        let url = service.url();
        let send = ["send", "start", "--domain", "push.example.com", "--stream", stream, "--url", &url, "--wait"];
        let (status, printed) = home.run(&[&send[..], &["--publish-timestamp", &started]].concat());
        assert_eq!(status, 0, "{printed}");
    };
    send("before");
    wait_for("a session on the replica", || sessions(&reader, &token).0 == ["before"]);

    replica.try_sql("select pg_wal_replay_pause()").unwrap();
    wait_for("a replica that stands still", || {
        replica.try_sql("select pg_get_wal_replay_pause_state()").as_deref() == Some("paused")
    });
    send("after");
    let recorded = "select max(recorded_at) at time zone 'UTC' from log_entry";
    let recorded = format!("{}Z", service.sql(recorded).replace(' ', "T"));
    let (streams, as_of) = sessions(&reader, &token);
    assert_eq!(streams, ["before"]);
    let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
    assert!(time(&as_of) < time(&recorded), "{as_of} is before {recorded}, which is not in the answer");

    // A report is of now, and waits until the replica has come to it.
    let url = format!("{}/v1/reports/push-duration?from=2026-01-01&to=2099-01-01", reader.url());
    let report = std::thread::spawn(move || get(&url, &token_of_report));
    let closed = "select min(recorded_at) > (select max(recorded_at) from log_entry) from shard_head";
    wait_for("a report that has closed its moment", || service.sql(closed) == "t");
    replica.try_sql("select pg_wal_replay_resume()").unwrap();
    assert_eq!(report.join().unwrap()["totals"]["sessions"], 2);
    wait_for("the other session on the replica", || sessions(&reader, &token).0.len() == 2);
}
