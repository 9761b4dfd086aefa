//! Alerts operators when signatures are misused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::event::QuarantineReason;
use crate::telemetry::request_id;

/// How long a domain and reason are not logged again.
const SILENCE: TimeDelta = TimeDelta::minutes(1);

/// Logs at most one line a minute for each domain and reason. Only registered domains get here, so the map stays small.
#[derive(Debug, Default)]
pub struct Alarms(Mutex<HashMap<(String, &'static str), DateTime<Utc>>>);

impl Alarms {
    /// Records that a callback of a registered domain was quarantined.
    pub fn quarantined(&self, domain: &str, reason: QuarantineReason, now: DateTime<Utc>) {
        match reason {
            QuarantineReason::SignatureOfAnotherStream | QuarantineReason::SignatureOfAnotherPush => {}
            QuarantineReason::Expired
            | QuarantineReason::StartOutsideWindow
            | QuarantineReason::EndPredatesSession
            | QuarantineReason::EndOfUnknownPush => return,
        }
        let key = (domain.to_owned(), reason.as_str());
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(&key).is_some_and(|last| now - *last < SILENCE) {
            return;
        }
        said.insert(key, now);
        drop(said);
        tracing::error!(
            request_id = request_id::of_line(),
            domain,
            reason = reason.as_str(),
            "a signature was reused with other fields: captured callbacks may be replayed; see \
             /v1/events?disposition=quarantined"
        );
    }
}
