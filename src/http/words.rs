//! The closed sets of words that callers see, for the document of the API.
#![allow(missing_docs, dead_code, reason = "the words only document, and are their own documentation")]

use utoipa::ToSchema;

/// Whether a session is on air.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SessionStatus {
    Live,
    Ended,
}

/// Who says that a session ended.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum EndedAtSource {
    Notification,
    Superseded,
    TimedOut,
    Operator,
}

/// What a reader should know about a session.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SessionFlag {
    StartMissing,
    EndBeforeStart,
    KeyConflict,
    QuarantinedMessages,
}

/// What a period is compared with.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum TimeFieldWord {
    Overlap,
    StartedAt,
    EndedAt,
}

/// The order of sessions.
#[derive(ToSchema)]
pub enum SortWord {
    #[schema(rename = "-started_at")]
    NewestFirst,
    #[schema(rename = "started_at")]
    OldestFirst,
}

/// Whether transcoded renditions are wanted.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum RenditionsWanted {
    Include,
    Exclude,
    Only,
}

/// Whether a stream is on air.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum StreamStatus {
    Live,
    Offline,
}

/// How counts are grouped.
#[derive(ToSchema)]
pub enum GroupBy {
    #[schema(rename = "domain")]
    Domain,
    #[schema(rename = "domain,app")]
    DomainAndApp,
}

/// Whether a domain's messages are signed.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SignatureRuleWord {
    Required,
    None,
}

/// What stands between the signed fields.
#[derive(ToSchema)]
pub enum JoinerWord {
    #[schema(rename = "")]
    Nothing,
    #[schema(rename = "+")]
    Plus,
}

/// What a token may do.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ScopeWord {
    Read,
    Personal,
    Billing,
    Admin,
}

/// Whether an entry counts.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Disposition {
    Accepted,
    Quarantined,
    Released,
}

/// How a message was signed.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SignatureKind {
    Verified,
    Unsigned,
}

/// Why a genuine message does not count by itself.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum QuarantineReasonWord {
    Expired,
    StartOutsideWindow,
    EndPredatesSession,
    SignatureOfAnotherStream,
    SignatureOfAnotherPush,
}

/// Why a message is refused.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum RejectionCauseWord {
    UnknownDomain,
    AppNotAllowed,
    SecretPathMissing,
    SecretPathWrong,
    NoKey,
    SignatureMissing,
    SignatureMalformed,
    ExpiryMalformed,
    ExpiryTooFar,
    SignatureMismatch,
    NotANotification,
}

/// The signature of a refused message.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SampleSignature {
    Missing,
    Malformed,
    WellFormed,
}

/// A kind of administrative act.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum ActWord {
    DomainRegistered,
    DomainChanged,
    DomainRemoved,
    KeyAdded,
    KeyRemoved,
    CallbackPathReplaced,
    TokenCreated,
    TokenRevoked,
    EventReleased,
    SessionEnded,
    SessionEndWithdrawn,
}
