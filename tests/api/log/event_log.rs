//! The invariant that everything rests on: whoever has read a shard up to a position will never later find a new
//! entry at or below it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, PgPool};
use streamtally::model::event::{Disposition, Origin, QuarantineReason, Signature};
use streamtally::platform::clock;
use streamtally::session::{SessionKey, StreamKey};
use streamtally::store;
use streamtally::store::log::NewEntryRow;
use test_support::messages::Push;
use uuid::Uuid;

use crate::helpers::{HOLD_LOG, TestApp, append_entries};
use crate::server::skipped_on_citus;

/// Before everything that a test appends.
const LONG_AGO: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// An entry of a shard of our choice.
fn entry(shard: i16, note: i16) -> NewEntryRow {
    let stream = StreamKey { domain: "push.example.com".into(), app: "live".into(), stream: format!("room{note}") };
    let session_id = SessionKey { stream: stream.clone(), publish_timestamp: 1 }.id().0;
    NewEntryRow {
        signature: Some(Signature::Unsigned),
        note: Some(note.to_string()),
        ..NewEntryRow::internal(shard, session_id, stream, 1, Origin::Provider, "PUBLISH", clock::now())
    }
}

async fn positions(pool: &PgPool, shard: i16) -> Vec<i64> {
    sqlx::query_scalar("select position from log_entry where shard = $1 order by position")
        .bind(shard)
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_slow_writer_keeps_later_ones_waiting_rather_than_letting_them_pass() {
    let app = TestApp::start().await;
    let mut slow = app.pool.begin().await.unwrap();
    append_entries(&mut *slow, &[entry(3, 0), entry(3, 1)], LONG_AGO).await.unwrap();
    let pool = app.pool.clone();
    let mut quick = tokio::spawn(async move { append_entries(&pool, &[entry(3, 2)], LONG_AGO).await });
    app.wait_for_a_blocked_statement().await;
    assert!(!quick.is_finished());
    assert_eq!(positions(&app.pool, 3).await, Vec::<i64>::new());
    // Another shard is not kept waiting.
    append_entries(&app.pool, &[entry(4, 3)], LONG_AGO).await.unwrap();
    slow.commit().await.unwrap();
    (&mut quick).await.unwrap().unwrap();
    assert_eq!(positions(&app.pool, 3).await, [1, 2, 3]);
    let in_order: bool = sqlx::query_scalar(
        "select bool_and(recorded_at >= before) from
         (select recorded_at, lag(recorded_at) over (order by position) as before from log_entry where shard = 3) e",
    )
    .fetch_one(&app.pool)
    .await
    .unwrap();
    assert!(in_order, "the waiting writer read the clock before its turn");
}

#[tokio::test]
async fn a_writer_that_gives_up_leaves_no_gap() {
    let app = TestApp::start().await;
    let mut given_up = app.pool.begin().await.unwrap();
    append_entries(&mut *given_up, &[entry(3, 0)], LONG_AGO).await.unwrap();
    given_up.rollback().await.unwrap();
    append_entries(&app.pool, &[entry(3, 1)], LONG_AGO).await.unwrap();
    assert_eq!(positions(&app.pool, 3).await, [1]);
}

#[tokio::test]
async fn a_partition_is_made_while_others_read_and_append() {
    if skipped_on_citus("there, appends wait while a partition is attached on all nodes") {
        return;
    }
    let app = TestApp::start().await;
    let mut reader = app.pool.begin().await.unwrap();
    sqlx::query("select count(*) from log_entry").execute(&mut *reader).await.unwrap();
    let mut writer = app.pool.begin().await.unwrap();
    append_entries(&mut *writer, &[entry(3, 0)], LONG_AGO).await.unwrap();
    let mut maker = app.pool.begin().await.unwrap();
    let month = chrono::NaiveDate::from_ymd_opt(2040, 2, 1).unwrap();
    assert!(!store::partition::has_log_partition(&mut *maker, month).await.unwrap());
    store::partition::create_log_partition(&mut maker, month).await.unwrap();
    append_entries(&app.pool, &[entry(4, 1)], LONG_AGO).await.unwrap();
    maker.commit().await.unwrap();
    assert!(store::partition::has_log_partition(&app.pool, month).await.unwrap());
    writer.commit().await.unwrap();
    assert_eq!(positions(&app.pool, 3).await, [1]);
}

/// Writers hold their transactions open for different times over overlapping shards, while a reader keeps noting what
/// it has seen: nothing may ever appear at or below a position that it had read to.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_ever_appears_at_or_below_a_position_that_was_read() {
    const WRITERS: i16 = 8;
    const BATCHES: i16 = 25;
    let app = TestApp::start().await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let options = app.database.options.clone();
        writers.spawn(async move {
            let mut connection = PgConnection::connect_with(&options).await.unwrap();
            for batch in 0..BATCHES {
                // Shards in no order, so that only the statement's own order keeps writers from a deadlock.
                let entries: Vec<_> = (0..6).map(|n| entry((writer * 7 + batch * 5 + n * 11) % 5, n)).collect();
                let mut transaction = connection.begin().await.unwrap();
                append_entries(&mut *transaction, &entries, LONG_AGO).await.unwrap();
                let pause = format!("select pg_sleep(0.002 * {})", (writer + batch) % 4);
                sqlx::query(sqlx::AssertSqlSafe(pause)).execute(&mut *transaction).await.unwrap();
                if batch % 6 == 5 {
                    transaction.rollback().await.unwrap();
                } else {
                    transaction.commit().await.unwrap();
                }
            }
        });
    }
    let mut read: BTreeMap<i16, (i64, chrono::DateTime<chrono::Utc>)> = BTreeMap::new();
    let mut done = false;
    let mut reads = 0;
    while !done {
        done = writers.is_empty();
        let rows: Vec<(i16, i64, chrono::DateTime<chrono::Utc>)> =
            sqlx::query_as("select shard, position, recorded_at from log_entry order by shard, position")
                .fetch_all(&app.pool)
                .await
                .unwrap();
        for (shard, ours) in &read {
            let known: Vec<i64> = rows.iter().filter(|r| r.0 == *shard && r.1 <= ours.0).map(|r| r.1).collect();
            assert_eq!(known, (1..=ours.0).collect::<Vec<_>>(), "shard {shard} changed below {}", ours.0);
        }
        for (shard, position, recorded_at) in rows {
            if let Some(last) = read.insert(shard, (position, recorded_at)).filter(|last| last.0 < position) {
                assert_eq!(position, last.0 + 1, "a gap in shard {shard}");
                assert!(recorded_at >= last.1, "shard {shard} was recorded out of order");
            }
        }
        reads += 1;
        while let Some(finished) = writers.try_join_next() {
            finished.unwrap();
        }
    }
    let kept: i64 = read.values().map(|(position, _)| position).sum();
    let rolled_back = BATCHES / 6;
    assert_eq!(kept, i64::from(WRITERS) * i64::from(BATCHES - rolled_back) * 6);
    assert!(reads > 10, "the reader read only {reads} times");
}

