//! The facts about a session that an event of the log contains.

use chrono::{DateTime, Utc};

/// An event of the log, reduced to what folding needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub position: i64,
    /// The database's clock when it was appended; grows with the position.
    pub recorded_at: DateTime<Utc>,
    pub fact: Fact,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The push started.
    Started(Receipt),
    /// The push ended.
    Ended(Receipt),
    /// The provider reported an undocumented event.
    Unknown,
    /// A callback without effect, unless an operator releases it.
    Quarantined,
    /// An operator released a quarantined callback: it is folded as if it had been accepted.
    Released(Box<Fact>),
    /// A later push of the stream started, so this one has ended.
    Superseded { ended_at: DateTime<Utc> },
    /// The session was live for so long that no end is expected.
    TimedOut { ended_at: DateTime<Utc> },
    /// An operator set the end of the push.
    OperatorEnd { ended_at: DateTime<Utc> },
    /// An operator withdrew that end.
    OperatorEndWithdrawn,
    /// An operator confirmed that the session is live.
    OperatorConfirmed { confirmed_at: DateTime<Utc> },
    /// The provider's list of streams on air had the push.
    Listed { listed_at: DateTime<Utc> },
    /// The provider's list no longer has the push.
    Unlisted(Unlisted),
    /// The provider's history has the push, and its end.
    History { ended_at: DateTime<Utc> },
    /// It was known by the history alone, and is the push of another session, whose callbacks came later.
    Replaced,
}

/// A push that the provider no longer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unlisted {
    /// When the first list without it was read.
    pub unlisted_at: DateTime<Utc>,
    /// The last time at which it is known to have been on air.
    pub ended_at: DateTime<Utc>,
}

/// An accepted callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub received_at: DateTime<Utc>,
    /// When its signature expires; `None` when it is not signed. The callback was sent before that.
    pub signature_expires_at: Option<DateTime<Utc>>,
    pub shares_signature: bool,
    /// The members outside the key. The signature does not cover them: they are displayed, never billed.
    pub details: Details,
}

/// The members of a callback outside the key, and what receiving derived from it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Details {
    /// The encoder's address, as text.
    pub client_ip: Option<String>,
    /// The receiving node's address, as text.
    pub node_ip: Option<String>,
    /// Query string of the push URL, its credentials masked.
    pub user_args: Option<String>,
    /// The template that created this rendition; `None` for a source stream.
    pub rendition_template: Option<String>,
    /// Addresses or `user_args` existed, and are redacted.
    pub redacted: bool,
}
