//! Measures the pure core: parsing, verifying, admitting and folding one callback.
//!
//! Run by `cargo bench --bench core`; `benches/README.md` has the results.
#![allow(missing_docs, reason = "criterion's macros generate functions without docs")]

use std::hint::black_box;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use streamtally::huawei::admission::{CallbackRoute, DomainPolicy, Limits, Verdict, admit};
use streamtally::huawei::composing::{Message, Signing, compose};
use streamtally::huawei::notification::{Event, parse};
use streamtally::huawei::signature::{SignedFields, SigningKey, from_hex, verify};
use streamtally::model::access::{FieldSeparator, SignatureRule};
use streamtally::session::entry::{Details, Entry, Fact, Receipt};
use streamtally::session::{Session, fold};
use uuid::Uuid;

const KEY: &str = "bench-bench-bench-bench-bench-32";
const STARTED: i64 = 1_790_000_000;
const DOMAIN: &str = "push.bench.example";

fn body(key: &SigningKey) -> String {
    let message = Message {
        domain: DOMAIN,
        app: "live",
        stream: "room-4711",
        user_args: "auth_key=1790003600-0-0-8f4b5a2ae2a9f0c1d3e5b7a9&region=eu",
        client_ip: "203.0.113.7",
        node_ip: "198.51.100.3",
        publish_timestamp: STARTED,
        event: &Event::Publish,
    };
    compose(&message, Some(Signing { key, joiner: FieldSeparator::Nothing, auth_timestamp: STARTED + 60 }))
}

fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

fn receiving(criterion: &mut Criterion) {
    let key = SigningKey::new(KEY);
    let body = body(&key);
    criterion.bench_function("parse", |bencher| bencher.iter(|| parse(black_box(body.as_bytes()))));

    let Ok(message) = parse(body.as_bytes()) else { unreachable!("it was composed as the provider does") };
    let fields = SignedFields {
        event: message.event.word(),
        domain: &message.domain,
        app: &message.app,
        stream: &message.stream,
        auth_timestamp: STARTED + 60,
    };
    let signature = message.auth_sign.as_deref().and_then(from_hex).unwrap_or_default();
    assert!(verify(&key, FieldSeparator::Nothing, &fields, &signature));
    criterion.bench_function("verify", |bencher| {
        bencher.iter(|| verify(&key, FieldSeparator::Nothing, black_box(&fields), black_box(&signature)));
    });

    // The matching key is the older of two.
    let newer = SigningKey::new("another-bench-another-bench-anot");
    let policy = DomainPolicy {
        signature: SignatureRule::Required,
        apps: None,
        joiner: FieldSeparator::Nothing,
        keys: vec![(Uuid::from_u128(2), newer), (Uuid::from_u128(1), key)],
    };
    let limits = Limits {
        signature_grace: TimeDelta::minutes(5),
        signature_max_future: TimeDelta::days(1),
        start_window_before: TimeDelta::days(1),
        start_window_after: TimeDelta::minutes(5),
        signature_sharing_window: TimeDelta::seconds(10),
        missing_start_limit: TimeDelta::days(30),
    };
    let judged = || admit(black_box(&message), CallbackRoute::Open, Some(&policy), &limits, moment(STARTED + 1));
    assert!(matches!(judged(), Verdict::Accept(_)), "the callback is genuine");
    criterion.bench_function("admission, two keys", |bencher| bencher.iter(judged));
}

/// A typical push: a start, its repetition, and an end.
fn entries() -> [Entry; 3] {
    let receipt = |seconds| Receipt {
        received_at: moment(STARTED + seconds),
        signature_expires_at: Some(moment(STARTED + seconds + 60)),
        shares_signature: false,
        details: Details {
            client_ip: Some("203.0.113.7".to_owned()),
            node_ip: Some("198.51.100.3".to_owned()),
            user_args: Some("auth_key=masked:8f4b5a2a&region=eu".to_owned()),
            rendition_template: None,
            redacted: false,
        },
    };
    let entry = |position: i64, fact| Entry { position, recorded_at: moment(STARTED + position), fact };
    [entry(1, Fact::Started(receipt(1))), entry(2, Fact::Started(receipt(2))), entry(3, Fact::Ended(receipt(3_600)))]
}

fn folding(criterion: &mut Criterion) {
    let entries = entries();
    criterion.bench_function("fold, a push of three messages", |bencher| {
        let folded = |mut session: Session| {
            for entry in &entries {
                fold(&mut session, black_box(entry));
            }
            session
        };
        bencher.iter_batched(Session::default, folded, BatchSize::SmallInput);
    });
}

criterion_group!(benches, receiving, folding);
criterion_main!(benches);
