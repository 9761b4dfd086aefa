//! The closed sets of words that callers see, for the document of the API.
#![allow(missing_docs, dead_code, reason = "the words only document, and are their own documentation")]

use utoipa::openapi::schema::{Object, OneOf, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::query_string;
use crate::huawei::signature::Joiner;

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
    SharedSignature,
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

/// What stands between the signed fields. (An empty word cannot be derived.)
pub struct JoinerWord;

impl ToSchema for JoinerWord {}

impl PartialSchema for JoinerWord {
    fn schema() -> RefOr<Schema> {
        let words = Joiner::ALL.map(Joiner::as_str);
        Object::builder().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

/// The name of an application.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9_-]+$", example = "live")]
pub struct AppName(String);

/// The name of a transcoding template.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "lud")]
pub struct TemplateName(String);

/// The name of an ingest domain, as a token is bound to it.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", example = "push.example.com")]
pub struct DomainName(String);

/// The name of an ingest domain that is registered, exactly as the provider sends it; of at most 255 bytes.
#[derive(ToSchema)]
#[schema(
    value_type = String,
    min_length = 1,
    max_length = 255,
    pattern = r"^[^\s/\x00-\x1f\x7f-\x9f\ufffd]+$",
    example = "push.example.com"
)]
pub struct RegisteredName(String);

/// Unix seconds as the provider writes them: a string or an integer of at most ten digits.
pub struct StartSeconds;

impl ToSchema for StartSeconds {}

impl PartialSchema for StartSeconds {
    fn schema() -> RefOr<Schema> {
        text_or_integer("^(0|[1-9][0-9]{0,9})$", 9_999_999_999)
    }
}

/// Unix seconds as the provider writes them: an integer or a string of at most 18 digits.
pub struct ExpirySeconds;

impl ToSchema for ExpirySeconds {}

impl PartialSchema for ExpirySeconds {
    fn schema() -> RefOr<Schema> {
        text_or_integer("^(0|[1-9][0-9]{0,17})$", 999_999_999_999_999_999)
    }
}

/// A text without control characters.
pub fn plain_text() -> Object {
    Object::builder().schema_type(Type::String).pattern(Some(query_string::TEXT_PATTERN)).build()
}

fn text_or_integer(pattern: &str, maximum: i64) -> RefOr<Schema> {
    let text = Object::builder().schema_type(Type::String).pattern(Some(pattern));
    let integer = Object::builder().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(maximum));
    OneOf::builder().item(text).item(integer).into()
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
    EndOfUnknownPush,
}

/// An unsigned member that could not be kept as it was sent.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AlteredMemberWord {
    UserArgs,
    ClientIp,
    NodeIp,
    Undocumented,
}

/// Why a request to the callback addresses is rejected.
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
    Milliseconds,
    OtherCallback,
    WrongPath,
    WrongMethod,
    TooLarge,
    TooSlow,
    UnsupportedEncoding,
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
    SealedReportDeleted,
    ClockRepaired,
    MasterKeyRotated,
}

/// How far the sealing of a report is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum SealedReportStatusWord {
    Sealing,
    Sealed,
    Failed,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::access::Scope;
    use crate::access::audit::Act;
    use crate::huawei::admission::QuarantineReason;
    use crate::huawei::notification::AlteredMember;
    use crate::huawei::rejection_cause::RejectionCause;
    use crate::session::lifecycle::{EndSource, Flag};
    use crate::store::sealed_report::SealedReportStatus;

    /// That the document has exactly these words for something.
    fn assert_words<T: PartialSchema>(words: impl IntoIterator<Item = &'static str>) {
        let schema: Value = serde_json::to_value(T::schema()).expect("a schema");
        assert_eq!(schema["enum"], json!(words.into_iter().collect::<Vec<_>>()));
    }

    #[test]
    fn the_words_are_those_of_the_core() {
        assert_words::<EndedAtSource>(EndSource::ALL.map(EndSource::as_str));
        assert_words::<SessionFlag>(Flag::ALL.map(Flag::as_str));
        assert_words::<ScopeWord>(Scope::ALL.map(Scope::as_str));
        assert_words::<ActWord>(Act::ALL.map(Act::as_str));
        assert_words::<AlteredMemberWord>(AlteredMember::ALL.map(AlteredMember::as_str));
        assert_words::<SealedReportStatusWord>(SealedReportStatus::ALL.map(SealedReportStatus::as_str));
        assert_words::<QuarantineReasonWord>(QuarantineReason::ALL.map(QuarantineReason::as_str));
        assert_words::<RejectionCauseWord>(RejectionCause::all().map(RejectionCause::as_str));
        assert_words::<JoinerWord>(["", "+"]);
    }
}
