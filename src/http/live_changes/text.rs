//! Changes as text of `text/event-stream`. Each is put into words once, for however many listeners.

use std::sync::OnceLock;

use actix_web::web::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::http::sealer::Sealer;
use crate::http::sessions::SessionView;
use crate::query::changes::{Changes, Positions};
use crate::store::session::SessionRow;

/// What resume points are bound to, so that no cursor of a list is one.
const BOUND_TO: &str = "resume point of /v1/live/changes";

/// Makes and reads resume points: sealed, as they tell how much is received for others.
pub(super) fn resume_point(sealer: &Sealer, positions: &Positions) -> String {
    sealer.seal(BOUND_TO, positions).unwrap_or_default()
}

/// The positions of a resume point, if it is one.
pub(super) fn read_resume_point(sealer: &Sealer, text: &str) -> Option<Positions> {
    sealer.open(BOUND_TO, text)
}

/// What changed on the way from one moment to a later one, ready to be told.
pub(super) struct Stretch {
    /// The earlier moment.
    pub from: Positions,
    /// The later moment.
    pub to: Positions,
    from_id: String,
    to_id: String,
    changed: Vec<Changed>,
    as_of: DateTime<Utc>,
    unconfirmed_after: TimeDelta,
}

struct Changed {
    row: SessionRow,
    /// Without personal fields, and with them.
    words: [OnceLock<String>; 2],
}

/// What one listener is to be told.
pub(super) struct Wanted<'a> {
    /// Whether a session is wanted, and may be seen.
    pub session: &'a dyn Fn(&SessionRow) -> bool,
    /// Whether personal fields may be seen.
    pub personal: bool,
}

impl Stretch {
    pub(super) fn new(from: Positions, changes: Changes, sealer: &Sealer, unconfirmed_after: TimeDelta) -> Self {
        let Changes { to, sessions, as_of } = changes;
        let unsaid = |row| Changed { row, words: [OnceLock::new(), OnceLock::new()] };
        Self {
            from_id: resume_point(sealer, &from),
            to_id: resume_point(sealer, &to),
            changed: sessions.into_iter().map(unsaid).collect(),
            from,
            to,
            as_of,
            unconfirmed_after,
        }
    }

    /// Its events for one listener; empty when nothing of it is for them.
    ///
    /// Whoever resumes by the last one has seen all of it; by another one, sees it again from its beginning.
    pub(super) fn tell(&self, wanted: &Wanted<'_>) -> Bytes {
        let visible: Vec<_> = self.changed.iter().filter(|changed| (wanted.session)(&changed.row)).collect();
        let Some((last, others)) = visible.split_last() else { return Bytes::new() };
        let mut text = String::new();
        let told = others.iter().map(|changed| (changed, &self.from_id)).chain([(last, &self.to_id)]);
        for (changed, id) in told {
            text.push_str("event: session\nid: ");
            text.push_str(id);
            text.push_str("\ndata: ");
            text.push_str(self.words_of(changed, wanted.personal));
            text.push_str("\n\n");
        }
        text.into()
    }

    fn words_of<'a>(&self, changed: &'a Changed, personal: bool) -> &'a str {
        let [public, with_personal] = &changed.words;
        let words = if personal { with_personal } else { public };
        words.get_or_init(|| {
            let view = SessionView::new(changed.row.clone(), personal, self.as_of, self.unconfirmed_after);
            serde_json::to_string(&view).unwrap_or_default()
        })
    }
}

/// A heartbeat that moves the listener's resume point.
///
/// Firefox and several libraries take over an `id` only with an event that they dispatch, which an event without a data line
/// is not: hence the empty data.
pub(super) fn position_event(resume_point: &str) -> Bytes {
    format!(": still here\nevent: position\nid: {resume_point}\ndata:\n\n").into()
}
