//! Metrics, and all that is made of them: documents, alerts, panels. None may speak of what is not served.

use test_support::home::{Home, User, wait_for};
use test_support::service::Service;

mod expressions;
mod scrape;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::{fs, io};

use streamtally::huawei::composing::{Message, Signing, compose};
use streamtally::huawei::notification::Event;
use streamtally::huawei::signature::SigningKey;
use streamtally::model::access::FieldSeparator;
use streamtally::platform::clock;

use scrape::Scrape;

const DOMAIN: &str = "push.example.com";

/// Names that are Prometheus' own.
const OF_PROMETHEUS: [&str; 1] = ["up"];

/// Labels that Prometheus adds.
const BY_PROMETHEUS: [&str; 2] = ["job", "instance"];

/// What a service with all roles serves.
struct Served {
    /// When it has started, with a push that is live and a message that waits in quarantine.
    at_start: Scrape,
    /// After one of each: a message that counts, that waits, that is not the provider's, that expires too late, that is none
    /// at all, requests that are no message, and a report.
    at_end: Scrape,
}

static SERVED: LazyLock<Served> = LazyLock::new(|| {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let key = register(&home);
    wait_for("a domain that is in effect", || post(&service, &key, "late", -700) == 200);
    let send = ["send", "start", "--domain", DOMAIN, "--stream", "room", "--url", &service.url(), "--wait"];
    assert_eq!(home.run(&send).0, 0);
    service.stop();

    let service = home.serve();
    // What is looked at last.
    wait_for("a look at the service", || scrape(&service).names().contains("streamtally_never_heard_domains"));
    let at_start = scrape(&service);
    assert_eq!(post(&service, &key, "other", 60), 200);
    assert_eq!(post(&service, &key, "late too", -700), 200);
    assert_eq!(post(&service, "0123456789abcdef0123456789abcdef", "forged", 60), 401);
    assert_eq!(post(&service, &key, "far", 2 * 86_400), 401);
    assert!(service.ask("POST", "/callbacks/huawei", "not JSON").starts_with("HTTP/1.1 400 "));
    for method in ["GET", "HEAD"] {
        assert!(service.ask(method, "/callbacks/huawei", "").starts_with("HTTP/1.1 405 "));
    }
    assert!(service.ask("POST", "/callbacks/hauwei", "{}").starts_with("HTTP/1.1 404 "));
    let token = fs::read_to_string(home.data_dir().join("admin-token")).expect("a token");
    let report = ["report", "push-duration", "--from", "2026-01-01", "--to", "2099-01-01", "--url", &service.url()];
    let (status, printed) = home.run(&[&report[..], &["--token", token.trim()]].concat());
    assert_eq!(status, 0, "{printed}");
    let at_end = scrape(&service);
    service.stop();
    Served { at_start, at_end }
});

/// Registers the domain: its key.
fn register(home: &Home) -> String {
    let (status, printed) = home.run(&["domain", "add", DOMAIN]);
    assert_eq!(status, 0, "{printed}");
    printed.trim_end().rsplit(' ').next().expect("a key").to_owned()
}

/// Sends the start of a push that began just now, signed so that it expires that many seconds from now: the status of the
/// answer.
fn post(service: &Service, key: &str, stream: &str, expires_in: i64) -> u16 {
    post_begun(service, key, stream, 0, expires_in)
}

/// The same of a push that began so many seconds ago.
fn post_begun(service: &Service, key: &str, stream: &str, ago: i64, expires_in: i64) -> u16 {
    let (key, now) = (SigningKey::new(key), clock::now().timestamp());
    let auth_timestamp = now + expires_in;
    let message = Message {
        domain: DOMAIN,
        app: "live",
        stream,
        user_args: "",
        client_ip: "192.0.2.1",
        node_ip: "192.0.2.2",
        publish_timestamp: now - ago,
        event: &Event::Publish,
    };
    let signing = Signing { key: &key, joiner: FieldSeparator::default(), auth_timestamp };
    let answer = service.ask("POST", "/callbacks/huawei", &compose(&message, Some(signing)));
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn scrape(service: &Service) -> Scrape {
    let answer = service.ask("GET", "/metrics", "");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("text/plain; version=0.0.4"), "{head}");
    Scrape::of(body.to_owned())
}

/// A row of the table of metrics.
struct Documented {
    kind: String,
    labels: String,
    role: String,
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    fs::read_to_string(path).expect("the document")
});

fn documented() -> BTreeMap<&'static str, Documented> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `streamtally_"));
    let row = |line: &'static str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, role, ..] = cells[..] else { panic!("a short row: {line}") };
        let [kind, labels, role] = [kind, labels, role].map(str::to_owned);
        (name.trim_matches('`'), Documented { kind, labels, role })
    };
    rows.map(row).collect()
}

