//! Reads what a webhook sends: the changes of sessions that the log tells, and notices.
//!
//! Only folded events are read, so a receiver that asks the API finds what it was told.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::payload::{EventView, GapData, event_of, type_of};
use super::queue::{Event, Place, before};
use crate::model::session::Renditions;
use crate::model::webhook::{GapReason, WebhookEventType};
use crate::reconciler::change::{self, SessionChange};
use crate::store;
use crate::store::log::EntryRow;
use crate::store::notice::NoticeRow;
use crate::store::relay::RelayedEventRow;
use crate::store::retention::HorizonRow;
use crate::store::session::SessionRow;
use crate::store::webhook::{NOTICES, WebhookRow};

/// What a webhook sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// `None`: all types.
    pub event_types: Option<Vec<WebhookEventType>>,
    /// `None`: all domains.
    pub domains: Option<Vec<String>>,
    /// `None`: all apps.
    pub apps: Option<Vec<String>>,
    pub renditions: Renditions,
    /// Whether events contain personal fields.
    pub personal: bool,
}

impl Selection {
    /// What a webhook is set to send.
    pub fn of(row: WebhookRow) -> Self {
        let WebhookRow { event_types, domains, apps, renditions, personal, .. } = row;
        Self { event_types, domains, apps, renditions, personal }
    }

    fn has_type(&self, event_type: WebhookEventType) -> bool {
        self.event_types.as_ref().is_none_or(|types| types.contains(&event_type))
    }

    fn has_domain(&self, domain: &str) -> bool {
        self.domains.as_ref().is_none_or(|domains| domains.iter().any(|named| named == domain))
    }

    fn has_session(&self, session: &SessionRow) -> bool {
        let is_rendition = session.rendition_template.is_some();
        let renditions = match self.renditions {
            Renditions::Include => true,
            Renditions::Exclude => !is_rendition,
            Renditions::Only => is_rendition,
        };
        renditions
            && self.has_domain(&session.domain)
            && self.apps.as_ref().is_none_or(|apps| apps.contains(&session.app))
    }
}

/// A part of the feed.
#[derive(Debug)]
pub struct Stretch {
    pub events: Vec<Event>,
    /// The body of each event, by its id.
    pub bodies: HashMap<Uuid, Vec<u8>>,
    pub read_to: Vec<Place>,
    /// Whether there may be more to read at once.
    pub more: bool,
}

/// The feed of an installation.
#[derive(Clone)]
pub struct Feed {
    pub pool: PgPool,
    pub installation_id: Uuid,
}

impl Feed {
    /// The next events after these positions: those of at most `most` log entries. Where retention has
    /// dropped entries in between, an event says so.
    pub async fn read(
        &self,
        selection: &Selection,
        from: &BTreeMap<i16, i64>,
        most: usize,
    ) -> Result<Stretch, sqlx::Error> {
        self.read_until(selection, from, None, most).await
    }

    /// The same, but no events after the positions `until`.
    pub async fn read_until(
        &self,
        selection: &Selection,
        from: &BTreeMap<i16, i64>,
        until: Option<&BTreeMap<i16, i64>>,
        most: usize,
    ) -> Result<Stretch, sqlx::Error> {
        let until = |shard: i16| until.map_or(i64::MAX, |until| until.get(&shard).copied().unwrap_or_default());
        let mut snapshot = store::snapshot::begin(&self.pool).await?;
        let folded = store::change::list_folded_positions(&mut *snapshot).await?;
        let horizons = store::retention::list_horizons(&mut *snapshot).await?;
        let most = share(most, horizons.len());
        let mut more = false;
        let mut gaps = Vec::new();
        let mut from_positions = Vec::new();
        let mut to = Vec::new();
        for (horizon, folded) in horizons.into_iter().zip(folded) {
            let asked = from.get(&horizon.shard).copied().unwrap_or_default();
            if asked < horizon.position {
                gaps.push(horizon);
            }
            let begin = asked.max(horizon.position);
            from_positions.push(begin);
            let end = folded.min(until(horizon.shard)).max(begin);
            more |= end - begin > most;
            to.push(end.min(begin + most));
        }
        let touched = if to == from_positions {
            Vec::new()
        } else {
            store::change::list_changed_sessions(&mut *snapshot, &from_positions, &to).await?
        };
        let sessions: Vec<_> = touched.iter().map(|touched| (touched.shard, touched.session_id)).collect();
        let changes = read_changes(&mut snapshot, &sessions, &from_positions, &to).await?;
        let from_notice = from.get(&NOTICES).copied().unwrap_or_default();
        let mut notices = store::notice::list_notices_after(&mut *snapshot, from_notice, most).await?;
        notices.retain(|notice| notice.position <= until(NOTICES));
        snapshot.commit().await?;

        let to_notice = notices.last().map_or(from_notice, |notice| notice.position);
        let read_to = (0..).zip(to).chain([(NOTICES, to_notice)]).collect();
        let mut described: Vec<_> = changes
            .into_iter()
            .filter_map(|(shard, change)| self.describe_change(selection, shard, change))
            .chain(gaps.into_iter().filter_map(|horizon| self.describe_gap(selection, horizon)))
            .chain(notices.into_iter().filter_map(|notice| self.describe_notice(selection, notice)))
            .collect();
        described.sort_by_key(|(event, _)| (event.recorded_at, event.place));
        debug_assert!(described.is_sorted_by(|(one, _), (other, _)| before(one, other)));
        let bodies = described.iter().map(|(event, body)| (event.delivery_id, body.clone())).collect();
        let events = described.into_iter().map(|(event, _)| event).collect();
        Ok(Stretch { events, bodies, read_to, more })
    }

