//! What becomes of a message, in the words that stand in the log, in metrics and in answers.

use uuid::Uuid;

use crate::huawei::signature::Signature;

/// How a message was found to be genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Signed with one of the domain's keys.
    Verified {
        /// The key that it fits.
        key_id: Uuid,
        /// Unix second at which the signature expires.
        auth_timestamp: i64,
        /// The signature.
        auth_sign: Signature,
    },
    /// Not signed: it knew the secret path.
    Unsigned,
}

/// Why a genuine message does not count by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineReason {
    /// The signature expired longer ago than the grace.
    Expired,
    /// The push it announces started too long before or after the signature's expiry.
    StartOutsideWindow,
    /// It ends a push that began after the signature had expired.
    EndPredatesSession,
    /// Its signature came before, with another stream: the fields that it covers were split in another way.
    SignatureOfAnotherStream,
    /// Its signature came before, with another push of the stream.
    SignatureOfAnotherPush,
    /// It ends a push whose start was never received, and lies too long ago.
    EndOfUnknownPush,
}

impl QuarantineReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::Expired,
        Self::StartOutsideWindow,
        Self::EndPredatesSession,
        Self::SignatureOfAnotherStream,
        Self::SignatureOfAnotherPush,
        Self::EndOfUnknownPush,
    ];

    /// The word that stands in the log and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::StartOutsideWindow => "start_outside_window",
            Self::EndPredatesSession => "end_predates_session",
            Self::SignatureOfAnotherStream => "signature_of_another_stream",
            Self::SignatureOfAnotherPush => "signature_of_another_push",
            Self::EndOfUnknownPush => "end_of_unknown_push",
        }
    }
}

/// Why a message is refused. Told to operators, never to the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalCause {
    /// No such domain is registered; domains match exactly.
    UnknownDomain,
    /// The domain's list of applications does not have this one.
    AppNotAllowed,
    /// An unsigned domain's message did not come through its secret path.
    SecretPathMissing,
    /// It came through a secret path that is not this domain's.
    SecretPathWrong,
    /// The domain wants signatures and has no key.
    NoKey,
    /// `auth_sign` or `auth_timestamp` is not there.
    SignatureMissing,
    /// `auth_sign` is not 64 hexadecimal digits.
    SignatureMalformed,
    /// `auth_timestamp` does not have exactly ten digits.
    ExpiryMalformed,
    /// `auth_timestamp` lies too far in the future.
    ExpiryTooFar,
    /// No active key makes this signature.
    SignatureMismatch,
}

impl RefusalCause {
    /// Every cause.
    pub const ALL: [Self; 10] = [
        Self::UnknownDomain,
        Self::AppNotAllowed,
        Self::SecretPathMissing,
        Self::SecretPathWrong,
        Self::NoKey,
        Self::SignatureMissing,
        Self::SignatureMalformed,
        Self::ExpiryMalformed,
        Self::ExpiryTooFar,
        Self::SignatureMismatch,
    ];

    /// The word that stands in logs, metrics and answers to operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownDomain => "unknown_domain",
            Self::AppNotAllowed => "app_not_allowed",
            Self::SecretPathMissing => "secret_path_missing",
            Self::SecretPathWrong => "secret_path_wrong",
            Self::NoKey => "no_key",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureMalformed => "signature_malformed",
            Self::ExpiryMalformed => "expiry_malformed",
            Self::ExpiryTooFar => "expiry_too_far",
            Self::SignatureMismatch => "signature_mismatch",
        }
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Genuine and timely: it counts.
    Accept(Proof),
    /// Genuine, but does not count until an operator releases it.
    Quarantine(Proof, QuarantineReason),
    /// Not shown to be genuine: not kept.
    Refuse(RefusalCause),
}
