//! The layout of all pages.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use maud::{DOCTYPE, Markup, html};
use serde_json::json;

use super::form::form;
use super::preferences::zone_name;
use super::texts::Language;
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, links};
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
    answer(&framed(visitor, current, title, content))
}

/// The text of a page for a signed-in visitor.
pub fn framed(visitor: &Visitor, current: NavItem, title: &str, content: &Markup) -> Markup {
    let text = visitor.view.language;
    let may = |scope| visitor.principal.may(scope);
    let entry = |item: NavItem, path: &str, name: String, badge: Option<u32>| {
        html! {
            a href=(path) aria-current=[(current == item).then_some("page")] {
                (name) @if let Some(badge) = badge { " " span.badge title=(text.problems_badge()) { (badge) } }
            }
        }
    };
    let body = html! {
        header.bar {
            a.skip href="#content" { (text.skip()) }
            a.brand href=(ROOT) aria-label="streamtally" { (mark()) span { "streamtally" } }
            nav aria-label=(text.pages()) {
                @if may(Scope::Read) { (entry(NavItem::Live, ROOT, text.live(), None)) }
                @if may(Scope::Read) { (entry(NavItem::Search, &links::find(), text.find(), None)) }
                @if may(Scope::Billing) { (entry(NavItem::Reports, &links::reports(), text.reports(), None)) }
                @if may(Scope::Read) { (entry(NavItem::Problems, &links::problems(), text.problems(), Some(visitor.problems).filter(|count| *count > 0))) }
                @if may(Scope::Admin) { (entry(NavItem::SetUp, &links::set_up(), text.setup(), None)) }
            }
            @if may(Scope::Read) && current != NavItem::Search {
                form.jump method="get" action=(links::find()) role="search" aria-label=(text.find_a_stream()) {
                    input type="search" name="text" maxlength="512" aria-label=(text.find_a_stream()) placeholder=(text.find_a_stream())
                        aria-keyshortcuts="/" autocomplete="off" autocapitalize="off" spellcheck="false";
                }
            }
            div.tools {
                (bound_chip(visitor))
                (preferences_link(visitor.view, &visitor.path))
                a href="/docs/" { (text.api()) }
                (form(visitor, "out", &links::page("sign-out"), &html! {
                    span.who { bdi { (visitor.principal.actor.name) } }
                    button.quiet { (text.sign_out()) }
                }))
            }
        }
        main #content { (content) }
    };
    document(visitor.view, title, &body)
}

/// What a token that is bound to domains sees.
fn bound_chip(visitor: &Visitor) -> Markup {
    let text = visitor.view.language;
    match visitor.principal.visible_domains() {
        None => html! {},
        Some([domain]) => html! { span.chip title=(text.bound_to(domain)) { bdi { (domain) } } },
        Some(domains) => {
            html! { span.chip title=(text.bound_to(&domains.join(", "))) { (text.only_some_domains(domains.len())) } }
        }
    }
}

pub fn preferences_link(view: View, path: &str) -> Markup {
    let href = links::with(&links::page("preferences"), &[("to", Some(path))]);
    html! { a.zone href=(href) title=(view.language.preferences()) { (zone_name(view)) " · " (view.language.name()) } }
}

/// The mark of the product.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" aria-hidden="true" {
            rect x="4" y="6" width="4" height="20" rx="2" {}
            rect x="11" y="11" width="4" height="15" rx="2" {}
            rect x="18" y="6" width="4" height="20" rx="2" {}
            circle cx="27" cy="16" r="3.5" {}
        }
    }
}

pub fn answer(page: &Markup) -> HttpResponse {
    HttpResponse::Ok().content_type(HTML).body(page.0.clone())
}

pub fn redirect_to(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

pub const HTML: &str = "text/html; charset=utf-8";

/// A page for visitors who are not signed in.
pub fn page_without_nav(view: View, title: &str, content: &Markup) -> Markup {
    let header =
        html! { header.bar { a.brand href=(ROOT) aria-label="streamtally" { (mark()) span { "streamtally" } } } };
    document(view, title, &html! { (header) main #content.narrow { (content) } })
}

/// The wall display: nothing but its content.
pub fn kiosk(view: View, title: &str, content: &Markup) -> Markup {
    document_of_class(view, title, Some("kiosk"), content)
}

fn document(view: View, title: &str, body: &Markup) -> Markup {
    document_of_class(view, title, None, body)
}

fn document_of_class(view: View, title: &str, class: Option<&str>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(view.language.tag()) data-zone=(view.zone.name()) data-texts=(texts_of_script(view.language)) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="description" content=(view.language.description());
                meta name="color-scheme" content="light dark";
                title { (title) " · streamtally" }
                link rel="stylesheet" href=(links::page("style.css"));
                link rel="icon" type="image/svg+xml" href=(links::page("icon.svg"));
                script type="module" src=(links::page("script.js")) {}
            }
            body class=[class] { (body) }
        }
    }
}

/// The texts that the scripts show.
fn texts_of_script(text: Language) -> String {
    json!({
        "units": [text.unit_days(), text.unit_hours(), text.unit_minutes(), text.unit_seconds()],
        "lost": text.connection_lost(),
        "signedOut": text.signed_out_notice(),
        "unconfirmed": text.state_unconfirmed(),
        "live": text.state_live(),
        "ended": text.state_ended(),
        "liveTitle": text.live_title("{}"),
        "copy": text.copy(),
        "copied": text.copied(),
    })
    .to_string()
}
