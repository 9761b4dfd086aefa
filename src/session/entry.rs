//! What an entry of the log can say about a session.

use chrono::{DateTime, Utc};

/// One entry of the log, as far as folding cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub position: i64,
    /// The database's clock when it was appended; grows with the position.
    pub recorded_at: DateTime<Utc>,
    pub fact: Fact,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The push started.
    Started(Receipt),
    /// The push ended.
    Ended(Receipt),
    /// The provider said something that is not documented.
    Unknown,
    /// A message that does not count unless an operator releases it.
    Quarantined,
    /// An operator let a quarantined message count: it is folded as if it had been accepted.
    Released(Box<Fact>),
    /// A later push of the stream began, so this one is over.
    Superseded { ended_at: DateTime<Utc> },
    /// No end came for so long that none will.
    TimedOut { ended_at: DateTime<Utc> },
    /// An operator says when the push ended.
    OperatorEnd { ended_at: DateTime<Utc> },
    /// An operator takes that back.
    OperatorEndWithdrawn,
}

/// One message of the provider that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub received_at: DateTime<Utc>,
    /// When its signature expires; `None` when it is not signed. The message was made before that.
    pub signature_expires_at: Option<DateTime<Utc>>,
    pub shares_signature: bool,
    /// What it says beside the key. Not covered by the signature: shown, never billed by.
    pub details: Details,
}

/// What a message says beside its key, and what was decided of it at receipt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Details {
    /// The encoder's address, as text.
    pub client_ip: Option<String>,
    /// The receiving node's address, as text.
    pub node_ip: Option<String>,
    /// Query string of the push URL, its credentials masked.
    pub user_args: Option<String>,
    /// The template that made this rendition; `None` for a source stream.
    pub rendition_template: Option<String>,
    /// Addresses or `user_args` were there, and are no longer kept.
    pub redacted: bool,
}
