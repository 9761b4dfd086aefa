//! The page Live: figures, the last 24 hours, and lists of sessions that are live or were recently.
//!
//! Figures, chart and lists always have the same filters. `kiosk` is the wall display.

mod chart_of_day;
pub mod kiosk;
mod request;
mod rows;

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use maud::{Markup, html};

use super::error::PageError;
use super::layout::{self, NavItem};
use super::links::unless_default;
use super::texts::Language;
use super::view::View;
use super::visitor::Visitor;
use super::{ROOT, links, words};
use crate::api::KIOSK;
use crate::api::problem::ApiError;
use crate::app::page_caches::LastDay;
use crate::app::state::AppState;
use crate::http::extract::Query;
use crate::model::session::LiveOrder;
use crate::query;
use crate::query::live::{FilterNames, ListRequest, LiveTotals, SessionKind};
use crate::store::live::AfterSession;
use chart_of_day::{chart_of_day, read_last_day};
use request::{LivePage, Tab, filtered_path};
use rows::SessionTable;

/// Maximum unconfirmed sessions above the list of live ones.
const MAX_ATTENTION: u16 = 10;

#[get("")]
pub async fn show_live(
    visitor: Visitor,
    state: Data<AppState>,
    asked: Result<Query<LivePage>, ApiError>,
) -> Result<HttpResponse, PageError> {
    let view = visitor.view;
    let Query(asked) = asked?;
    let principal = &visitor.principal;
    let unconfirmed_after = state.unconfirmed_after;
    let list = ListRequest { kind: asked.kind(), after: asked.page.after.as_ref(), limit: asked.page.limit };
    let attention =
        ListRequest { kind: SessionKind::Unconfirmed(LiveOrder::OldestFirst), after: None, limit: MAX_ATTENTION };
    let board =
        query::live::read_board(&state.query_pool, principal, unconfirmed_after, &asked.filter, [list, attention]);
    let board = board.await?;
    let [list, attention] = board.lists;
    let (rows, next) = asked.page.page(list, |row| AfterSession::from(row), |row| row);
    let names = query::live::list_names(&state.query_pool, principal, asked.filter.domain.as_deref()).await?;
    let day = read_last_day(&state, principal, &asked.filter).await;
    let list = SessionTable { asked: &asked, rows: &rows, as_of: board.as_of, unconfirmed_after };
    let attention_rows = SessionTable { rows: &attention.rows, ..list };
    let title = view.language.live_title(&words::count(board.totals.live_sessions));
    let content = html! {
        div.heading {
            h1 { (view.language.live()) }
            a.button.small href=(filtered_path(KIOSK, &asked.filter)) { (view.language.live_kiosk()) }
        }
        (figures(view, &asked, board.totals, day.as_deref()))
        (tabs(view.language, &asked))
        (filters(view.language, &asked, &names))
        (chips(view.language, &asked))
        (needs_attention(view, &attention_rows, board.totals, board.listed_only_streams))
        (list_of(view, &list, next.as_deref()))
        p #news.unseen role="status" aria-live="polite" {}
    };
    Ok(layout::page(&visitor, NavItem::Live, &title, &content))
}

fn figures(view: View, asked: &LivePage, totals: LiveTotals, day: Option<&LastDay>) -> Markup {
    let text = view.language;
    let unconfirmed = asked.tab == Tab::Live && asked.unconfirmed;
    let figure = |link: String, current: bool, warns: bool, count: i64, member: &str, name: Markup| {
        html! {
            a.figure.warning[warns] href=(link) aria-current=[current.then_some("true")] {
                strong data-count=(member) { (words::count(count)) } " " span { (name) }
            }
        }
    };
    let streams = html! { span data-count="live_streams" { (words::count(totals.live_streams)) } };
    let sessions = html! {
        (text.live_sessions()) " "
        span #streams-of hidden[totals.live_streams == totals.live_sessions] { (words::fill(&text.live_of_streams(), &[streams])) }
    };
    html! {
        div.figures #figures {
            (figure(asked.link(&[("show", None), ("unconfirmed", None)]), asked.tab == Tab::Live && !unconfirmed, false, totals.live_sessions, "live_sessions", sessions))
            (figure(asked.link(&[("show", None), ("unconfirmed", Some("true"))]), unconfirmed, totals.unconfirmed_sessions > 0, totals.unconfirmed_sessions, "unconfirmed_sessions", html! { (text.state_unconfirmed()) }))
            (chart_of_day(view, day))
        }
    }
}

fn listed_only(text: Language, asked: &LivePage, streams: i64) -> Markup {
    let path = match &asked.filter.domain {
        Some(domain) => links::provider_lists(domain),
        None => format!("{}#differences", links::problems()),
    };
    let number = if streams == 1 { text.live_listed_only_one() } else { text.live_listed_only(&words::count(streams)) };
    html! { p.hint { (number) " " a href=(path) { (text.lists_differences()) } } }
}

fn tabs(text: Language, asked: &LivePage) -> Markup {
    html! {
        nav.tabs aria-label=(text.live_lists()) {
            @for &tab in Tab::ALL {
                a href=(asked.link(&[("show", unless_default(tab)), ("unconfirmed", None), ("sort", None)])) aria-current=[(tab == asked.tab).then_some("page")] {
                    (match tab {
                        Tab::Live => text.live_tab_live(),
                        Tab::Ended => text.live_tab_ended(),
                        Tab::All => text.all(),
                    })
                }
            }
        }
    }
}