    /// The next callbacks of domains after these positions that a relay has not delivered. Their bodies are read one by one.
    pub async fn read_relayed(
        &self,
        webhook_id: Uuid,
        domains: &[String],
        from: &BTreeMap<i16, i64>,
        most: usize,
    ) -> Result<Stretch, sqlx::Error> {
        let heads = store::webhook::list_heads(&self.pool).await?;
        let most = share(most, heads.len());
        let mut more = false;
        let (from_positions, to): (Vec<i64>, Vec<i64>) = heads
            .iter()
            .map(|head| {
                let from = from.get(&head.shard).copied().unwrap_or_default();
                more |= head.position - from > most;
                (from, head.position.clamp(from, from + most))
            })
            .unzip();
        let rows = if to == from_positions {
            Vec::new()
        } else {
            store::relay::list_relayed_events(&self.pool, domains, &from_positions, &to).await?
        };
        // Those that were delivered before have no body, nor have those that arrived before the relay was known.
        let ids: Vec<Uuid> = rows.iter().map(|row| row.event_id).collect();
        let kept = store::relay::list_kept(&self.pool, webhook_id, &ids).await?;
        let kept: HashSet<Uuid> = kept.into_iter().collect();
        let event = |row: RelayedEventRow| Event {
            delivery_id: row.event_id,
            event_type: WebhookEventType::Callback,
            place: (row.shard, row.position),
            recorded_at: row.recorded_at,
            // In no order, like the provider.
            stream_id: None,
            session_id: Some(row.session_id),
            replayed: false,
        };
        let events = rows.into_iter().filter(|row| kept.contains(&row.event_id)).map(event).collect();
        Ok(Stretch { events, bodies: HashMap::new(), read_to: (0..).zip(to).collect(), more })
    }

