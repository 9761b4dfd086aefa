//! What lists are narrowed by.
//!
//! A filter is declared here once: its parameters, their types, and what the API document says of them. To add one, add a
//! line here, and its condition to the SQL in `store`.

use chrono::{DateTime, Utc};
use utoipa::IntoParams;
use uuid::Uuid;

use super::event::{Disposition, QuarantineReason};
use super::parameter::Parameters;
use super::rejection::RejectionReason;
use super::session::{EndSource, Flag, Renditions, SessionStatus, StreamStatus, TimeField};

/// Parameters that narrow a list. `None` does not.
pub trait Filter: Default {
    fn read(parameters: &mut impl Parameters) -> Self;

    /// A period that ends before it begins, if both ends are given.
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
                $(return self.$from.zip(self.$to);)?
                #[allow(unreachable_code)]
                None
            }
        }
    };
}

filter! {
    pub struct SessionFilter {
        /// Exact ingest domain.
        pub domain: Option<String>,
        /// Exact application.
        pub app: Option<String>,
        /// Exact stream name.
        pub stream: Option<String>,
        /// How the stream's name begins.
        pub stream_prefix: Option<String>,
        /// Exact stream.
        pub stream_id: Option<Uuid>,
        /// Exact start, in Unix seconds.
        #[param(minimum = 0, maximum = 9_999_999_999_i64)]
        pub publish_timestamp: Option<i64>,
        /// Live or ended.
        pub status: Option<SessionStatus>,
        /// Live for longer than `--unconfirmed-after`, or not.
        pub unconfirmed: Option<bool>,
        /// Who says that it ended.
        pub ended_at_source: Option<EndSource>,
        /// A flag that is set.
        pub flag: Option<Flag>,
        /// Exact address of the encoder, in any spelling. Needs scope `personal`.
        pub client_ip: Option<String>,
        /// Exact address of the receiving node, in any spelling. Needs scope `personal`.
        pub node_ip: Option<String>,
        /// Minimum duration in whole seconds.
        #[param(minimum = 0, maximum = 9_999_999_999_i64)]
        pub min_duration_seconds: Option<i64>,
        /// Maximum duration in whole seconds.
        #[param(minimum = 0, maximum = 9_999_999_999_i64)]
        pub max_duration_seconds: Option<i64>,
        /// Whether transcoded renditions are wanted.
        #[param(default = "include")]
        pub renditions: Option<Renditions>,
        /// Start of the period (inclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub from: Option<DateTime<Utc>>,
        /// End of the period (exclusive).
        #[param(value_type = Option<String>, format = DateTime)]
        pub to: Option<DateTime<Utc>>,
        /// What the period is compared with: being live at some moment of it, the start, or the end.
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
        /// Exact application.
        pub app: Option<String>,
        /// Exact stream name.
        pub stream: Option<String>,
        /// Exact event: the provider's word, or one of ours.
        pub event: Option<String>,
        /// Whether it counts.
        pub disposition: Option<Disposition>,
        /// Why it does not count, or did not.
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
        /// Exact reason.
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
        /// Exact application.
        pub app: Option<String>,
        /// Exact stream name.
        pub stream: Option<String>,
        /// How the stream's name begins.
        pub stream_prefix: Option<String>,
        /// What the stream's name contains; case matters.
        pub search: Option<String>,
        /// Live or not.
        pub status: Option<StreamStatus>,
        /// Whether transcoded renditions are wanted.
        #[param(default = "include")]
        pub renditions: Option<Renditions>,
    }
}

filter! {
    /// What live counts and changes are narrowed by.
    pub struct LiveFilter {
        /// Exact ingest domain.
        pub domain: Option<String>,
        /// Exact application.
        pub app: Option<String>,
        /// Whether transcoded renditions are wanted.
        #[param(default = "include")]
        pub renditions: Option<Renditions>,
    }
}
