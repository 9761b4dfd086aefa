//! The language and the time zone in which a visitor reads.

use actix_web::HttpRequest;
use actix_web::web::Data;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::texts::Language;
use crate::app::state::AppState;
use crate::platform::clock;

/// Cookies of the visitor's choices.
pub const LANGUAGE_COOKIE: &str = "streamtally-language";
pub const ZONE_COOKIE: &str = "streamtally-time-zone";

/// How a page is written. The visitor's cookies decide; otherwise `Accept-Language` and `--time-zone` do.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub language: Language,
    pub zone: Tz,
    /// When the page is made.
    pub now: DateTime<Utc>,
}

impl View {
    pub fn of(request: &HttpRequest) -> Self {
        let language = chosen(request, LANGUAGE_COOKIE).unwrap_or_else(|| Language::accepted(request));
        let default_zone = request.app_data::<Data<AppState>>().map_or(Tz::UTC, |state| state.time_zone);
        Self { language, zone: chosen(request, ZONE_COOKIE).unwrap_or(default_zone), now: clock::now() }
    }

    pub fn local(self, at: DateTime<Utc>) -> DateTime<Tz> {
        at.with_timezone(&self.zone)
    }
}

fn chosen<T: std::str::FromStr>(request: &HttpRequest, cookie: &str) -> Option<T> {
    request.cookie(cookie)?.value().parse().ok()
}
