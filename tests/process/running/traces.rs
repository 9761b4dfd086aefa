//! Traces at a real collector: what leaves the service, and that nothing suffers when nobody takes it.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use test_support::home::{Home, User, wait_for};
use test_support::service::Service;

use super::collector::{Collector, texts};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn serve(home: &Home, collector: &str) -> Service {
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(["--otlp-endpoint", collector]).env("OTEL_BSP_SCHEDULE_DELAY", "20");
    });
    service.wait_ready();
    service
}

/// Asks with headers: the status.
fn ask(service: &Service, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = Client::new().request(method, format!("{}{path}", service.url()));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    runtime.block_on(request.send()).unwrap().status().as_u16()
}

#[test]
fn a_span_says_the_route_and_the_id_of_its_request_and_nothing_else_of_it() {
    let (home, collector) = (Home::new(User::Ourselves), Collector::start(Some("200 OK")));
    let service = serve(&home, collector.url());
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [
        ("x-request-id", "job-7"),
        ("traceparent", &parent),
        ("tracestate", "who=secret"),
        ("authorization", "Bearer secret"),
    ];
    assert_eq!(ask(&service, Method::GET, "/v1/sessions/secret/events?stream=secret", &headers), 401);
    assert_eq!(ask(&service, Method::GET, "/secret", &[("x-request-id", "job-8")]), 404);
    assert_eq!(ask(&service, Method::POST, "/callbacks/huawei/secret", &[("x-request-id", "job-9")]), 400);
    // What is left is sent at the end.
    service.stop();

    let spans = collector.spans();
    let of = |id: &str| {
        let id = ("streamtally.request_id".to_owned(), id.to_owned());
        spans.iter().find(|(span, _)| texts(&span.attributes).contains(&id))
    };
    let (span, resource) = of("job-7").expect("the span of the request");
    assert_eq!(span.name, "GET /v1/sessions/{session_id}/events");
    let said = [
        ("http.request.method", "GET"),
        ("http.route", "/v1/sessions/{session_id}/events"),
        ("http.response.status_code", "401"),
        ("streamtally.request_id", "job-7"),
    ];
    assert_eq!(texts(&span.attributes), said.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!((hex::encode(&span.trace_id), hex::encode(&span.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
    assert!(resource.contains(&("service.name".to_owned(), "streamtally".to_owned())), "{resource:?}");
    assert_eq!(of("job-8").expect("the span of a path that is not there").0.name, "GET unknown");
    assert!(of("job-9").is_none(), "receiving has no spans");
    for (head, body) in collector.posted() {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let body = String::from_utf8_lossy(&body);
        assert!(!body.contains("secret"), "{body}");
    }
}

#[test]
fn a_collector_that_is_away_refuses_or_is_silent_is_told_of_once_and_holds_nothing_up() {
    let [refusing, silent] = [Some("503 Service Unavailable"), None].map(Collector::start);
    for (collector, is_there) in [(refusing.url(), true), (silent.url(), false), ("http://127.0.0.1:1", false)] {
        let home = Home::new(User::Ourselves);
        let service = serve(&home, collector);
        let warnings = || service.stderr().matches("could not send traces to the collector").count();
        let more_are_tried = || !is_there || refusing.posted().len() > 8;
        wait_for("spans that cannot be sent, more than once", || {
            assert_eq!(ask(&service, Method::GET, "/healthz", &[]), 200);
            warnings() > 0 && more_are_tried()
        });
        assert_eq!(warnings(), 1, "{}", service.stderr());
        let stopping = Instant::now();
        service.stop();
        assert!(stopping.elapsed() < Duration::from_secs(15), "{:?}", stopping.elapsed());
    }
}

#[test]
fn where_no_collector_is_named_nothing_is_traced_and_one_with_credentials_is_refused() {
    let home = Home::new(User::Ourselves);
    for (address, words) in [
        ("http://me:a-password@localhost:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("localhost:4318", "write the URL of a collector like http://localhost:4318"),
    ] {
        let mut command = home.program();
        command.args(["serve", "--otlp-endpoint", address, "--data-dir"]).arg(home.data_dir());
        let (status, printed) = test_support::home::finish(&mut command);
        assert_eq!(status, 2, "{printed}");
        assert!(printed.contains(words), "{printed}");
    }
}
