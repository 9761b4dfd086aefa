//! A visitor's language and time zone, kept in cookies of the browser.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::LOCATION;
use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse, get, post};
use chrono::Offset;
use chrono_tz::{TZ_VARIANTS, Tz};
use maud::{Markup, html};

use super::form::Fields;
use super::sign_in::{ReturnPath, is_dashboard_path};
use super::texts::Language;
use super::view::{LANGUAGE_COOKIE, View, ZONE_COOKIE};
use super::{ROOT, layout, links};

/// Browsers keep a cookie for this long at most.
const KEPT: Duration = Duration::days(400);

#[get("/preferences")]
pub async fn show_preferences(request: HttpRequest, Query(query): Query<ReturnPath>) -> HttpResponse {
    let view = View::of(&request);
    let text = view.language;
    let content = html! {
        h1 { (text.preferences()) }
        form.card method="post" action=(links::page("preferences")) {
            input type="hidden" name="to" value=(query.to);
            label { (text.language())
                select name="language" {
                    @for language in Language::ALL {
                        option value=(language.tag()) lang=(language.tag()) selected[language == text] { (language.name()) }
                    }
                }
            }
            label { (text.time_zone()) (zone_select("time_zone", view)) }
            p.hint { (text.preferences_hint()) }
            div.actions {
                button.primary { (text.save()) }
                @if is_dashboard_path(&query.to) { a.button href=(query.to) { (text.cancel()) } }
            }
        }
    };
    layout::answer(&layout::page_without_nav(view, &text.preferences(), &content))
}

/// A choice of all time zones, by region. The script offers the browser's own.
pub fn zone_select(name: &str, view: View) -> Markup {
    let region = |zone: &Tz| zone.name().split_once('/').map_or("UTC", |(region, _)| region);
    html! {
        select.zones name=(name) data-browser-zone=(view.language.use_browser_zone()) {
            @for zones in TZ_VARIANTS.chunk_by(|one, next| region(one) == region(next)) {
                @if let Some(region) = zones.first().map(region) {
                    optgroup label=(region) {
                        @for zone in zones { option value=(zone.name()) selected[*zone == view.zone] { (zone.name()) } }
                    }
                }
            }
        }
    }
}

/// The zone and its distance from UTC, such as `Asia/Shanghai, UTC+8`.
pub fn zone_name(view: View) -> String {
    let seconds = view.local(view.now).offset().fix().local_minus_utc();
    let hours = seconds.abs() / 3_600;
    let minutes = seconds.abs() / 60 % 60;
    let sign = if seconds < 0 { '−' } else { '+' };
    match (view.zone, minutes) {
        (Tz::UTC, _) => "UTC".to_owned(),
        (zone, 0) => format!("{zone}, UTC{sign}{hours}"),
        (zone, minutes) => format!("{zone}, UTC{sign}{hours}:{minutes:02}"),
    }
}

#[post("/preferences")]
pub async fn set_preferences(fields: Fields) -> HttpResponse {
    let to = fields.text("to").filter(|to| is_dashboard_path(to)).unwrap_or_else(|| ROOT.to_owned());
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((LOCATION, to));
    if let Some(language) = fields.text("language").and_then(|tag| tag.parse::<Language>().ok()) {
        answer.cookie(cookie(LANGUAGE_COOKIE, language.tag()));
    }
    if let Some(zone) = fields.text("time_zone").and_then(|name| name.parse::<Tz>().ok()) {
        answer.cookie(cookie(ZONE_COOKIE, zone.name()));
    }
    answer.finish()
}

fn cookie(name: &'static str, value: &'static str) -> Cookie<'static> {
    Cookie::build(name, value).path(ROOT).http_only(true).same_site(SameSite::Strict).max_age(KEPT).finish()
}