fn signed_entry(shard: i16, note: i16, signature: u8) -> NewEntryRow {
    NewEntryRow {
        signature_tag: Some(signature.into()),
        signature: Some(Signature::Verified),
        key_id: Some(Uuid::nil()),
        auth_timestamp: Some(1_700_000_000),
        auth_sign: Some(vec![signature; 32]),
        ..entry(shard, note)
    }
}

#[tokio::test]
async fn of_two_pushes_with_one_signature_the_first_in_the_log_has_it() {
    let app = TestApp::start().await;
    let mut slow = app.pool.begin().await.unwrap();
    let first = signed_entry(3, 0, 7);
    let appended = append_entries(&mut *slow, std::slice::from_ref(&first), LONG_AGO).await;
    assert_eq!(appended.unwrap(), []);
    let pool = app.pool.clone();
    // Begins before the first is committed, and cannot see it: it waits, and is told of it all the same.
    let later = [signed_entry(3, 1, 8), signed_entry(3, 2, 7), entry(3, 3)];
    let mut quick = tokio::spawn(async move { append_entries(&pool, &later, LONG_AGO).await });
    app.wait_for_a_blocked_statement().await;
    slow.commit().await.unwrap();
    let used = (&mut quick).await.unwrap().unwrap();
    let told: Vec<_> = used.iter().map(|used| (used.signature_tag, used.session_id)).collect();
    assert_eq!(told, [(7, first.session_id)]);
    assert_eq!(positions(&app.pool, 3).await, [1], "all are appended, or none");
    // Its own session may say it again, and so may a stream of another shard.
    let others = [first.clone(), signed_entry(3, 1, 8), entry(3, 3)];
    assert_eq!(append_entries(&app.pool, &others, LONG_AGO).await.unwrap(), []);
    assert_eq!(append_entries(&app.pool, &[signed_entry(4, 4, 7)], LONG_AGO).await.unwrap(), []);
    assert_eq!(positions(&app.pool, 3).await, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_signature_is_shared_with_whom_the_entry_says_and_with_nobody_else() {
    let app = TestApp::start().await;
    let [first, second, third] = [0, 1, 2].map(|note| signed_entry(3, note, 7));
    let with = |entry: &NewEntryRow, other: &NewEntryRow| NewEntryRow {
        signature_shared_with: Some(other.session_id),
        ..entry.clone()
    };
    let users = async |entry: NewEntryRow| -> Vec<Uuid> {
        let uses = append_entries(&app.pool, &[entry], LONG_AGO).await.unwrap();
        uses.iter().map(|used| used.session_id).collect()
    };
    assert!(users(first.clone()).await.is_empty());
    assert_eq!(users(with(&second, &third)).await, [first.session_id]);
    assert!(users(with(&second, &first)).await.is_empty());
    for sharing in [third.clone(), with(&third, &first), with(&third, &second)] {
        assert_eq!(users(sharing).await, [first.session_id, second.session_id]);
    }
    // Both may say again what they said.
    for repeat in [first.clone(), second.clone(), with(&second, &first)] {
        assert!(users(repeat).await.is_empty());
    }
    let tags: i64 =
        sqlx::query_scalar("select count(signature_tag) from log_entry").fetch_one(&app.pool).await.unwrap();
    assert_eq!(tags, 2);
}

#[tokio::test]
async fn however_often_a_message_is_repeated_one_entry_tells_of_its_signature() {
    let app = TestApp::start().await;
    for repeats in [3, 1, 5] {
        let repeated = vec![signed_entry(3, 0, 7); repeats];
        assert_eq!(append_entries(&app.pool, &repeated, LONG_AGO).await.unwrap(), []);
    }
    let counts = "select count(*), count(signature_tag) from log_entry";
    let counts: (i64, i64) = sqlx::query_as(counts).fetch_one(&app.pool).await.unwrap();
    assert_eq!(counts, (9, 1));
}

#[tokio::test]
async fn what_is_quarantined_has_no_claim_on_its_signature() {
    let app = TestApp::start().await;
    let quarantined = NewEntryRow {
        disposition: Disposition::Quarantined,
        reason: Some(QuarantineReason::Expired),
        signature_tag: None,
        ..signed_entry(3, 0, 7)
    };
    for entry in [quarantined, signed_entry(3, 1, 7)] {
        assert_eq!(append_entries(&app.pool, &[entry], LONG_AGO).await.unwrap(), []);
    }
    let third = append_entries(&app.pool, &[signed_entry(3, 2, 7)], LONG_AGO).await.unwrap();
    assert_eq!(third[0].session_id, signed_entry(3, 1, 7).session_id);
}

#[tokio::test]
async fn of_two_pushes_with_one_signature_that_come_at_once_one_counts() {
    let app = TestApp::start().await;
    let mut holder = app.pool.begin().await.unwrap();
    sqlx::query(HOLD_LOG).execute(&mut *holder).await.unwrap();
    // While the log is held, all of these gather in one batch behind the first.
    let captured = Push::of("room", 60).start();
    let forgeries = (1..20).map(|off| {
        let mut forgery = captured.clone();
        forgery["publish_timestamp"] = (clock::now().timestamp() - 60 - 10 * off).to_string().into();
        forgery
    });
    let messages: Vec<_> = [Push::of("first", 60).start(), captured.clone()]
        .into_iter()
        .chain(forgeries)
        .chain([captured.clone()])
        .collect();
    let sending = futures_util::future::join_all(messages.iter().map(|message| app.callback(message, 200)));
    let releasing = async {
        app.wait_for_a_blocked_statement().await;
        holder.rollback().await.unwrap();
    };
    tokio::join!(sending, releasing);
    app.fold().await;
    assert_eq!(app.list("/v1/sessions?stream=room").await.len(), 1);
    let accepted = app.list("/v1/events?stream=room&disposition=accepted").await;
    let reused = app.list("/v1/events?stream=room&reason=signature_of_another_push").await;
    assert_eq!(accepted.len() + reused.len(), 21);
    assert!((1..=2).contains(&accepted.len()), "{accepted:?}");
}
