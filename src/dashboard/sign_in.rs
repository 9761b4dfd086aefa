//! Sign-in with a token, and sign-out.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::error::PageError;
use super::form::{Fields, SubmittedForm};
use super::view::View;
use super::{ROOT, layout, links, words};
use crate::access;
use crate::api::KIOSK;
use crate::app::state::AppState;
use crate::http::sign_in_cookie;
use crate::platform::clock;

/// The page to show afterwards.
#[derive(Deserialize)]
pub struct ReturnPath {
    #[serde(default)]
    pub to: String,
}

#[get("/sign-in")]
pub async fn show_sign_in(request: HttpRequest, Query(query): Query<ReturnPath>) -> HttpResponse {
    html_answer(HttpResponse::Ok(), &form(View::of(&request), &query.to, false))
}

#[post("/sign-in")]
pub async fn sign_in(request: HttpRequest, state: Data<AppState>, fields: Fields) -> HttpResponse {
    let [token, to] = ["token", "to"].map(|name| fields.text(name).unwrap_or_default());
    let now = clock::now();
    let authenticated = state.registry.current().tokens.authenticate(&token, now);
    let cookie =
        authenticated.and_then(|principal| sign_in_cookie::sign_in(&request, &state, (&principal, &token), &to, now));
    match cookie {
        Some(cookie) => {
            let to = if is_dashboard_path(&to) { &to } else { ROOT };
            HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, to)).finish()
        }
        None => html_answer(HttpResponse::Unauthorized(), &form(View::of(&request), &to, true)),
    }
}

#[post("/sign-out")]
pub async fn sign_out(
    submitted: SubmittedForm,
    request: HttpRequest,
    state: Data<AppState>,
) -> Result<HttpResponse, PageError> {
    access::sign_in::sign_out(&state.work_pool, submitted.visitor.sign_in, clock::now()).await?;
    state.registry.refresh_after_change().await;
    let cookie = sign_in_cookie::sign_out(&request);
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, links::sign_in())).finish())
}

/// Prevents open redirects: only pages of the dashboard are allowed.
pub fn is_dashboard_path(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !path.chars().any(char::is_control)
        && path.is_ascii()
}

fn form(view: View, to: &str, failed: bool) -> Markup {
    let text = view.language;
    let command = html! { code { "streamtally token create NAME --scopes read" } };
    layout::page_without_nav(
        view,
        &text.sign_in(),
        &html! {
            h1 { (text.sign_in()) }
            form.card method="post" action=(links::sign_in()) {
                label for="token" { (text.token()) }
                input #token type="password" name="token" required autofocus autocomplete="current-password"
                    aria-describedby=[failed.then_some("failed")];
                @if failed {
                    p #failed.wrong role="alert" { (text.sign_in_invalid()) }
                }
                input type="hidden" name="to" value=(to);
                button.primary { (text.sign_in()) }
            }
            p.hint { (words::fill(&text.sign_in_hint(), &[command])) }
            @if to.starts_with(KIOSK) { p.hint { (text.sign_in_kiosk_hint()) } }
            p.hint { (layout::preferences_link(view, &links::with(&links::sign_in(), &[("to", Some(to).filter(|to| !to.is_empty()))]))) }
        },
    )
}

fn html_answer(mut answer: actix_web::HttpResponseBuilder, page: &Markup) -> HttpResponse {
    answer.content_type(layout::HTML).body(page.0.clone())
}
