//! Closed sets about reports, and their grouping.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{Object, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::closed_set;
use super::parameter::{Parameter, one_of};
use super::session::EndSource;

closed_set! {
    /// The certainty of a session's seconds.
    #[schema(as = CertaintyWord)]
    pub enum Certainty {
        /// The provider or an operator gave the end.
        Confirmed,
        /// The end is inferred.
        Estimated,
        /// No end was known.
        Open,
    }
}

impl Certainty {
    pub fn of(end: Option<EndSource>) -> Self {
        match end {
            Some(source) if source.is_confirmed() => Self::Confirmed,
            Some(_) => Self::Estimated,
            None => Self::Open,
        }
    }
}

closed_set! {
    /// Status of a sealed report.
    #[schema(as = SealedReportStatusWord)]
    pub enum SealedReportStatus {
        Sealing,
        Sealed,
        Failed,
    }
}

closed_set! {
    /// The format of a report.
    #[schema(as = FormatWord)]
    pub enum ReportFormat {
        /// In pages.
        Json,
        /// The whole report, streamed, for programs.
        Csv,
        /// The whole report as a workbook for Excel.
        Xlsx,
    }
}

closed_set! {
    /// The windows that divide the period of a report.
    #[schema(as = WindowWord)]
    #[derive(Default)]
    pub enum WindowSize {
        /// One window.
        #[default]
        Whole = "none",
        /// Local hours.
        Hour,
        /// Local days.
        Day,
        /// Local weeks, which begin on Monday.
        Week,
        /// Local months.
        Month,
    }
}

/// By which names the rows of a report are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupBy {
    pub domain: bool,
    pub app: bool,
    pub stream: bool,
}

impl GroupBy {
    pub const NOTHING: Self = Self { domain: false, app: false, stream: false };

    /// The names in any order; of those that mean the same, the first is the one that is shown.
    const WORDS: [&str; 15] = [
        "domain",
        "app",
        "stream",
        "domain,app",
        "app,domain",
        "domain,stream",
        "stream,domain",
        "app,stream",
        "stream,app",
        "domain,app,stream",
        "domain,stream,app",
        "app,domain,stream",
        "app,stream,domain",
        "stream,domain,app",
        "stream,app,domain",
    ];

    fn of(word: &str) -> Self {
        let has = |name| word.split(',').any(|part| part == name);
        Self { domain: has("domain"), app: has("app"), stream: has("stream") }
    }

    /// Empty without a grouping.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|word| Self::of(word) == self).unwrap_or_default()
    }
}

impl Default for GroupBy {
    fn default() -> Self {
        Self { domain: true, ..Self::NOTHING }
    }
}

impl Parameter for GroupBy {
    fn expected() -> String {
        one_of(&Self::WORDS)
    }

    fn read(text: &str) -> Option<Self> {
        Self::WORDS.contains(&text).then(|| Self::of(text))
    }
}

impl Serialize for GroupBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl ToSchema for GroupBy {
    fn name() -> Cow<'static, str> {
        "ReportGroupBy".into()
    }
}

impl PartialSchema for GroupBy {
    fn schema() -> RefOr<Schema> {
        Object::builder().schema_type(Type::String).enum_values(Some(Self::WORDS)).into()
    }
}
