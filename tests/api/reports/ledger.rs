//! A log that tests write, entry by entry, and know.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::FromRow;
use streamtally::model::event::{Disposition, Origin, QuarantineReason, Signature};
use streamtally::platform::clock;
use streamtally::session::{SessionKey, StreamKey};
use streamtally::store::log::NewEntryRow;
use uuid::Uuid;

use crate::helpers::{TestApp, append_entries};

/// What is said of a push. Times are Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    Start,
    /// The provider's end, by when it was received.
    End(i64),
    Superseded(i64),
    TimedOut(i64),
    OperatorEnd(i64),
    Withdrawn,
    /// An operator confirms at this time that it is live.
    Confirmed(i64),
    /// A start that does not count.
    Quarantined,
}

/// An entry of the log.
#[derive(Debug, Clone)]
pub struct Said {
    pub key: SessionKey,
    pub what: Say,
    pub template: Option<&'static str>,
    pub received_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
}

/// Everything that was said.
pub struct Ledger<'a> {
    pub app: &'a TestApp,
    pub said: Vec<Said>,
}

pub fn push(domain: &str, app: &str, stream: &str, publish_timestamp: i64) -> SessionKey {
    let stream = StreamKey { domain: domain.into(), app: app.into(), stream: stream.into() };
    SessionKey { stream, publish_timestamp }
}

#[derive(FromRow)]
struct Recorded {
    event_id: Uuid,
    recorded_at: DateTime<Utc>,
}

impl<'a> Ledger<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        Self { app, said: Vec::new() }
    }

    /// Appends entries in one commit, and folds.
    pub async fn say(&mut self, entries: &[(SessionKey, Say, Option<&'static str>)]) {
        let rows: Vec<_> =
            entries.iter().zip(0..).map(|((key, what, template), n)| row(key, *what, *template, n)).collect();
        append_entries(&self.app.pool, &rows, clock::now()).await.unwrap();
        self.app.fold().await;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.event_id).collect();
        let recorded: Vec<Recorded> =
            sqlx::query_as("select event_id, recorded_at from log_entry where event_id = any ($1)")
                .bind(ids)
                .fetch_all(&self.app.pool)
                .await
                .unwrap();
        for ((key, what, template), row) in entries.iter().zip(&rows) {
            let recorded_at = recorded.iter().find(|recorded| recorded.event_id == row.event_id).unwrap().recorded_at;
            let (key, received_at) = (key.clone(), row.received_at);
            self.said.push(Said { key, what: *what, template: *template, received_at, recorded_at });
        }
    }

    /// Appends one entry after the other.
    pub async fn say_each(&mut self, entries: &[(SessionKey, Say)]) {
        for (key, what) in entries {
            self.say(&[(key.clone(), *what, None)]).await;
        }
    }
}

fn row(key: &SessionKey, what: Say, template: Option<&'static str>, number: i64) -> NewEntryRow {
    let second = |second| DateTime::from_timestamp(second, 0).unwrap();
    let (origin, event, received, ended_at) = match what {
        Say::Start | Say::Quarantined => (Origin::Provider, "PUBLISH", key.publish_timestamp, None),
        Say::End(received) => (Origin::Provider, "PUBLISH_DONE", received, None),
        Say::Superseded(at) => (Origin::Inference, "SUPERSEDED", at, Some(second(at))),
        Say::TimedOut(at) => (Origin::Inference, "TIMED_OUT", at, Some(second(at))),
        Say::OperatorEnd(at) => (Origin::Operator, "OPERATOR_END", at, Some(second(at))),
        Say::Confirmed(at) => (Origin::Operator, "OPERATOR_CONFIRMED", at, None),
        Say::Withdrawn => (Origin::Operator, "OPERATOR_END_WITHDRAWN", key.publish_timestamp, None),
    };
    // Never two at one instant, and within the second.
    let received_at = second(received) + TimeDelta::microseconds(number * 1_000 + i64::from(rand::random::<u8>()));
    let (shard, session_id) = (key.stream.shard(16), key.id().0);
    let is_message = origin == Origin::Provider;
    let quarantined = what == Say::Quarantined;
    NewEntryRow {
        signature: is_message.then_some(Signature::Unsigned),
        rendition_template: template.filter(|_| is_message).map(str::to_owned),
        ended_at,
        actor: (origin == Origin::Operator).then(|| "support".to_owned()),
        disposition: if quarantined { Disposition::Quarantined } else { Disposition::Accepted },
        reason: quarantined.then_some(QuarantineReason::Expired),
        ..NewEntryRow::internal(
            shard,
            session_id,
            key.stream.clone(),
            key.publish_timestamp,
            origin,
            event,
            received_at,
        )
    }
}
