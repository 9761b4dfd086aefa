//! What all pages have in common.

use maud::{DOCTYPE, Markup, html};

use super::ROOT;
use super::visitor::Visitor;
use crate::access::Scope;

/// Which page it is, in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// What is live.
    Live,
    /// Looking for something.
    Find,
    /// How long pushes lasted.
    Reports,
    /// None of these.
    Elsewhere,
}

/// A page for somebody who is signed in.
pub fn page(visitor: &Visitor, place: Place, title: &str, content: &Markup) -> Markup {
    let entry = |of: Place, path: &str, name: &str| {
        html! { a href=(format!("{ROOT}{path}")) aria-current=[(place == of).then_some("page")] { (name) } }
    };
    document(
        title,
        &html! {
            header.bar {
                a.skip href="#content" { "Skip to content" }
                nav aria-label="Pages" {
                    (entry(Place::Live, "", "Live"))
                    (entry(Place::Find, "/find", "Find"))
                @if visitor.principal.may(Scope::Billing) { (entry(Place::Reports, "/reports", "Reports")) }
                    a href="/docs/" { "API" }
                }
                form.out method="post" action=(format!("{ROOT}/sign-out")) {
                    input type="hidden" name="form_token" value=(visitor.form_token);
                    span.who { (visitor.principal.actor.name) }
                    button { "Sign out" }
                }
            }
            main #content { (content) }
        },
    )
}

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
