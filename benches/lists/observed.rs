//! What the service shows of the pushes while they happen.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::schedule::PlannedPush;

/// What was shown of a push. Times between two samples count as the later one shows them.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    is_live: bool,
    was_live: bool,
    /// How long it was shown live although it was over.
    pub wrong_live: TimeDelta,
    /// How long it was shown as ended although it was on air.
    pub wrong_ended: TimeDelta,
    /// Since when it is shown as over.
    pub over_at: Option<DateTime<Utc>>,
}

impl Shown {
    /// Takes a sample of `now`; the one before was at `before`.
    fn note(&mut self, push: &PlannedPush, is_live: bool, before: DateTime<Utc>, now: DateTime<Utc>) {
        if is_live && now > push.ended_at {
            self.wrong_live += now - before.max(push.ended_at);
        }
        if !is_live && self.was_live && now < push.ended_at {
            self.wrong_ended += now - before;
        }
        if is_live {
            self.over_at = None;
        } else if self.is_live {
            self.over_at = Some(now);
        }
        self.is_live = is_live;
        self.was_live |= is_live;
    }
}

/// What was shown of the pushes of a domain, in the order of the pushes.
pub struct Observed {
    pub domain: &'static str,
    pub shown: Vec<Shown>,
    sampled_at: DateTime<Utc>,
}

impl Observed {
    pub fn new(domain: &'static str, pushes: usize, now: DateTime<Utc>) -> Self {
        Self { domain, shown: vec![Shown::default(); pushes], sampled_at: now }
    }

    /// Takes the live sessions of `now`.
    pub fn note(&mut self, pushes: &[PlannedPush], live: &[Value], now: DateTime<Utc>) {
        let live: HashSet<&str> = live.iter().filter_map(|session| text(session, "stream")).collect();
        for (push, shown) in pushes.iter().zip(&mut self.shown) {
            shown.note(push, live.contains(push.stream.as_str()), self.sampled_at, now);
        }
        self.sampled_at = now;
    }
}

/// What is known of a domain's pushes at the end.
pub struct Final {
    /// The status, and the source of the end, of the session of each stream.
    pub sessions: HashMap<String, (String, String)>,
    /// Billed seconds, by stream.
    pub billed: HashMap<String, i64>,
    /// Events that follow from the provider's lists.
    pub events: usize,
    pub differences: usize,
}

impl Final {
    pub fn new(sessions: &[Value], report: &[Value], events: usize, differences: usize) -> Self {
        let of_session = |session: &Value| {
            let source = text(session, "ended_at_source").unwrap_or_default();
            let state = (text(session, "status")?.to_owned(), source.to_owned());
            Some((text(session, "stream")?.to_owned(), state))
        };
        let of_row = |row: &Value| Some((text(row, "stream")?.to_owned(), row.get("push_seconds")?.as_i64()?));
        Self {
            sessions: sessions.iter().filter_map(of_session).collect(),
            billed: report.iter().filter_map(of_row).collect(),
            events,
            differences,
        }
    }

    /// How far the bill of a push is from the truth, in seconds.
    pub fn wrong_bill(&self, push: &PlannedPush) -> i64 {
        (self.billed.get(&push.stream).copied().unwrap_or_default() - push.true_seconds()).abs()
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
