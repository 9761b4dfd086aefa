//! Closed sets about events of the log.

use super::closed_set;

closed_set! {
    /// Where an event comes from.
    pub enum Origin {
        Provider,
        Inference,
        Operator,
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
    }
}

impl OwnEvent {
    pub fn origin(self) -> Origin {
        match self {
            Self::Superseded | Self::TimedOut => Origin::Inference,
            Self::OperatorEnd | Self::OperatorEndWithdrawn => Origin::Operator,
        }
    }
}

closed_set! {
    /// Whether an event counts.
    pub enum Disposition {
        Accepted,
        Quarantined,
        /// Counts in the place of a quarantined event.
        Released,
    }
}

closed_set! {
    /// How a callback was authenticated.
    #[schema(as = SignatureKind)]
    pub enum Signature {
        Verified,
        /// By the secret path alone.
        Unsigned,
    }
}

closed_set! {
    /// Why an authenticated callback does not count by itself.
    #[schema(as = QuarantineReasonWord)]
    pub enum QuarantineReason {
        /// The signature expired longer ago than the grace period.
        Expired,
        /// The push started too long before or after the signature's expiry.
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
}

closed_set! {
    /// An unsigned member of a callback that could not be kept as it was sent.
    #[schema(as = AlteredMemberWord)]
    pub enum AlteredMember {
        UserArgs,
        ClientIp,
        NodeIp,
        /// Some of the members that are not documented.
        Undocumented,
    }
}
