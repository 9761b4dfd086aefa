//! Writes notices: a domain is silent, a session is unconfirmed, callbacks were quarantined within a minute.
//!
//! Every sender looks for them. Each has a key, so it is written once.

use std::collections::HashSet;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::payload::{DisabledData, GapData, HeardData, QuarantinedData, SessionSnapshot, SilentData, UnconfirmedData};
use crate::model::webhook::{DisabledReason, GapReason, WebhookEventType};
use crate::query;
use crate::store;
use crate::store::notice::NewNotice;
use crate::store::webhook::WebhookRow;

/// The most sessions that are noticed at once; the next look takes the others.
const MAX_SESSIONS: usize = 200;

/// How long a commit takes, at most.
const COMMIT_TIME: TimeDelta = TimeDelta::seconds(10);

/// How long ago quarantined callbacks may have been recorded to be told.
const QUARANTINE_PERIOD: TimeDelta = TimeDelta::minutes(10);

/// Writes what is new at `now`. A live session is unconfirmed when it was last known to be live longer ago than
/// `unconfirmed_after`.
pub async fn write_notices(pool: &PgPool, unconfirmed_after: TimeDelta, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let mut notices = Vec::new();
    notices.extend(find_unconfirmed(pool, now - unconfirmed_after).await?);
    notices.extend(find_quarantined(pool, now).await?);
    notices.extend(find_silences(pool, now).await?);
    let mut transaction = pool.begin().await?;
    write(&mut transaction, &notices, now).await?;
    transaction.commit().await
}

/// Writes notices within a transaction.
pub async fn write(
    transaction: &mut PgConnection,
    notices: &[NewNotice],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if notices.is_empty() {
        return Ok(());
    }
    store::notice::lock_notices(&mut *transaction).await?;
    for notice in notices {
        store::notice::insert_notice(&mut *transaction, notice, now).await?;
    }
    Ok(())
}

/// A notice that a webhook was disabled.
pub fn disabled(row: &WebhookRow, reason: DisabledReason, now: DateTime<Utc>) -> NewNotice {
    let WebhookRow { webhook_id, name, failing_since, .. } = row;
    NewNotice {
        event_type: WebhookEventType::WebhookDisabled,
        key: format!("disabled {webhook_id} {}", now.timestamp_micros()),
        domain: None,
        data: json(&DisabledData {
            webhook_id: *webhook_id,
            name: name.clone(),
            reason,
            failing_since: *failing_since,
        }),
    }
}

/// A notice that callbacks were not relayed.
pub fn not_relayed(reason: GapReason, dropped: store::relay::DroppedRow) -> NewNotice {
    let recorded_until = dropped.last_received_at;
    NewNotice {
        event_type: WebhookEventType::FeedGap,
        key: format!("{reason} {}", recorded_until.timestamp_micros()),
        domain: None,
        data: json(&GapData { reason, recorded_until, callbacks: Some(dropped.undelivered) }),
    }
}

fn json(data: &impl Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_else(|_| unreachable!("a notice is JSON"))
}

async fn find_unconfirmed(pool: &PgPool, known_live_before: DateTime<Utc>) -> Result<Vec<NewNotice>, sqlx::Error> {
    let mut found = store::notice::list_unconfirmed(pool, known_live_before).await?;
    let keys: Vec<String> = found.iter().map(|row| unconfirmed_key(row.session_id, row.known_live_at)).collect();
    let noticed: HashSet<String> = store::notice::list_noticed(pool, &keys).await?.into_iter().collect();
    found.retain(|row| !noticed.contains(&unconfirmed_key(row.session_id, row.known_live_at)));
    found.truncate(MAX_SESSIONS);
    let ids: Vec<_> = found.iter().map(|row| (row.shard, row.session_id)).collect();
    let sessions = store::session::list_sessions_by_id(pool, &ids).await?;
    let is_unconfirmed = |session: &store::session::SessionRow| {
        session.ended_at.is_none() && session.known_live_at() < known_live_before
    };
    let notice = |session: store::session::SessionRow| {
        let known_live_at = session.known_live_at();
        NewNotice {
            event_type: WebhookEventType::SessionUnconfirmed,
            key: unconfirmed_key(session.session_id, known_live_at),
            domain: Some(session.domain.clone()),
            data: json(&UnconfirmedData { session: SessionSnapshot::new(session, false), known_live_at }),
        }
    };
    Ok(sessions.into_iter().filter(is_unconfirmed).map(notice).collect())
}

fn unconfirmed_key(session_id: Uuid, known_live_at: DateTime<Utc>) -> String {
    format!("unconfirmed {session_id} {}", known_live_at.timestamp_micros())
}

/// One notice for each domain, reason and minute. The present minute is not counted yet.
async fn find_quarantined(pool: &PgPool, now: DateTime<Utc>) -> Result<Vec<NewNotice>, sqlx::Error> {
    // What was recorded in a minute is committed some seconds later at most.
    let Ok(to) = (now - COMMIT_TIME).duration_trunc(TimeDelta::minutes(1)) else { return Ok(Vec::new()) };
    let rows = store::notice::list_quarantined(pool, to - QUARANTINE_PERIOD, to).await?;
    let notice = |row: store::notice::QuarantinedRow| NewNotice {
        event_type: WebhookEventType::MessagesQuarantined,
        key: format!("quarantined {} {} {}", row.domain, row.reason, row.minute.timestamp()),
        domain: Some(row.domain.clone()),
        data: json(&QuarantinedData {
            domain: row.domain,
            reason: row.reason,
            minute: row.minute,
            count: row.callbacks,
            event_ids: row.event_ids,
        }),
    };
    Ok(rows.into_iter().map(notice).collect())
}

async fn find_silences(pool: &PgPool, now: DateTime<Utc>) -> Result<Vec<NewNotice>, sqlx::Error> {
    let silent = query::inactivity::list_silent_domains(pool, |_| true, now).await?;
    let mut notices: Vec<NewNotice> = silent
        .iter()
        .map(|silence| NewNotice {
            event_type: WebhookEventType::DomainSilent,
            key: format!("silent {} {}", silence.domain, silence.last_started_at.timestamp()),
            domain: Some(silence.domain.clone()),
            data: json(&SilentData {
                domain: silence.domain.clone(),
                last_started_at: silence.last_started_at,
                usual_gap_seconds: silence.habit_seconds,
            }),
        })
        .collect();
    for noticed in store::notice::list_noticed_silences(pool).await? {
        if silent.iter().any(|silence| silence.domain == noticed.domain) {
            continue;
        }
        let last_started_at = store::silence::get_last_start(pool, &noticed.domain).await?;
        if last_started_at.is_none_or(|last| last <= noticed.last_started_at) {
            continue;
        }
        notices.push(NewNotice {
            event_type: WebhookEventType::DomainHeard,
            key: format!("heard {}", noticed.key),
            domain: Some(noticed.domain.clone()),
            data: json(&HeardData { domain: noticed.domain, last_started_at, silent_since: noticed.noticed_at }),
        });
    }
    Ok(notices)
}
