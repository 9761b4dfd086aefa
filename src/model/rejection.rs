//! Why callbacks are rejected.

use super::closed_set;

closed_set! {
    /// Why a request to the callback addresses is rejected. Told to operators, never to the sender.
    #[schema(as = RejectionCauseWord)]
    pub enum RejectionReason {
        /// No such domain is registered; domains match exactly.
        UnknownDomain,
        /// The domain's list of applications does not have this one.
        AppNotAllowed,
        /// A callback of an unsigned domain did not come through its secret path.
        SecretPathMissing,
        /// It came through a secret path that is not this domain's.
        SecretPathWrong,
        /// The domain wants signatures and has no key.
        NoKey,
        /// `auth_sign` or `auth_timestamp` is missing.
        SignatureMissing,
        /// `auth_sign` is not 64 hexadecimal digits.
        SignatureMalformed,
        /// `auth_timestamp` does not have exactly ten digits.
        ExpiryMalformed,
        /// `auth_timestamp` lies too far in the future.
        ExpiryTooFar,
        /// No active key makes this signature.
        SignatureMismatch,
        /// The body cannot be read as a notification.
        NotANotification,
        /// A time in it is in milliseconds.
        Milliseconds,
        /// It is a recording or snapshot callback.
        OtherCallback,
        /// No callback address has this path.
        WrongPath,
        /// The method is not POST.
        WrongMethod,
        /// The body is longer than the limit.
        TooLarge,
        /// The body did not arrive in time.
        TooSlow,
        /// The body has an encoding that is not decoded.
        UnsupportedEncoding,
    }
}

closed_set! {
    /// The signature of a rejected callback.
    pub enum SampleSignature {
        Missing,
        Malformed,
        WellFormed,
    }
}
