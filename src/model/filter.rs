//! Filters and options of lists.
//!
//! A parameter is declared here once: its name, its type, and its description in the API document. To add a filter, add
//! a line here and its condition to the SQL in `store`.

use chrono::{DateTime, Utc};
use utoipa::IntoParams;
use uuid::Uuid;

use super::event::{Disposition, QuarantineReason};
use super::parameter::Parameters;
use super::rejection::RejectionReason;
use super::report::ReportFormat;
use super::session::{EndSource, Flag, LiveGrouping, Renditions, SessionOrder, SessionStatus, StreamStatus, TimeField};

/// Optional parameters of a list. `None` does not filter.
pub trait Filter: Default {
    fn read(parameters: &mut impl Parameters) -> Self;

    /// The period, if both bounds are given.
    fn period(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)>;
}

macro_rules! filter {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: Option<$type:ty>,)+ }
        $(period $from:ident to $to:ident)?
    ) => {
        #[derive(Debug, Clone, Default, PartialEq, IntoParams)]
        #[into_params(parameter_in = Query)]
        $(#[$meta])*
        pub struct $name { $($(#[$field_meta])* pub $field: Option<$type>,)+ }

        impl Filter for $name {
            fn read(parameters: &mut impl Parameters) -> Self {
                Self { $($field: parameters.get(stringify!($field)),)+ }
            }

            fn period(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
                let periods: &[Option<(DateTime<Utc>, DateTime<Utc>)>] = &[$(self.$from.zip(self.$to))?];
                periods.first().copied().flatten()
            }
        }
    };
}

filter! {
    pub struct SessionFilter {
        /// Exact ingest domain.
        pub domain: Option<String>,
        /// Exact app.
        pub app: Option<String>,
        /// Exact stream name.
        pub stream: Option<String>,
        /// Prefix of the stream name.
        pub stream_prefix: Option<String>,
        /// Exact ID of the stream.
        pub stream_id: Option<Uuid>,
        /// Exact start in Unix seconds.
        #[param(minimum = 0, maximum = 9_999_999_999_i64)]
        pub publish_timestamp: Option<i64>,
        /// Status of the session.
        pub status: Option<SessionStatus>,
        /// Whether the session is unconfirmed: live for longer than `--unconfirmed-after`, since its start or since an
        /// operator or the provider's list confirmed it.
        pub unconfirmed: Option<bool>,
        /// Source of the end.
        pub ended_at_source: Option<EndSource>,
        /// Flag of the session.
        pub flag: Option<Flag>,
        /// Exact IP address of the encoder, in any notation. Requires scope `personal`.
        pub client_ip: Option<String>,
        /// Exact IP address of the receiving node, in any notation. Requires scope `personal`.
        pub node_ip: Option<String>,
        /// Minimum duration in seconds.
        #[param(minimum = 0, maximum = 9_999_999_999_i64)]
        pub min_duration_seconds: Option<i64>,
        /// Maximum duration in seconds.
        #[param(minimum = 0, maximum = 9_999_999_999_i64)]
        pub max_duration_seconds: Option<i64>,
        /// Whether to include transcoded renditions.
        #[param(default = "include")]
        pub renditions: Option<Renditions>,
        /// Start of the period (inclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub from: Option<DateTime<Utc>>,
        /// End of the period (exclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub to: Option<DateTime<Utc>>,
        /// What must be in the period: the time live (`overlap`), the start, or the end.
        #[param(default = "overlap")]
        pub time_field: Option<TimeField>,
        /// Live at this instant.
        #[param(value_type = Option<String>, format = DateTime)]
        pub at: Option<DateTime<Utc>>,
    }
    period from to to
}

filter! {
    pub struct EventFilter {
        /// Exact ingest domain.
        pub domain: Option<String>,
        /// Exact app.
        pub app: Option<String>,
        /// Exact stream name.
        pub stream: Option<String>,
        /// Exact event, such as `PUBLISH` or `TIMED_OUT`.
        pub event: Option<String>,
        /// Whether the event counts.
        pub disposition: Option<Disposition>,
        /// Why the event is or was quarantined.
        pub reason: Option<QuarantineReason>,
        /// Start of the period of receipt (inclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub from: Option<DateTime<Utc>>,
        /// End of the period of receipt (exclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub to: Option<DateTime<Utc>>,
    }
    period from to to
}

filter! {
    pub struct RejectionFilter {
        /// Exact claimed domain.
        pub domain: Option<String>,
        /// Exact cause.
        pub cause: Option<RejectionReason>,
        /// Start of the period of receipt (inclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub from: Option<DateTime<Utc>>,
        /// End of the period of receipt (exclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub to: Option<DateTime<Utc>>,
    }
    period from to to
}

filter! {
    pub struct StreamFilter {
        /// Exact ingest domain.
        pub domain: Option<String>,
        /// Exact app.
        pub app: Option<String>,
        /// Exact stream name.
        pub stream: Option<String>,
        /// Prefix of the stream name.
        pub stream_prefix: Option<String>,
        /// Part of the stream name, case-sensitive.
        pub search: Option<String>,
        /// Status of the stream.
        pub status: Option<StreamStatus>,
        /// Whether to include transcoded renditions.
        #[param(default = "include")]
        pub renditions: Option<Renditions>,
    }
}

filter! {
    /// Filter of live counts and changes.
    #[derive(Eq, Hash)]
    pub struct LiveFilter {
        /// Exact ingest domain.
        pub domain: Option<String>,
        /// Exact app.
        pub app: Option<String>,
        /// Part of the stream name. The letters A to Z match in upper and lower case.
        pub search: Option<String>,
        /// Whether to include transcoded renditions.
        #[param(default = "include")]
        pub renditions: Option<Renditions>,
    }
}

filter! {
    /// Options of the list of sessions.
    pub struct SessionOptions {
        /// The order of the sessions.
        #[param(default = "-started_at")]
        pub sort: Option<SessionOrder>,
        /// Adds `total` to the response.
        #[param(default = false)]
        pub include_total: Option<bool>,
    }
}

filter! {
    /// Options of live counts.
    pub struct LiveOptions {
        /// Adds counts by group.
        pub group_by: Option<LiveGrouping>,
    }
}

filter! {
    /// The format of what can be had as a file.
    pub struct FormatOptions {
        /// Format of the response. Default: by `Accept`. `csv`, for programs, and `xlsx`, a workbook for Excel, are the whole,
        /// without pages.
        pub format: Option<ReportFormat>,
    }
}

filter! {
    /// Options of CSV.
    pub struct CsvOptions {
        /// Begins CSV with a byte order mark, which tells Excel that it is UTF-8.
        #[param(default = false)]
        pub bom: Option<bool>,
    }
}
