//! Why a request to the callback addresses is rejected: the one closed set of causes, for counts, metrics, the API and
//! advice. A new cause is a variant with its word here, and a sentence in [`super::advice`].

use super::admission::RefusalCause;
use super::notification::ParseError;

/// Why a request to the callback addresses is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionCause {
    /// A notification that was not shown to be genuine.
    Refused(RefusalCause),
    /// The body cannot be read as a notification.
    NotANotification,
    /// A time in it is in milliseconds.
    Milliseconds,
    /// It is a recording or snapshot callback.
    OtherCallback,
    /// No callback address has this path.
    WrongPath,
    /// A callback address was asked by another method than POST.
    WrongMethod,
    /// The body is longer than the limit.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The body has an encoding that is not decoded.
    UnsupportedEncoding,
}

impl RejectionCause {
    /// The causes that admission does not know.
    const OTHERS: [Self; 8] = [
        Self::NotANotification,
        Self::Milliseconds,
        Self::OtherCallback,
        Self::WrongPath,
        Self::WrongMethod,
        Self::TooLarge,
        Self::TooSlow,
        Self::UnsupportedEncoding,
    ];

    /// Every cause.
    pub fn all() -> impl Iterator<Item = Self> {
        RefusalCause::ALL.into_iter().map(Self::Refused).chain(Self::OTHERS)
    }

    /// The word that stands in logs, metrics and answers to operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused(cause) => cause.as_str(),
            Self::NotANotification => "not_a_notification",
            Self::Milliseconds => "milliseconds",
            Self::OtherCallback => "other_callback",
            Self::WrongPath => "wrong_path",
            Self::WrongMethod => "wrong_method",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::UnsupportedEncoding => "unsupported_encoding",
        }
    }
}

impl From<&ParseError> for RejectionCause {
    fn from(problem: &ParseError) -> Self {
        match problem {
            ParseError::NotReadable(_) | ParseError::Missing(_) | ParseError::Malformed { .. } => {
                Self::NotANotification
            }
            ParseError::Milliseconds(_) => Self::Milliseconds,
            ParseError::OtherCallback => Self::OtherCallback,
        }
    }
}
