//! Closed sets about sessions and streams.

use chrono::{DateTime, Utc};

use super::closed_set;

closed_set! {
    /// Status of a session, as it is stored.
    pub enum Status {
        /// No accepted start or end yet, only quarantined callbacks or unknown events, and the provider's history does not have
        /// it: callers do not see it.
        Unseen,
        /// No end is known.
        Live,
        /// An end is known.
        Ended,
    }
}

closed_set! {
    /// Status of a session, as callers see it.
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
    /// The source of a session's end.
    #[schema(as = EndedAtSource)]
    pub enum EndSource {
        /// The provider's `PUBLISH_DONE`.
        Notification,
        /// A later push of the same stream, which lasted long enough.
        Superseded,
        /// No end for too long.
        TimedOut,
        Operator,
        /// The provider's list of streams on air no longer has it.
        Unlisted,
        /// The provider's history of pushes.
        ProviderHistory,
    }
}

impl EndSource {
    /// Whether the end was reported. The seconds of a session whose end was inferred are an estimate.
    pub fn is_confirmed(self) -> bool {
        match self {
            Self::Notification | Self::Operator | Self::ProviderHistory => true,
            Self::Superseded | Self::TimedOut | Self::Unlisted => false,
        }
    }
}

closed_set! {
    /// An anomaly of a session.
    #[schema(as = SessionFlag)]
    pub enum Flag {
        /// The end was received, the start was not.
        StartMissing,
        /// No callback was received: only the provider's history has the push.
        StartListed,
        /// By the service's clock, the end was noticed before the start; the session counts as zero seconds.
        EndBeforeStart,
        /// Two pushes of the stream started in the same second and cannot be distinguished.
        KeyConflict,
        /// Callbacks of the session are quarantined.
        QuarantinedMessages,
        /// An accepted callback has a signature that another push had used before: both arrived within the sharing
        /// window.
        SharedSignature,
    }
}

closed_set! {
    /// The time of a session that a period filters by.
    #[schema(as = TimeFieldWord)]
    #[derive(Default)]
    pub enum TimeField {
        /// The session was live at some time in the period.
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
    /// The order of live sessions.
    #[derive(Default)]
    pub enum LiveOrder {
        #[default]
        NewestFirst = "-started_at",
        OldestFirst = "started_at",
        /// By domain, app and stream.
        Name = "name",
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
    /// Whether to include transcoded renditions.
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
    /// Status of a stream.
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
