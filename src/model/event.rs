//! Closed sets about events of the log.

use super::closed_set;

closed_set! {
    /// Where an event comes from.
    pub enum Origin {
        Provider,
        Inference,
        Operator,
        /// The provider's lists, which the service reads.
        Poll,
    }
}

closed_set! {
    /// An event that is not the provider's, by the word that the log has for it. A release is known by its disposition.
    pub enum OwnEvent {
        /// A later push of the stream began.
        Superseded = "SUPERSEDED",
        /// No end came for too long.
        TimedOut = "TIMED_OUT",
        OperatorEnd = "OPERATOR_END",
        OperatorEndWithdrawn = "OPERATOR_END_WITHDRAWN",
        /// An operator confirmed that the session is live.
        OperatorConfirmed = "OPERATOR_CONFIRMED",
        /// The provider's list of streams on air had the push.
        Listed = "LISTED",
        /// The provider's list no longer has the push.
        Unlisted = "UNLISTED",
        /// The provider's history has the push, and its end.
        History = "HISTORY",
        /// The session was known only from the history and is the push of another session: it no longer counts.
        Replaced = "REPLACED",
    }
}

impl OwnEvent {
    pub fn origin(self) -> Origin {
        match self {
            Self::Superseded | Self::TimedOut => Origin::Inference,
            Self::OperatorEnd | Self::OperatorEndWithdrawn | Self::OperatorConfirmed => Origin::Operator,
            Self::Listed | Self::Unlisted | Self::History | Self::Replaced => Origin::Poll,
        }
    }
}

closed_set! {
    /// Whether an event counts.
    pub enum Disposition {
        Accepted,
        Quarantined,
        /// Replaces a quarantined event, and counts.
        Released,
    }
}

closed_set! {
    /// How a callback was authenticated.
    #[schema(as = SignatureKind)]
    pub enum Signature {
        Verified,
        /// Authenticated by the secret path alone.
        Unsigned,
    }
}

closed_set! {
    /// Why a callback was quarantined.
    #[schema(as = QuarantineReasonWord)]
    pub enum QuarantineReason {
        /// The signature expired longer ago than the grace period.
        Expired,
        /// The push started too long before or after the signature's expiry.
        StartOutsideWindow,
        /// It ends a push that started after the signature had expired.
        EndPredatesSession,
        /// Its signature was used before, with another stream: the signed fields were split differently.
        SignatureOfAnotherStream,
        /// Its signature was used before, with another push of the stream.
        SignatureOfAnotherPush,
        /// It ends a push whose start was never received and is too long ago.
        EndOfUnknownPush,
    }
}

closed_set! {
    /// What became of the release of an event.
    pub enum ReleaseOutcome {
        Released,
        /// It was released before.
        ReleasedBefore,
        /// There is no such quarantined event.
        NotQuarantined,
    }
}

closed_set! {
    /// An unsigned member of a callback that could not be kept as it was sent.
    #[schema(as = AlteredMemberWord)]
    pub enum AlteredMember {
        UserArgs,
        ClientIp,
        NodeIp,
        /// Some of the undocumented members.
        Undocumented,
    }
}
