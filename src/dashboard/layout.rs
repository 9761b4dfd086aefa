//! The layout of all pages.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use maud::{DOCTYPE, Markup, html};

use super::ROOT;
use super::form::form;
use super::visitor::Visitor;
use crate::model::access::Scope;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NavItem {
    Live,
    Search,
    Reports,
    Problems,
    SetUp,
    /// A page that the navigation does not list.
    Unlisted,
}

/// A page for a signed-in visitor.
pub fn page(visitor: &Visitor, current: NavItem, title: &str, content: &Markup) -> HttpResponse {
    let entry = |item: NavItem, path: &str, name: &str| {
        html! { a href=(format!("{ROOT}{path}")) aria-current=[(current == item).then_some("page")] { (name) } }
    };
    answer(&document(
        title,
        &html! {
            header.bar {
                a.skip href="#content" { "Skip to content" }
                nav aria-label="Pages" {
                    (entry(NavItem::Live, "", "Live"))
                    (entry(NavItem::Search, "/find", "Find"))
                    @if visitor.principal.may(Scope::Billing) { (entry(NavItem::Reports, "/reports", "Reports")) }
                    (entry(NavItem::Problems, "/problems", "Problems"))
                    @if visitor.principal.may(Scope::Admin) { (entry(NavItem::SetUp, "/set-up", "Setup")) }
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

pub fn answer(page: &Markup) -> HttpResponse {
    HttpResponse::Ok().content_type(HTML).body(page.0.clone())
}

pub fn redirect_to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

pub const HTML: &str = "text/html; charset=utf-8";

/// A page for visitors who are not signed in.
pub fn page_without_nav(title: &str, content: &Markup) -> Markup {
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
