//! Closed sets about sessions and streams.

use chrono::{DateTime, Utc};

use super::closed_set;

closed_set! {
    /// Whether a session is live, as it is stored.
    pub enum Status {
        /// Only quarantined callbacks so far: no session to a caller.
        Unseen,
        /// No end is known.
        Live,
        /// An end is known.
        Ended,
    }
}

closed_set! {
    /// Whether a session is live, as callers see it.
    pub enum SessionStatus {
        Live,
        Ended,
    }
}

impl SessionStatus {
    pub fn of(ended_at: Option<DateTime<Utc>>) -> Self {
        if ended_at.is_some() { Self::Ended } else { Self::Live }
    }
}

closed_set! {
    /// Who says that a session ended.
    #[schema(as = EndedAtSource)]
    pub enum EndSource {
        /// The provider's `PUBLISH_DONE`.
        Notification,
        /// A later push of the same stream that lasted.
        Superseded,
        /// No end for too long.
        TimedOut,
        Operator,
    }
}

impl EndSource {
    /// Whether the end was reported. The seconds of a session whose end was inferred are an estimate.
    pub fn is_confirmed(self) -> bool {
        match self {
            Self::Notification | Self::Operator => true,
            Self::Superseded | Self::TimedOut => false,
        }
    }
}

closed_set! {
    /// What a reader should know about a session.
    #[schema(as = SessionFlag)]
    pub enum Flag {
        /// The end was received, the start never.
        StartMissing,
        /// The end was noticed before the start by our clock; the session counts as zero seconds.
        EndBeforeStart,
        /// Two pushes of the stream began in the same second and cannot be told apart.
        KeyConflict,
        /// Callbacks of the session are quarantined.
        QuarantinedMessages,
        /// A callback that counts carried a signature that another push had used before: both came within a second.
        SharedSignature,
    }
}

closed_set! {
    /// Which time of a session a period is compared with.
    #[schema(as = TimeFieldWord)]
    #[derive(Default)]
    pub enum TimeField {
        /// The session was live at some moment of the period.
        #[default]
        Overlap,
        StartedAt,
        EndedAt,
    }
}

closed_set! {
    /// The order of sessions.
    #[schema(as = SortWord)]
    #[derive(Default)]
    pub enum SessionOrder {
        #[default]
        NewestFirst = "-started_at",
        OldestFirst = "started_at",
    }
}

closed_set! {
    /// How counts are grouped.
    #[schema(as = GroupBy)]
    pub enum LiveGrouping {
        Domain,
        DomainAndApp = "domain,app",
    }
}

closed_set! {
    /// Whether transcoded renditions are wanted.
    #[schema(as = RenditionsWanted)]
    #[derive(Default)]
    pub enum Renditions {
        #[default]
        Include,
        Exclude,
        Only,
    }
}

closed_set! {
    /// Whether a stream is live.
    pub enum StreamStatus {
        Live,
        Offline,
    }
}

impl StreamStatus {
    pub fn of(live_sessions: i64) -> Self {
        if live_sessions > 0 { Self::Live } else { Self::Offline }
    }
}
