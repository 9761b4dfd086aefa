//! The id of a request. It is in every log line of the request, and in the header `X-Request-Id` of its response. It is
//! not in the body, so that equal errors have equal bodies. A caller may choose it, to correlate its log with the
//! service's.
//!
//! It is task-local, not in a span: that costs receiving almost nothing.

use std::sync::Arc;

use tracing::Span;
use uuid::Builder;

/// The longest accepted id.
const MAX_LENGTH: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// An id: at most 128 of `A-Z a-z 0-9 . _ -`, so it needs no escaping anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The caller's id if it is valid, else a new one.
    pub fn of(given: Option<&[u8]>) -> Self {
        let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let given = given.filter(|given| (1..=MAX_LENGTH).contains(&given.len()) && given.iter().all(good));
        let given = given.and_then(|given| std::str::from_utf8(given).ok());
        given.map_or_else(Self::generate, |given| Self(given.into()))
    }

    fn generate() -> Self {
        let id = Builder::from_random_bytes(rand::random()).into_uuid();
        Self((*id.hyphenated().encode_lower(&mut [0; 36])).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Runs the work of a request; meanwhile [`current`] returns its id.
pub async fn within<F: Future>(id: RequestId, work: F) -> F::Output {
    CURRENT.scope(id, work).await
}

/// The id of the current request; `None` outside of requests.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(Clone::clone).ok()
}

/// The same, unless the current span already adds it to log lines. Callbacks have no span.
pub fn of_line() -> Option<String> {
    current().filter(|_| Span::current().is_none()).map(|id| id.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_from_a_request_if_it_can_be_written_anywhere() {
        for good in ["a", "8c6f", "Job_7.a-B", &"x".repeat(128)] {
            assert_eq!(RequestId::of(Some(good.as_bytes())).as_str(), good);
        }
        for bad in ["", "a b", "a\nb", "<b>", "\u{e9}", "a\"", &"x".repeat(129)] {
            let id = RequestId::of(Some(bad.as_bytes()));
            assert!(uuid::Uuid::parse_str(id.as_str()).is_ok_and(|id| id.get_version_num() == 4), "{bad:?}: {id:?}");
        }
        assert_ne!(RequestId::of(None), RequestId::of(None));
    }

    #[tokio::test]
    async fn an_id_is_that_of_the_work_at_hand_alone() {
        let id = RequestId::of(Some(b"one"));
        assert_eq!(within(id.clone(), async { current() }).await, Some(id));
        assert_eq!(current(), None);
    }
}
