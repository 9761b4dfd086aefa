//! What all pages have in common.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use maud::{DOCTYPE, Markup, html};

use super::ROOT;
use super::form::form;
use super::visitor::Visitor;
use crate::model::access::Scope;

/// Which page it is, in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What is live.
    Live,
    /// Looking for something.
    Find,
    /// How long pushes lasted.
    Reports,
    /// What does not count, and why.
    Problems,
    /// Who may send, and who may look.
    SetUp,
    /// None of these.
    Elsewhere,
}

/// A page for somebody who is signed in.
pub fn page(visitor: &Visitor, place: Place, title: &str, content: &Markup) -> HttpResponse {
    let entry = |of: Place, path: &str, name: &str| {
        html! { a href=(format!("{ROOT}{path}")) aria-current=[(place == of).then_some("page")] { (name) } }
    };
    answer(&document(
        title,
        &html! {
            header.bar {
                a.skip href="#content" { "Skip to content" }
                nav aria-label="Pages" {
                    (entry(Place::Live, "", "Live"))
                    (entry(Place::Find, "/find", "Find"))
                    @if visitor.principal.may(Scope::Billing) { (entry(Place::Reports, "/reports", "Reports")) }
                    (entry(Place::Problems, "/problems", "Problems"))
                    @if visitor.principal.may(Scope::Admin) { (entry(Place::SetUp, "/set-up", "Set-up")) }
                    a href="/docs/" { "API" }
                }
                (form(visitor, "out", &format!("{ROOT}/sign-out"), &html! {
                    span.who { bdi { (visitor.principal.actor.name) } }
                    button { "Sign out" }
                }))
            }
            main #content { (content) }
        },
    ))
}

/// An answer that is a page.
pub fn answer(page: &Markup) -> HttpResponse {
    HttpResponse::Ok().content_type(HTML).body(page.0.clone())
}

/// Leads on to another page.
pub fn led_to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// The type of pages.
pub const HTML: &str = "text/html; charset=utf-8";

/// A page for anybody.
pub fn bare(title: &str, content: &Markup) -> Markup {
    document(title, &html! { main #content.narrow { (content) } })
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · streamtally" }
                link rel="stylesheet" href=(format!("{ROOT}/style.css"));
                link rel="icon" href="data:,";
                script src=(format!("{ROOT}/script.js")) defer {}
            }
            body { (body) }
        }
    }
}
