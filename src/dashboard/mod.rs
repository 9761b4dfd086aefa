//! The dashboard: pages for people who would rather look than read.
//!
//! Server-rendered, by the same queries and rules of access as the API. Every text goes through maud, which escapes it. No
//! asset comes from elsewhere; a script of our own only moves what moves, and everything works without it.

mod assets;
mod error;
mod find;
mod form;
mod frame;
mod live;
mod operator;
mod origin;
mod problems;
mod reports;
mod session;
mod set_up;
mod sign_in;
mod stream;
mod timeline;
mod visitor;
mod words;

use actix_web::middleware::from_fn;
use actix_web::web::{self, QueryConfig, ServiceConfig};

use crate::api::DASHBOARD as ROOT;
use crate::api::problem::ApiError;
use error::PageError;

/// The pages' part of the route table.
pub fn routes(config: &mut ServiceConfig) {
    config.service(
        web::scope(ROOT)
            .app_data(QueryConfig::default().error_handler(|error, _| refusal(&error).into()))
            .service(sign_in::show_sign_in)
            .service(sign_in::sign_in)
            .service(sign_in::sign_out)
            .service(assets::get_style)
            .service(assets::get_script)
            .service(live::show_live)
            .service(stream::show_stream)
            .service(session::show_session)
            .service(find::find)
            .service(reports::show_reports)
            .service(reports::seal_report)
            .service(reports::show_difference)
            .service(problems::show_problems)
            .service(operator::show_end)
            .service(operator::end_session)
            .service(operator::withdraw_end)
            .service(operator::show_release)
            .service(operator::release_event)
            .configure(set_up::routes)
            .default_service(web::to(error::show_nothing))
            .wrap(from_fn(origin::refuse_other_origins)),
    );
}

/// What cannot be read is refused as a page, too.
fn refusal(error: &impl ToString) -> PageError {
    ApiError::invalid("query", format!("cannot be read: {}", error.to_string())).into()
}
