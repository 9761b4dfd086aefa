//! Changes as text of `text/event-stream`. Each is put into words once, for however many listeners.

use std::sync::{Arc, OnceLock};

use actix_web::web::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::api::cursor_cipher::CursorCipher;
use crate::api::views::SessionView;
use crate::query::changes::{Changes, Positions};
use crate::store::session::SessionRow;

/// How many bytes a listener is sent at a time, give or take an event.
const PIECE_BYTES: usize = 32 * 1024;

/// What resume points are bound to, so that no cursor of a list is one.
const BOUND_TO: &str = "resume point of /v1/live/changes";

/// Makes and reads resume points: sealed, as they tell how much is received for others.
pub(crate) fn resume_point(sealer: &CursorCipher, positions: &Positions) -> String {
    sealer.seal(BOUND_TO, positions).unwrap_or_default()
}

/// The positions of a resume point, if it is one.
pub(crate) fn read_resume_point(sealer: &CursorCipher, text: &str) -> Option<Positions> {
    sealer.open(BOUND_TO, text)
}

/// What changed on the way from one moment to a later one, ready to be told.
pub(crate) struct Stretch {
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
pub(crate) struct Wanted<'a> {
    /// Whether a session is wanted, and may be seen.
    pub session: &'a dyn Fn(&SessionRow) -> bool,
    /// Whether personal fields may be seen.
    pub personal: bool,
}

impl Stretch {
    pub(crate) fn new(
        from: Positions,
        to: Positions,
        changes: Changes,
        sealer: &CursorCipher,
        unconfirmed_after: TimeDelta,
    ) -> Self {
        let Changes { sessions, as_of } = changes;
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

    fn words_of<'a>(&self, changed: &'a Changed, personal: bool) -> &'a str {
        let [public, with_personal] = &changed.words;
        let words = if personal { with_personal } else { public };
        words.get_or_init(|| {
            let view = SessionView::new(changed.row.clone(), personal, self.as_of, self.unconfirmed_after);
            serde_json::to_string(&view).unwrap_or_default()
        })
    }
}

/// A stretch that is being told to one listener.
pub(crate) struct Telling {
    stretch: Arc<Stretch>,
    /// How many of its sessions were told or passed over.
    passed: usize,
}

impl Telling {
    pub(crate) fn begin(stretch: Arc<Stretch>) -> Self {
        Self { stretch, passed: 0 }
    }

    /// The next events of it that are for this listener; empty after the last.
    ///
    /// Whoever resumes by the last one has seen the whole stretch; by another one, sees it again from its beginning.
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

    /// Where whoever was told all of it has come to.
    pub(crate) fn end(self) -> Positions {
        self.stretch.to.clone()
    }
}

/// A heartbeat that moves the listener's resume point.
///
/// Firefox and several libraries take over an `id` only with an event that they dispatch, which an event without a data line
/// is not: hence the empty data.
pub(crate) fn position_event(resume_point: &str) -> Bytes {
    format!(": still here\nevent: position\nid: {resume_point}\ndata:\n\n").into()
}
