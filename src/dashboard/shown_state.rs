//! The state in which a session or a stream is shown.

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::texts::Language;
use crate::session::lifecycle::is_unconfirmed;
use crate::store::session::SessionRow;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownState {
    Live,
    /// Live for longer than expected.
    Unconfirmed,
    Ended,
}

impl ShownState {
    /// The state of a session at a time.
    pub fn of_session(row: &SessionRow, at: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Self {
        Self::of(row.ended_at.is_none().then(|| row.known_live_at()), at, unconfirmed_after)
    }

    /// The state at a time of what is live and was last known to be so at `known_live_at`; `None` if it has ended.
    pub fn of(known_live_at: Option<DateTime<Utc>>, at: DateTime<Utc>, unconfirmed_after: TimeDelta) -> Self {
        let Some(known_live_at) = known_live_at else { return Self::Ended };
        if is_unconfirmed(known_live_at, None, at, unconfirmed_after) { Self::Unconfirmed } else { Self::Live }
    }

    pub fn is_unconfirmed(self) -> bool {
        self == Self::Unconfirmed
    }

    /// The class of a row.
    pub fn row_class(self) -> Option<&'static str> {
        self.is_unconfirmed().then_some("stale")
    }

    /// The state in a word, with its mark.
    pub fn show(self, text: Language) -> Markup {
        match self {
            Self::Live => html! { span.state.live { (text.state_live()) } },
            Self::Unconfirmed => {
                html! { span.state.unconfirmed title=(text.unconfirmed_means()) { (text.state_unconfirmed()) } }
            }
            Self::Ended => html! { span.state.ended { (text.state_ended()) } },
        }
    }
}
