//! Why callbacks are rejected.

use super::closed_set;

closed_set! {
    /// Why a callback was rejected. Shown to operators, never to the sender.
    #[schema(as = RejectionCauseWord)]
    pub enum RejectionReason {
        /// The domain is not registered; domains match exactly.
        UnknownDomain,
        /// The domain's list of apps does not contain this one.
        AppNotAllowed,
        /// A callback of an unsigned domain did not use its secret path.
        SecretPathMissing,
        /// It used a secret path that is not this domain's.
        SecretPathWrong,
        /// The domain requires signatures but has no key.
        NoKey,
        /// `auth_sign` or `auth_timestamp` is missing.
        SignatureMissing,
        /// `auth_sign` is not 64 hexadecimal digits.
        SignatureMalformed,
        /// `auth_timestamp` does not have exactly ten digits.
        ExpiryMalformed,
        /// `auth_timestamp` is too far in the future.
        ExpiryTooFar,
        /// The signature matches no active key.
        SignatureMismatch,
        /// The body is not a valid callback.
        NotANotification,
        /// It contains a time in milliseconds.
        Milliseconds,
        /// It is a recording or snapshot callback.
        OtherCallback,
        /// The path is not that of a callback URL.
        WrongPath,
        /// The method is not POST.
        WrongMethod,
        /// The body is longer than the limit.
        TooLarge,
        /// The body did not arrive in time.
        TooSlow,
        /// The encoding of the body is unsupported.
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