/// What stands between backticks.
fn words(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Runs promtool in the folder with what is to be had for monitoring, which it must find good.
#[track_caller]
fn assert_promtool_content(arguments: &[&str], input: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(arguments).current_dir(expressions::folder());
    let spawned = promtool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            panic!("promtool is not on PATH: scripts/test installs it, else take it from Debian's package prometheus")
        }
        spawned => spawned.expect("promtool"),
    };
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("its input");
    let output = child.wait_with_output().expect("promtool");
    let told = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&told));
}

#[test]
fn each_alert_fires_on_what_it_is_for_and_on_nothing_else() {
    assert_promtool_content(&["check", "config", "prometheus.yml"], "");
    assert_promtool_content(&["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"], "");
    assert_promtool_content(&["test", "rules", "alerts.test.yml"], "");
    let tests = fs::read_to_string(expressions::folder().join("alerts.test.yml")).unwrap();
    for rule in expressions::rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(tests.contains(&format!("{{alertname=\"{name}\",alertstate=\"firing\",")), "{name} is never tried");
        for told in ["summary", "description"] {
            assert!(rule["annotations"][told].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {told}");
        }
        let severity = &rule["labels"]["severity"];
        assert!(["critical", "warning"].iter().any(|known| severity == known), "{name}: {severity}");
    }
}

#[test]
fn metrics_are_as_prometheus_wants_them() {
    assert_promtool_content(&["check", "metrics"], &SERVED.at_end.text);
    assert!(SERVED.at_end.kinds.values().all(|kind| ["counter", "gauge", "histogram"].contains(&kind.as_str())));
}

#[track_caller]
fn assert_served(scrape: &Scrape, name: &str, labels: &[(&str, &str)], expected: f64) {
    let served = scrape.value(&format!("streamtally_{name}"), labels);
    assert!((served - expected).abs() < 0.5, "{name} {labels:?} is {served}, not {expected}");
}

#[test]
fn what_is_known_at_the_start_is_served_then() {
    let Served { at_start, .. } = &*SERVED;
    for (name, labels, expected) in [
        ("live_streams", &[][..], 1.0),
        ("live_sessions", &[], 1.0),
        ("unconfirmed_sessions", &[], 0.0),
        ("never_heard_domains", &[], 0.0),
        ("quarantine_waiting_messages", &[("reason", "expired")], 1.0),
        ("quarantine_waiting_messages", &[("reason", "start_outside_window")], 0.0),
        ("part_ready", &[("part", "database")], 1.0),
        ("part_ready", &[("part", "clock")], 1.0),
        ("part_ready", &[("part", "folding")], 1.0),
        ("database_clock_offset_seconds", &[], 0.0),
        ("log_ahead_seconds", &[], 0.0),
        ("part_ready", &[("part", "spool")], 1.0),
        ("pool_connections_max", &[("pool", "query")], 12.0),
        ("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0),
    ] {
        assert_served(at_start, name, labels, expected);
    }
    let connections = |state| at_start.value("streamtally_pool_connections", &[("pool", "work"), ("state", state)]);
    assert!(connections("in_use") + connections("idle") >= 1.0);
    for lag in ["streamtally_fold_lag_entries", "streamtally_fold_lag_seconds"] {
        assert!(at_start.value(lag, &[]) >= 0.0, "{lag} is known");
    }
}

#[test]
fn what_happens_is_counted_and_timed_from_nothing() {
    for (name, labels, expected) in [
        ("callbacks_total", &[("outcome", "accepted"), ("cause", "")][..], 1.0),
        ("callbacks_total", &[("outcome", "quarantined"), ("cause", "expired")], 1.0),
        ("callbacks_total", &[("outcome", "rejected"), ("cause", "signature_mismatch")], 1.0),
        ("callbacks_total", &[("outcome", "rejected"), ("cause", "expiry_too_far")], 1.0),
        ("callbacks_total", &[("outcome", "rejected"), ("cause", "unknown_domain")], 0.0),
        ("callbacks_total", &[("outcome", "malformed"), ("cause", "not_a_notification")], 1.0),
        ("callbacks_total", &[("outcome", "not_read"), ("cause", "wrong_method")], 2.0),
        ("callbacks_total", &[("outcome", "not_read"), ("cause", "wrong_path")], 1.0),
        ("callbacks_total", &[("outcome", "not_read"), ("cause", "too_large")], 0.0),
        ("callbacks_total", &[("outcome", "not_stored"), ("cause", "queue_full")], 0.0),
        ("callback_answer_seconds_count", &[("outcome", "accepted")], 1.0),
        ("callback_answer_seconds_count", &[("outcome", "rejected")], 2.0),
        ("append_entries_sum", &[], 2.0),
        ("report_seconds_count", &[("kind", "push_duration")], 1.0),
        ("report_seconds_count", &[("kind", "concurrency")], 0.0),
    ] {
        assert_served(&SERVED.at_start, name, labels, 0.0);
        assert_served(&SERVED.at_end, name, labels, expected);
    }
}

#[test]
fn ends_that_are_found_without_a_message_are_counted_by_kind() {
    let home = Home::new(User::Ourselves);
    let key = register(&home);
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(["--supersede-after", "1s"]);
    });
    service.wait_ready();
    for (ago, expires_in) in [(100, 60), (10, 61)] {
        assert_eq!(post_begun(&service, &key, "room", ago, expires_in), 200);
    }
    let found = |kind: &str| service.metric(&format!("streamtally_inferred_ends_total{{kind=\"{kind}\"}}"));
    wait_for("an end that is found", || found("superseded") == Some(1.0));
    assert_eq!(found("timed_out"), Some(0.0));
    service.stop();
}

