//! A process of one version, while a process of the next one changes the schema of their database.

use std::thread;

use reqwest::Method;
use sqlx::{Connection, PgConnection};
use test_support::home::{Home, User, finish, wait_for};
use test_support::messages::{DOMAIN, KEY, Push};
use test_support::service::Service;

use super::{Caller, serve, url_of};

/// What a newer version may do to the schema: it adds a column to each table, and a migration that this program does not know.
const NEXT_VERSION: &str = "
    do $$
    declare
        name text;
    begin
        for name in
            select c.oid::regclass::text from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                and c.relname <> '_sqlx_migrations'
        loop
            execute format('alter table %s add column next_version text not null default ''next''', name);
        end loop;
    end
    $$;
    insert into _sqlx_migrations (version, description, success, checksum, execution_time)
    values (99991231235959, 'next version', true, '\\x00', 0)";

#[test]
fn a_process_works_on_while_a_newer_version_changes_the_schema() {
    let home = Home::new(User::Ourselves);
    let service = serve(&home, &home.data_dir(), &[("STREAMTALLY_SUPERSEDE_AFTER", "1s")]);
    let caller = Caller::of(&service);
    register(&caller);
    use_everything(&caller, "before");
    service.sql(NEXT_VERSION);
    use_everything(&caller, "after");
    use_everything(&caller, "later");
    assert!(!service.stderr().contains("ERROR"), "{}", service.stderr());

    let (status, printed) = home.run(&["rebuild", "--verify"]);
    assert!(status == 1 && printed.contains("of a newer version than this program"), "{printed}");
    refuse_to_start(&home, &service);
    service.stop();
}

#[test]
fn callbacks_are_answered_and_queries_wait_while_a_migration_holds_the_tables() {
    let home = Home::new(User::Ourselves);
    let service = serve(&home, &home.data_dir(), &[]);
    let caller = Caller::of(&service);
    register(&caller);
    let runtime = &caller.runtime;
    let mut migration = runtime.block_on(PgConnection::connect(&url_of(&service, "streamtally"))).unwrap();
    let mut run =
        |statements: &'static str| runtime.block_on(sqlx::raw_sql(statements).execute(&mut migration)).unwrap();
    run("begin");
    run(NEXT_VERSION);

    let pushes = ["first", "second", "third"].map(|stream| Push::of(stream, 60));
    for push in &pushes {
        caller.ask(Method::POST, "/callbacks/huawei", Some(push.start().to_string()));
    }
    thread::scope(|scope| {
        let live = scope.spawn(|| Caller::of(&service).get("/v1/live"));
        let waiting = "select count(*) from pg_locks where not granted and relation = 'stream_session'::regclass";
        wait_for("a query that waits", || service.sql(waiting) != "0");
        run("commit");
        live.join().unwrap();
    });
    for push in &pushes {
        wait_for("a session", || caller.session(&push.stream)["status"] == "live");
    }
    service.stop();
}

/// Another process of this version does not start on the newer schema.
fn refuse_to_start(home: &Home, service: &Service) {
    service.let_be_any_role();
    let mut serve = home.program();
    let key = std::fs::read_to_string(home.data_dir().join("master-key")).unwrap();
    serve.env("STREAMTALLY_MASTER_KEY", key.trim_end()).env("DATABASE_URL", url_of(service, "streamtally"));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(home.path().join("work/other"));
    let (status, printed) = finish(&mut serve);
    assert!(status == 1 && printed.contains("of a newer version than this program"), "{printed}");
}

fn register(caller: &Caller) {
    caller.ask(Method::PUT, &format!("/v1/domains/{DOMAIN}"), Some("{}".to_owned()));
    caller.ask(Method::POST, &format!("/v1/domains/{DOMAIN}/keys"), Some(format!(r#"{{"key":"{KEY}"}}"#)));
}

/// Receives, folds, changes and reads everything once.
fn use_everything(caller: &Caller, stream: &str) {
    let post = |path: &str, body: &str| caller.ask(Method::POST, path, Some(body.to_owned()));
    let whole = Push::of(stream, 90);
    let open = Push::of(&format!("{stream}-open"), 60);
    for message in [whole.start(), whole.end(), open.start()] {
        post("/callbacks/huawei", &message.to_string());
    }
    wait_for("the sessions", || {
        caller.session(stream)["status"] == "ended" && caller.session(&open.stream)["status"] == "live"
    });
    let session = caller.session(&open.stream);
    let session_id = session["session_id"].as_str().unwrap();
    let stream_id = session["stream_id"].as_str().unwrap();
    post(&format!("/v1/sessions/{session_id}/confirm"), r#"{"reason":"the encoder is sending"}"#);
    post(
        &format!("/v1/sessions/{session_id}/end"),
        &format!(r#"{{"ended_at":{},"reason":"it is off"}}"#, session["started_at"]),
    );
    wait_for("the operator's end", || caller.session(&open.stream)["status"] == "ended");
    post("/v1/tokens", &format!(r#"{{"name":"{stream}","scopes":["read"]}}"#));
    post("/v1/sealed-reports", r#"{"from":"2026-10-01","to":"2026-11-01","time_zone":"UTC","group_by":"domain"}"#);
    let month = "from=2026-10-01&to=2099-01-01&time_zone=UTC";
    for path in [
        "/v1/live",
        "/v1/live?group_by=domain,app",
        "/v1/sessions?include_total=true",
        "/v1/sessions?status=live&sort=started_at",
        &format!("/v1/sessions/{session_id}"),
        &format!("/v1/sessions/{session_id}/events"),
        "/v1/streams?search=after",
        &format!("/v1/streams/{stream_id}"),
        &format!("/v1/broadcasts?domain={DOMAIN}&app=live&stream={stream}"),
        "/v1/events",
        "/v1/domains",
        &format!("/v1/domains/{DOMAIN}"),
        "/v1/tokens",
        "/v1/audit",
        "/v1/rejections",
        "/v1/rejections/kept",
        "/v1/sealed-reports",
        &format!("/v1/reports/push-duration?{month}&group_by=domain,app,stream"),
        &format!("/v1/reports/push-duration/sessions?{month}"),
        "/v1/reports/concurrency?from=2026-10-01&to=2026-10-02&time_zone=UTC&step=1h",
    ] {
        caller.get(path);
    }
}
