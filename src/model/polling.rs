//! Closed sets about the provider's own lists: which domains are polled, and what a check of the provider's settings finds.

use super::closed_set;

closed_set! {
    /// Whether the provider's lists of a domain's streams are read, and what follows from them.
    #[derive(Default)]
    pub enum PollMode {
        /// They are not read.
        #[default]
        Off,
        /// They are read and compared, and change nothing.
        Observe,
        /// They are read, and correct for lost callbacks.
        Repair,
    }
}

closed_set! {
    /// Whether the callback URL that is set at the provider leads to this service.
    pub enum CallbackUrlState {
        /// Its host is that of the request, and its path is one of the domain's.
        Ours,
        /// Its path is one of the domain's. Whether its host is this service, the service cannot know.
        OtherHost,
        /// Its path is none of the domain's: callbacks are rejected, or go to another system.
        Other,
        /// None is set: no callbacks are sent.
        None,
        /// The setting could not be read.
        Unknown,
    }
}

closed_set! {
    /// Whether the callback key that is set at the provider is one of the domain's.
    pub enum CallbackKeyState {
        Matches,
        /// It is none of the domain's keys: callbacks are rejected.
        Differs,
        /// None is set: callbacks are unsigned.
        None,
        /// The setting could not be read.
        Unknown,
    }
}

closed_set! {
    /// Whether the account may read the list of live streams of a domain, or the history of its pushes.
    pub enum ListState {
        Readable,
        /// The access key is unknown, locked, or lacks the permission; or the account is in arrears.
        Refused,
        /// There was no usable answer.
        Unknown,
    }
}

closed_set! {
    /// Why a request to the provider has no result.
    pub enum PollErrorKind {
        /// Too many requests.
        Throttled,
        /// The access key is unknown, locked, or lacks the permission; or the account is in arrears.
        Unauthorized,
        /// The provider knows no such project or domain.
        NotFound,
        /// The provider rejected the request for another reason, or failed.
        Failed,
        /// The answer is not what the provider documents.
        Unreadable,
        /// The service's settings do not allow this address.
        Forbidden,
        /// There was no answer in time.
        TimedOut,
        /// There was no connection.
        Unreachable,
        /// The connection broke.
        Broken,
    }
}

closed_set! {
    /// How a list of live streams was read.
    pub enum PollOutcome {
        /// Whole: what it does not have is not on air.
        Complete,
        /// It changed while it was read.
        Torn,
        /// The provider has answered that there were too many requests.
        Throttled,
        /// The access key is unknown, locked, or lacks the permission; or the account is in arrears.
        Refused,
        /// The provider knows no such project or domain.
        NotFound,
        /// There was no usable answer.
        Failed,
        /// It was not read: requests with the account are paused, because the provider rejected or throttled some.
        Resting,
    }
}

closed_set! {
    /// Where the provider's lists and its callbacks disagree.
    pub enum DifferenceKind {
        /// A live session is no longer listed: its end callback was lost.
        Unlisted,
        /// A session whose end was inferred is listed: it is live.
        Listed,
        /// The history has the end of a session whose end is not known, or was inferred.
        History,
        /// A push is listed for which no callback was received.
        UnknownPush,
        /// The history has a push for which no callback was received.
        MissedPush,
        /// The history has another end than the callback, by more than a minute.
        EndDiffers,
    }
}
