//! Sign-in with a token, and sign-out.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::error::PageError;
use super::form::{Fields, SubmittedForm};
use super::{ROOT, layout};
use crate::access;
use crate::app::state::AppState;
use crate::http::sign_in_cookie;
use crate::platform::clock;

/// The page to show after sign-in.
#[derive(Deserialize)]
pub struct SignInQuery {
    #[serde(default)]
    to: String,
}

#[get("/sign-in")]
pub async fn show_sign_in(Query(query): Query<SignInQuery>) -> HttpResponse {
    html_answer(HttpResponse::Ok(), &form(&query.to, false))
}

#[post("/sign-in")]
pub async fn sign_in(request: HttpRequest, state: Data<AppState>, fields: Fields) -> HttpResponse {
    let [token, to] = ["token", "to"].map(|name| fields.text(name).unwrap_or_default());
    let now = clock::now();
    let authenticated = state.registry.current().tokens.authenticate(&token, now);
    match authenticated.and_then(|_| sign_in_cookie::sign_in(&request, &state, &token, now)) {
        Some(cookie) => {
            let to = if is_dashboard_path(&to) { &to } else { ROOT };
            HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, to)).finish()
        }
        None => html_answer(HttpResponse::Unauthorized(), &form(&to, true)),
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
    Ok(HttpResponse::SeeOther().cookie(cookie).insert_header((LOCATION, format!("{ROOT}/sign-in"))).finish())
}

/// Prevents open redirects: only pages of the dashboard are allowed.
fn is_dashboard_path(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && !path.chars().any(char::is_control)
        && path.is_ascii()
}

fn form(to: &str, failed: bool) -> Markup {
    layout::page_without_nav(
        "Sign in",
        &html! {
            h1 { "streamtally" }
            form.card method="post" action=(format!("{ROOT}/sign-in")) {
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus autocomplete="current-password"
                    aria-describedby=[failed.then_some("failed")];
                @if failed {
                    p #failed.wrong role="alert" { "This token is not valid: it may have expired or been revoked." }
                }
                input type="hidden" name="to" value=(to);
                button { "Sign in" }
            }
            p.hint {
                "An administrator creates tokens with " code { "streamtally token create NAME --scopes read" }
                ". The dashboard shows what the token may see. The sign-in expires after twelve hours."
            }
        },
    )
}

fn html_answer(mut answer: actix_web::HttpResponseBuilder, page: &Markup) -> HttpResponse {
    answer.content_type(layout::HTML).body(page.0.clone())
}
