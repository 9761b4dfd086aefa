//! The results of admission, as the log, metrics and responses name them.

use uuid::Uuid;

use crate::huawei::signature::Signature;
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;

/// How a callback was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Signed with one of the domain's keys.
    Verified {
        key_id: Uuid,
        /// Expiry of the signature, in Unix seconds.
        auth_timestamp: i64,
        auth_sign: Signature,
    },
    /// Unsigned, but sent to the secret path.
    Unsigned,
}

/// The decision about a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Authenticated and timely: counts.
    Accept(Authentication),
    /// Authenticated, but does not count unless an operator releases it.
    Quarantine(Authentication, QuarantineReason),
    /// Not authenticated: not stored.
    Reject(RejectionReason),
}
