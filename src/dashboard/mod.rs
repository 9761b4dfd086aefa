//! The dashboard: HTML pages for operators and support.
//!
//! The server renders the pages, with the same queries and access rules as the API. maud escapes every text. No asset comes
//! from another host. Every page can be read and used without scripts.
//!
//! Scripts keep pages current, show the values of charts, and save clicks: they copy, fill in the token of a sign-in link, offer
//! the browser's time zone. Without them, a visitor reloads; the wall display, which nobody reloads, needs them.

mod assets;
mod chart;
mod draft;
mod error;
mod error_page;
mod form;
mod layout;
mod links;
mod live;
mod operator;
mod origin;
mod preferences;
mod problems;
mod provider_lists;
mod reports;
mod search;
mod session;
mod set_up;
mod shown_state;
mod sign_in;
mod still_live;
mod stream;
mod stream_lists;
mod texts;
mod timeline;
mod typed_time;
mod view;
mod visitor;
mod words;

use actix_web::middleware::from_fn;
use actix_web::web::{self, QueryConfig, ServiceConfig};

use crate::api::DASHBOARD as ROOT;
use crate::api::problem::ApiError;
use error::PageError;

pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope(ROOT)
            .app_data(QueryConfig::default().error_handler(|error, _| invalid_query(&error).into()))
            .service(sign_in::show_sign_in)
            .service(sign_in::sign_in)
            .service(sign_in::sign_out)
            .service(preferences::show_preferences)
            .service(preferences::set_preferences)
            .service(assets::get_asset)
            .service(live::show_live)
            .service(live::kiosk::show_kiosk)
            .service(stream::show_stream)
            .service(stream::download_sessions)
            .service(session::show_session)
            .service(provider_lists::show_lists)
            .service(search::search)
            .service(problems::show_problems)
            .service(problems::retry::show_retry)
            .service(problems::retry::retry)
            .service(operator::show_end)
            .service(operator::end_session)
            .service(operator::clear_end)
            .service(still_live::show_confirmation)
            .service(still_live::confirm)
            .service(operator::show_release)
            .service(operator::release_event)
            .service(problems::release::show_release)
            .service(problems::release::release_events)
            .configure(reports::routes)
            .configure(set_up::routes)
            .default_service(web::to(error_page::show_not_found))
            .wrap(from_fn(origin::reject_other_origins))
            .wrap(from_fn(error_page::show_errors)),
    );
}

/// A query that cannot be parsed is rejected with a page, too.
fn invalid_query(error: &impl ToString) -> PageError {
    ApiError::invalid("query", format!("cannot be parsed: {}", error.to_string())).into()
}
