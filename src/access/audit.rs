//! Who did what: every administrative act is written down in the transaction that does it, or, if it goes into the
//! event log, whose appends commit by themselves, just before.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::Actor;
use crate::store;
use crate::store::audit::AuditRow;

/// A kind of administrative act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A domain was registered.
    DomainRegistered,
    /// A domain's settings were changed.
    DomainChanged,
    /// A domain was removed, with its keys.
    DomainRemoved,
    /// A callback key was added.
    KeyAdded,
    /// A callback key was removed.
    KeyRemoved,
    /// A domain got a new secret path.
    CallbackPathReplaced,
    /// A token was made.
    TokenCreated,
    /// A token was revoked.
    TokenRevoked,
    /// A quarantined message was let count.
    EventReleased,
    /// An operator said when a session ended.
    SessionEnded,
    /// An operator took that back.
    SessionEndWithdrawn,
    /// A sealed report was deleted.
    SealedReportDeleted,
    /// Events that a wrong clock recorded in the future were moved to the present.
    ClockRepaired,
    /// The callback keys were sealed under another master key.
    MasterKeyRotated,
}

impl Act {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::DomainRegistered,
        Self::DomainChanged,
        Self::DomainRemoved,
        Self::KeyAdded,
        Self::KeyRemoved,
        Self::CallbackPathReplaced,
        Self::TokenCreated,
        Self::TokenRevoked,
        Self::EventReleased,
        Self::SessionEnded,
        Self::SessionEndWithdrawn,
        Self::SealedReportDeleted,
        Self::ClockRepaired,
        Self::MasterKeyRotated,
    ];

    /// The word that is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DomainRegistered => "domain_registered",
            Self::DomainChanged => "domain_changed",
            Self::DomainRemoved => "domain_removed",
            Self::KeyAdded => "key_added",
            Self::KeyRemoved => "key_removed",
            Self::CallbackPathReplaced => "callback_path_replaced",
            Self::TokenCreated => "token_created",
            Self::TokenRevoked => "token_revoked",
            Self::EventReleased => "event_released",
            Self::SessionEnded => "session_ended",
            Self::SessionEndWithdrawn => "session_end_withdrawn",
            Self::SealedReportDeleted => "sealed_report_deleted",
            Self::ClockRepaired => "clock_repaired",
            Self::MasterKeyRotated => "master_key_rotated",
        }
    }
}

/// What an act was done to.
#[derive(Debug, Clone, Default)]
pub struct Subject<'a> {
    /// The domain that it is about.
    pub domain: Option<&'a str>,
    /// The key, token, log entry or sealed report.
    pub id: Option<Uuid>,
    /// What else there is to say; never a secret.
    pub details: Option<Value>,
}

/// Writes an act down.
///
/// # Errors
/// Those of the database.
pub async fn record(
    executor: impl PgExecutor<'_>,
    actor: &Actor,
    done_at: DateTime<Utc>,
    act: Act,
    subject: Subject<'_>,
) -> Result<(), sqlx::Error> {
    let row = AuditRow {
        audit_id: Uuid::new_v4(),
        done_at,
        actor: actor.name.clone(),
        token_id: actor.token_id,
        act: act.as_str().to_owned(),
        domain: subject.domain.map(str::to_owned),
        subject_id: subject.id,
        details: subject.details,
    };
    store::audit::insert_audit_entry(executor, &row).await
}