fn filters(text: Language, asked: &LivePage, names: &FilterNames) -> Markup {
    let select = |name: &str, label: String, all: String, known: Vec<&String>, chosen: Option<&String>| {
        html! {
            label { (label)
                select name=(name) {
                    option value="" { (all) }
                    // A name that is neither registered nor live any longer.
                    @if let Some(chosen) = chosen.filter(|chosen| !known.contains(chosen)) { option value=(chosen) selected { (chosen) } }
                    @for name in &known { option value=(name) selected[chosen == Some(*name)] { (name) } }
                }
            }
        }
    };
    let domains = names.domains.iter().collect();
    let apps = names.apps.iter().collect();
    html! {
        form.filters method="get" action=(ROOT) role="search" aria-label=(text.live_filter()) data-submits {
            (select("domain", text.domain(), text.all_domains(), domains, asked.filter.domain.as_ref()))
            (select("app", text.app(), text.live_all_apps(), apps, asked.filter.app.as_ref()))
            label { (text.live_name_contains()) input type="search" name="search" maxlength="512" value=[asked.filter.search.as_deref()] autocomplete="off" spellcheck="false"; }
            @for (name, value) in asked.list_parameters() { @if let Some(value) = value { input type="hidden" name=(name) value=(value); } }
            button { (text.live_filter()) }
        }
    }
}

/// The filters, each with a link that removes it.
fn chips(text: Language, asked: &LivePage) -> Markup {
    let unconfirmed = (asked.tab == Tab::Live && asked.unconfirmed).then(|| text.state_unconfirmed());
    let filters = [
        ("domain", asked.filter.domain.as_ref()),
        ("app", asked.filter.app.as_ref()),
        ("search", asked.filter.search.as_ref()),
        ("unconfirmed", unconfirmed.as_ref()),
    ];
    html! {
        @if filters.iter().any(|(_, value)| value.is_some()) {
            div.chips {
                @for (name, value) in filters { @if let Some(value) = value {
                    span.chip { bdi { (value) } a href=(asked.link(&[(name, None)])) aria-label=(text.live_remove_filter(value)) title=(text.live_remove_filter(value)) { "×" } }
                } }
                a href=(asked.link(&filters.map(|(name, _)| (name, None)))) { (text.live_clear_filters()) }
            }
        }
    }
}

/// What is above the list of live sessions: the oldest unconfirmed ones, where that list itself does not have them, and how many
/// streams are live by the provider's list alone.
fn needs_attention(view: View, list: &SessionTable, totals: LiveTotals, listed_only_streams: i64) -> Markup {
    let text = view.language;
    let asked = list.asked;
    let shown = asked.tab == Tab::Live && !asked.unconfirmed && asked.page.after.is_none() && !list.rows.is_empty();
    html! {
        section #attention {
            @if asked.tab == Tab::Live && listed_only_streams > 0 { (listed_only(text, asked, listed_only_streams)) }
            @if shown {
                h2 { (text.live_needs_attention()) }
                p.hint { (text.unconfirmed_means()) }
                div.scroll { (list.table(view, None)) }
                @if i64::from(MAX_ATTENTION) < totals.unconfirmed_sessions {
                    p { a href=(asked.link(&[("unconfirmed", Some("true"))])) { (text.live_all_unconfirmed(&words::count(totals.unconfirmed_sessions))) } }
                }
            }
        }
    }
}

/// The list, and what the script needs to keep it current.
fn list_of(view: View, list: &SessionTable, next: Option<&str>) -> Markup {
    let text = view.language;
    let asked = list.asked;
    let first = asked.page.after.is_none();
    // Further pages of ended sessions hardly change.
    let follow = match asked.tab {
        Tab::Live => Some("rows"),
        Tab::Ended | Tab::All => first.then_some("page"),
    };
    html! {
        @if asked.tab == Tab::Live { h2 { (if asked.unconfirmed { text.unconfirmed_sessions() } else { text.live_list() }) } }
        @match asked.tab {
            Tab::Live => {}
            Tab::Ended => p.hint { (text.live_ended_hint()) },
            Tab::All => p.hint { (text.live_all_hint()) },
        }
        div #following data-follow=[follow] data-changes=(filtered_path("/v1/live/changes", &asked.filter)) data-counts=(filtered_path("/v1/live", &asked.filter)) data-refresh="figures list pager"
            data-order=(asked.order.as_str()) data-takes-new[!asked.unconfirmed] {
            div.scroll #list {
                div.card #empty hidden[!list.rows.is_empty()] { (empty(text, asked)) }
                (list.table(view, Some("streams")))
            }
            nav.actions #pager data-first[first] data-last[next.is_none()] aria-label=(text.live_list_pages()) {
                @if !first { a.button href=(asked.link(&[])) { (text.first_page()) } }
                @if let Some(next) = next { a.button href=(asked.link(&[("cursor", Some(next))])) { (text.next_page()) } }
            }
        }
    }
}

fn empty(text: Language, asked: &LivePage) -> Markup {
    let command = html! { code { "streamtally domain add DOMAIN" } };
    html! {
        @match (asked.tab, asked.is_filtered()) {
            (Tab::Live, true) => p { (text.live_none_matches()) },
            (Tab::Live, false) => {
                p { (text.live_none()) }
                p.hint { (words::fill(&text.live_none_hint(), &[command])) }
            }
            (Tab::Ended, _) => p { (text.live_none_ended()) },
            (Tab::All, _) => p { (text.live_none_started()) },
        }
    }
}
