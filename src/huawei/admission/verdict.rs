//! What becomes of a message, in the words that stand in the log, in metrics and in answers.

use uuid::Uuid;

use crate::huawei::signature::Signature;
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;

/// How a message was found to be genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Signed with one of the domain's keys.
    Verified {
        key_id: Uuid,
        /// Unix second at which the signature expires.
        auth_timestamp: i64,
        auth_sign: Signature,
    },
    /// Not signed: it knew the secret path.
    Unsigned,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Genuine and timely: it counts.
    Accept(Authentication),
    /// Genuine, but does not count until an operator releases it.
    Quarantine(Authentication, QuarantineReason),
    /// Not shown to be genuine: not kept.
    Reject(RejectionReason),
}
