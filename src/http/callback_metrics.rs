//! Metrics of callbacks. All of them are registered once, so that a callback costs only a few atomic operations.

use std::sync::LazyLock;
use std::time::Instant;

use chrono::{DateTime, Utc};
use metrics::{Counter, Histogram};

use crate::event_log::group_commit::AppendError;
use crate::huawei::admission::{Authentication, Verdict};
use crate::huawei::notification::Notification;
use crate::model::event::QuarantineReason;
use crate::model::rejection::RejectionReason;
use crate::telemetry::metrics::{CALLBACK_ANSWER_SECONDS, CALLBACKS, SIGNATURE_REMAINING_SECONDS};

/// The outcome of requests whose body is not read. They are not timed.
const NOT_READ: &str = "not_read";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallbackResult {
    Accepted,
    Quarantined(QuarantineReason),
    Rejected(RejectionReason),
    NotStored(AppendError),
}

impl CallbackResult {
    /// The most frequent one first.
    fn all() -> impl Iterator<Item = Self> {
        [Self::Accepted]
            .into_iter()
            .chain(QuarantineReason::ALL.iter().copied().map(Self::Quarantined))
            .chain(RejectionReason::ALL.iter().copied().map(Self::Rejected))
            .chain(AppendError::ALL.map(Self::NotStored))
    }

    /// The values of the labels `outcome` and `cause`.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("accepted", ""),
            Self::Quarantined(reason) => ("quarantined", reason.as_str()),
            Self::Rejected(cause) => {
                let word = match cause {
                    RejectionReason::UnknownDomain
                    | RejectionReason::AppNotAllowed
                    | RejectionReason::SecretPathMissing
                    | RejectionReason::SecretPathWrong
                    | RejectionReason::NoKey
                    | RejectionReason::SignatureMissing
                    | RejectionReason::SignatureMalformed
                    | RejectionReason::ExpiryMalformed
                    | RejectionReason::ExpiryTooFar
                    | RejectionReason::SignatureMismatch => "rejected",
                    RejectionReason::NotANotification
                    | RejectionReason::Milliseconds
                    | RejectionReason::OtherCallback => "malformed",
                    RejectionReason::WrongPath
                    | RejectionReason::WrongMethod
                    | RejectionReason::TooLarge
                    | RejectionReason::TooSlow
                    | RejectionReason::UnsupportedEncoding => NOT_READ,
                };
                (word, cause.as_str())
            }
            Self::NotStored(error) => ("not_stored", error.as_str()),
        }
    }
}

impl From<&Verdict> for CallbackResult {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Accept(_) => Self::Accepted,
            Verdict::Quarantine(_, reason) => Self::Quarantined(*reason),
            Verdict::Reject(cause) => Self::Rejected(*cause),
        }
    }
}

struct CallbackMetrics {
    outcomes: Vec<(CallbackResult, Counter, Histogram)>,
    signature_remaining: Histogram,
}

static METRICS: LazyLock<CallbackMetrics> = LazyLock::new(|| CallbackMetrics {
    outcomes: CallbackResult::all()
        .map(|outcome| {
            let (word, cause) = outcome.words();
            let counter = CALLBACKS.counter_of(&[("outcome", word), ("cause", cause)]);
            let answer = match word {
                NOT_READ => Histogram::noop(),
                read => CALLBACK_ANSWER_SECONDS.histogram_of(&[("outcome", read)]),
            };
            (outcome, counter, answer)
        })
        .collect(),
    signature_remaining: SIGNATURE_REMAINING_SECONDS.histogram_of(&[]),
});

/// Exports the metrics before the first callback.
pub fn initialize_metrics() {
    LazyLock::force(&METRICS);
}

/// Counts a callback that arrived at `began`, and records the time until now.
pub(super) fn count(outcome: CallbackResult, began: Instant) {
    if let Some((_, counter, answer)) = METRICS.outcomes.iter().find(|(known, ..)| *known == outcome) {
        counter.increment(1);
        answer.record(began.elapsed());
    }
}

/// Counts a request whose body is not read.
pub(super) fn count_unread(cause: RejectionReason) {
    count(CallbackResult::Rejected(cause), Instant::now());
}

/// Records the remaining validity of a verified signature at receipt.
pub(super) fn note_remaining(message: &Notification, verdict: &Verdict, received_at: DateTime<Utc>) {
    if let Some(auth_timestamp) = verified_expiry(message, verdict) {
        METRICS.signature_remaining.record(seconds_until(auth_timestamp, received_at));
    }
}

fn verified_expiry(message: &Notification, verdict: &Verdict) -> Option<i64> {
    match verdict {
        Verdict::Accept(proof) | Verdict::Quarantine(proof, _) => match proof {
            Authentication::Verified { auth_timestamp, .. } => Some(*auth_timestamp),
            Authentication::Unsigned => None,
        },
        // Only callbacks with a valid signature get this reason.
        Verdict::Reject(RejectionReason::ExpiryTooFar) => message.auth_timestamp,
        Verdict::Reject(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "an expiry has ten digits")]
fn seconds_until(auth_timestamp: i64, received_at: DateTime<Utc>) -> f64 {
    auth_timestamp as f64 - received_at.timestamp_millis() as f64 / 1_000.0
}
