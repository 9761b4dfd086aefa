//! Changes as `text/event-stream`. Each change is serialized once for all listeners.

use std::sync::{Arc, OnceLock};

use actix_web::web::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::api::cursor_cipher::CursorCipher;
use crate::api::views::SessionView;
use crate::query::changes::{Changes, Positions};
use crate::store::session::SessionRow;

/// Approximate size of a chunk in bytes.
const PIECE_BYTES: usize = 32 * 1024;

/// Resume points are bound to it, so that cursors of lists are not accepted.
const BOUND_TO: &str = "resume point of /v1/live/changes";

/// Resume points are encrypted: positions reveal how much is received for other domains.
pub(crate) fn resume_point(cipher: &CursorCipher, positions: &Positions) -> String {
    cipher.seal(BOUND_TO, positions).unwrap_or_default()
}

pub(crate) fn read_resume_point(cipher: &CursorCipher, text: &str) -> Option<Positions> {
    cipher.open(BOUND_TO, text)
}

/// The changes between two positions.
pub(crate) struct Stretch {
    pub from: Positions,
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

/// The filter of a listener.
pub(crate) struct Wanted<'a> {
    /// Whether the listener wants a session and may see it.
    pub session: &'a dyn Fn(&SessionRow) -> bool,
    pub personal: bool,
}

impl Stretch {
    pub(crate) fn new(
        from: Positions,
        to: Positions,
        changes: Changes,
        cipher: &CursorCipher,
        unconfirmed_after: TimeDelta,
    ) -> Self {
        let Changes { sessions, as_of } = changes;
        let unserialized = |row| Changed { row, words: [OnceLock::new(), OnceLock::new()] };
        Self {
            from_id: resume_point(cipher, &from),
            to_id: resume_point(cipher, &to),
            changed: sessions.into_iter().map(unserialized).collect(),
            from,
            to,
            as_of,
            unconfirmed_after,
        }
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

/// A stretch that is being sent to one listener.
pub(crate) struct Telling {
    stretch: Arc<Stretch>,
    /// How many of its sessions were sent or skipped.
    passed: usize,
}

impl Telling {
    pub(crate) fn begin(stretch: Arc<Stretch>) -> Self {
        Self { stretch, passed: 0 }
    }

    /// The next events for this listener; empty after the last.
    ///
    /// A listener that resumes at the last event continues after the stretch; at another event, it gets the stretch again.
    pub(crate) fn next_piece(&mut self, wanted: &Wanted<'_>) -> Bytes {
        let stretch = &*self.stretch;
        let rest = stretch.changed.iter().enumerate().skip(self.passed);
        let mut visible = rest.filter(|(_, changed)| (wanted.session)(&changed.row)).peekable();
        let mut text = String::new();
        while text.len() < PIECE_BYTES
            && let Some((place, changed)) = visible.next()
        {
            let id = if visible.peek().is_some() { &stretch.from_id } else { &stretch.to_id };
            text.push_str("event: session\nid: ");
            text.push_str(id);
            text.push_str("\ndata: ");
            text.push_str(stretch.words_of(changed, wanted.personal));
            text.push_str("\n\n");
            self.passed = place + 1;
        }
        text.into()
    }

    /// The position after the whole stretch.
    pub(crate) fn end(self) -> Positions {
        self.stretch.to.clone()
    }
}

/// A heartbeat that moves the listener's resume point.
///
/// Firefox and several libraries store an `id` only with an event that they dispatch, and they do not dispatch an event
/// without a data line: hence the empty data.
pub(crate) fn position_event(resume_point: &str) -> Bytes {
    format!(": still here\nevent: position\nid: {resume_point}\ndata:\n\n").into()
}
