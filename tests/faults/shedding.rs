//! What gives way when there is too much to do: reports before receiving.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use test_support::home::{Home, User};

use crate::load::{Load, register};
use crate::times;

/// Enough of the past to keep a report busy for seconds: pushes of a year, of a thousand streams.
const PAST: &str = "
    insert into stream (shard, stream_id, domain, app, stream)
    select 0, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'push.example.com', 'live', 'past' || n
    from generate_series(1, 1000) as n;
    insert into stream_session (
        shard, session_id, stream_id, domain, app, stream, publish_timestamp, started_at, start_received_at,
        start_deliveries, end_received_at, end_deliveries, end_noticed_at, quarantined_messages, key_conflict,
        shared_signature, blanked,
        status, ended_at, ended_at_source, flags, seen_at, outcome_at, revised, first_position, last_position,
        last_recorded_at)
    select 0, (lpad(to_hex(extract(epoch from began)::bigint), 10, '0') || '0080008000' || lpad(n::text, 12, '0'))::uuid,
        ('00000000-0000-4000-8000-' || lpad((n % 1000 + 1)::text, 12, '0'))::uuid,
        'push.example.com', 'live', 'past' || n % 1000 + 1, extract(epoch from began), began, began, 1,
        began + interval '50 s', 1, began + interval '50 s', 0, false, false, false, 'ended', began + interval '50 s',
        'notification', '{}', began, began + interval '50 s', false, 1, 1, began + interval '50 s'
    from generate_series(1, 100000) as n,
        lateral (select date_trunc('second', now() - interval '300 days' + n * interval '200 s') as began) as past";

/// How many callbacks are to be answered 200 in one turn.
const TURN: usize = 1_000;

/// A report keeps a core busy. What that costs depends on the machine and on the tests that run meanwhile, so the time is
/// compared with that next to another busy process.
#[test]
fn a_heavy_report_does_not_slow_receiving_much_more_than_any_other_process() {
    let home = Home::new(User::Ourselves);
    let service = home.serve();
    let key = register(&home);
    service.sql(PAST);
    // Else the server does so at some time, beside the messages or the reports.
    service.sql("vacuum analyze");
    let day = |days: i64| {
        (streamtally::platform::clock::now() - chrono::TimeDelta::days(days)).format("%Y-%m-%d").to_string()
    };
    let url = format!(
        "{}/v1/reports/push-duration?from={}&to={}&group_by=domain,app,stream&window=day&format=csv",
        service.url(),
        day(330),
        day(0)
    );
    let answered = AtomicU64::new(0);
    let load = Load::start(&service, &key);
    load.wait_for_more(TURN);
    let mut turns = Vec::new();
    for _ in 0..times(7, 20) {
        let beside_another = time_beside(&load, || {
            std::hint::black_box((0..10_000_u64).map(std::hint::black_box).sum::<u64>());
        });
        let beside_report = time_beside(&load, || {
            report(&url, &home);
            answered.fetch_add(1, Ordering::Relaxed);
        });
        turns.push((beside_another, beside_report));
    }
    let sent = load.stop();
    assert!(sent.failures.is_empty(), "not answered 200: {:?}", sent.failures);
    let (another, report) = median(turns);
    println!(
        "{TURN} callbacks took {another:.1?} while another process was busy, and {report:.1?} during a report; {} reports",
        answered.load(Ordering::Relaxed)
    );
    assert!(
        report * 2 <= another * 3,
        "{TURN} callbacks took {another:?} while another process was busy, and {report:?} during a report"
    );
}

/// The time of a turn while a thread does this again and again.
fn time_beside(load: &Load, work: impl Fn() + Sync) -> Duration {
    let asked = AtomicBool::new(true);
    thread::scope(|scope| {
        scope.spawn(|| {
            while asked.load(Ordering::Relaxed) {
                work();
            }
        });
        let time = time_of_a_turn(load);
        asked.store(false, Ordering::Relaxed);
        time
    })
}

fn time_of_a_turn(load: &Load) -> Duration {
    let begun = Instant::now();
    load.wait_for_more(TURN);
    begun.elapsed()
}

fn report(url: &str, home: &Home) {
    let token = std::fs::read_to_string(home.data_dir().join("admin-token")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let answer = reqwest::Client::new().get(url).bearer_auth(token.trim()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!answer.bytes().await.unwrap().is_empty());
    });
}

/// The pair in the middle, by how many times as long the second took: what disturbs the machine, disturbs both of a pair.
fn median(mut turns: Vec<(Duration, Duration)>) -> (Duration, Duration) {
    turns.sort_by(|one, other| ratio(one).total_cmp(&ratio(other)));
    turns[turns.len() / 2]
}

fn ratio((another, report): &(Duration, Duration)) -> f64 {
    report.div_duration_f64(*another)
}