    /// The body of an event, again. `None` if the log no longer has it.
    pub async fn read_body(&self, event: &Event, personal: bool) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let (shard, position) = event.place;
        let Some(session_id) = event.session_id else {
            if shard != NOTICES {
                return Ok(Some(gap_body(event)));
            }
            let notices = store::notice::list_notices_after(&self.pool, position - 1, 1).await?;
            return Ok(notices
                .into_iter()
                .find(|notice| notice.position == position)
                .map(|notice| body_of(&view(notice))));
        };
        let entries = store::log::list_entries_of_sessions(&self.pool, &[(shard, session_id)]).await?;
        let entries = entries.into_iter().filter(|entry| entry.position <= position).collect();
        let changes = change::list_changes(entries, position - 1);
        Ok(changes.into_iter().next().map(|change| body_of(&event_of(change, personal))))
    }

    /// All events of a session that the log still has.
    pub async fn read_session(
        &self,
        selection: &Selection,
        shard: i16,
        session_id: Uuid,
    ) -> Result<Vec<Event>, sqlx::Error> {
        let entries = store::log::list_entries_of_sessions(&self.pool, &[(shard, session_id)]).await?;
        let changes = change::list_changes(entries, 0);
        let described = changes.into_iter().filter_map(|change| self.describe_change(selection, shard, change));
        Ok(described.map(|(event, _)| event).collect())
    }

    fn describe_change(&self, selection: &Selection, shard: i16, change: SessionChange) -> Option<(Event, Vec<u8>)> {
        let event_type = type_of(&change);
        if !selection.has_type(event_type) || !selection.has_session(&change.after) {
            return None;
        }
        let place = (shard, change.position);
        let event = Event {
            delivery_id: self.delivery_id(place, event_type),
            event_type,
            place,
            recorded_at: change.recorded_at,
            stream_id: Some(change.after.stream_id),
            session_id: Some(change.after.session_id),
            replayed: false,
        };
        Some((event, body_of(&event_of(change, selection.personal))))
    }

    fn describe_gap(&self, selection: &Selection, horizon: HorizonRow) -> Option<(Event, Vec<u8>)> {
        let event_type = WebhookEventType::FeedGap;
        if !selection.has_type(event_type) {
            return None;
        }
        let place = (horizon.shard, horizon.position);
        let event = Event {
            delivery_id: self.delivery_id(place, event_type),
            event_type,
            place,
            recorded_at: horizon.recorded_at,
            stream_id: None,
            session_id: None,
            replayed: false,
        };
        let body = gap_body(&event);
        Some((event, body))
    }

    fn describe_notice(&self, selection: &Selection, notice: NoticeRow) -> Option<(Event, Vec<u8>)> {
        let is_theirs = notice.domain.as_ref().is_none_or(|domain| selection.has_domain(domain));
        if !selection.has_type(notice.event_type) || !is_theirs {
            return None;
        }
        let place = (NOTICES, notice.position);
        let event = Event {
            delivery_id: self.delivery_id(place, notice.event_type),
            event_type: notice.event_type,
            place,
            recorded_at: notice.noticed_at,
            stream_id: None,
            session_id: None,
            replayed: false,
        };
        Some((event, body_of(&view(notice))))
    }

    /// A function of the event, so that every process and every attempt sends the same.
    fn delivery_id(&self, (shard, position): Place, event_type: WebhookEventType) -> Uuid {
        Uuid::new_v5(&self.installation_id, format!("{shard}:{position}:{event_type}").as_bytes())
    }
}

/// The changes of sessions between two positions of each shard, by shard.
async fn read_changes(
    snapshot: &mut PgConnection,
    sessions: &[(i16, Uuid)],
    from: &[i64],
    to: &[i64],
) -> Result<Vec<(i16, SessionChange)>, sqlx::Error> {
    let position = |positions: &[i64], shard: i16| {
        usize::try_from(shard).ok().and_then(|shard| positions.get(shard)).copied().unwrap_or_default()
    };
    let mut entries = store::log::list_entries_of_sessions(snapshot, sessions).await?;
    entries.retain(|entry| entry.position <= position(to, entry.shard));
    let mut changes = Vec::new();
    let is_of_same = |one: &EntryRow, other: &EntryRow| (one.shard, one.session_id) == (other.shard, other.session_id);
    for of_session in entries.chunk_by(is_of_same) {
        let Some(first) = of_session.first() else { continue };
        let shard = first.shard;
        let found = change::list_changes(of_session.to_vec(), position(from, shard));
        changes.extend(found.into_iter().map(|change| (shard, change)));
    }
    Ok(changes)
}

/// How many entries of each shard are read.
fn share(most: usize, shards: usize) -> i64 {
    i64::try_from(most / shards.max(1)).unwrap_or(i64::MAX).max(1)
}

/// What tells of events that retention has dropped: all up to this one.
fn gap_body(event: &Event) -> Vec<u8> {
    let data = GapData { reason: GapReason::Retention, recorded_until: event.recorded_at, callbacks: None };
    body_of(&EventView { event_type: event.event_type, timestamp: event.recorded_at, data })
}

fn view(notice: NoticeRow) -> EventView<serde_json::Value> {
    EventView { event_type: notice.event_type, timestamp: notice.noticed_at, data: notice.data }
}

fn body_of(view: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(view).unwrap_or_else(|_| unreachable!("an event has only keys that are text"))
}

/// The time from which events are recorded, for a webhook that begins in the past.
pub async fn find_cursor(
    connection: &mut PgConnection,
    begin_at: Option<DateTime<Utc>>,
) -> Result<Vec<Place>, sqlx::Error> {
    let shards = match begin_at {
        None => store::webhook::list_heads(&mut *connection).await?,
        Some(begin_at) => store::webhook::list_positions_before(&mut *connection, begin_at).await?,
    };
    let notices = store::notice::get_notice_head(&mut *connection, begin_at).await?;
    Ok(shards.into_iter().map(|row| (row.shard, row.position)).chain([(NOTICES, notices)]).collect())
}