#[test]
fn a_domain_from_which_nothing_came_is_counted_an_hour_after_its_registration() {
    let home = Home::new(User::Ourselves);
    register(&home);
    assert_eq!(home.run(&["domain", "add", "new.example.com"]).0, 0);
    let service = home.serve();
    service.sql(&format!("update ingest_domain set created_at = now() - interval '1 hour' where domain = '{DOMAIN}'"));
    wait_for("a look at the domains", || service.metric("streamtally_never_heard_domains") == Some(1.0));
    service.stop();
}

#[test]
fn only_verified_messages_tell_how_long_signatures_are_valid() {
    // One had expired, one had a minute, one two days; the forged one does not count.
    for (bound, messages) in
        [("-3600", 0.0), ("-600", 1.0), ("30", 1.0), ("60", 2.0), ("86400", 2.0), ("604800", 3.0), ("+Inf", 3.0)]
    {
        assert_served(&SERVED.at_end, "signature_remaining_seconds_bucket", &[("le", bound)], messages);
    }
}

#[test]
fn documented_are_the_metrics_that_are_served_and_no_others() {
    let (documented, served) = (documented(), &SERVED.at_end);
    let names: BTreeSet<_> = documented.keys().copied().collect();
    assert_eq!(names, served.names());
    let words_of_document = words(&DOCUMENT);
    for sample in &served.samples {
        let name = served.metric_of(&sample.name);
        let documented = &documented[name];
        assert_eq!(documented.kind, served.kinds[name], "{name}");
        for (label, value) in &sample.labels {
            if label == "le" {
                continue;
            }
            assert!(words(&documented.labels).contains(label.as_str()), "{name} has a label {label}");
            let is_known = value.is_empty() || words_of_document.contains(value.as_str()) || label == "version";
            assert!(is_known, "{name} has {label} = {value}");
        }
    }
}

#[test]
fn each_process_serves_what_its_roles_do() {
    let home = Home::new(User::Ourselves);
    let documented = documented();
    for role in ["receiver", "reconciler", "api"] {
        let of_role = documented.iter().filter(|(_, row)| row.role == role || row.role == "every");
        let expected: BTreeSet<_> = of_role.map(|(name, _)| *name).collect();
        let mut service = home.launch(&home.data_dir(), |command| {
            command.args(["--roles", role]);
        });
        service.wait_ready();
        wait_for(&format!("what is documented for the role {role}"), || expected.is_subset(&scrape(&service).names()));
        assert_eq!(scrape(&service).names(), expected, "{role}");
        service.stop();
    }
}

#[test]
fn alerts_and_panels_ask_for_nothing_that_is_not_served() {
    let expressions = expressions::all();
    assert!(expressions.len() > expressions::rules().len(), "there are panels");
    for expression in expressions {
        let series = expressions::series_of(&expression);
        assert!(!series.is_empty(), "{expression}");
        for series in series {
            let name = series.name.expect("a name");
            if OF_PROMETHEUS.contains(&name.as_str()) {
                continue;
            }
            assert!(
                SERVED.at_end.samples.iter().any(|sample| sample.name == name),
                "no {name} is served: {expression}"
            );
            for matcher in &series.matchers.matchers {
                if BY_PROMETHEUS.contains(&matcher.name.as_str()) {
                    continue;
                }
                let served = SERVED.at_end.values_of(&name, &matcher.name);
                let asked = expressions::values_of(matcher);
                assert!(asked.is_subset(&served), "{asked:?} are not all of {served:?}: {expression}");
            }
        }
    }
}

#[test]
fn panels_read_from_the_source_that_is_set_up() {
    let sources = expressions::read_yaml("grafana/provisioning/datasources/prometheus.yml");
    let source = &sources["datasources"][0];
    for dashboard in expressions::dashboards() {
        for panel in dashboard["panels"].as_array().unwrap() {
            let targets = panel["targets"].as_array().into_iter().flatten();
            for asking in targets.chain((panel["type"] != "row").then_some(panel)) {
                assert_eq!(asking["datasource"]["uid"], source["uid"], "{}", panel["title"]);
            }
        }
    }
}
