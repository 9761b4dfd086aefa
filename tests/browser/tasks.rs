//! Tasks of the dashboard's users. Each takes at most four clicks after sign-in, and nobody types the name of a time zone.

use std::collections::HashSet;
use std::fs;

use chrono::{DateTime, Datelike, Months};
use chrono_tz::Tz;
use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use streamtally::platform::clock;
use test_support::home::wait_for;

use crate::visit::{Demo, PROVIDERS_KEY, Visit, WRONG_KEY_DOMAIN, Who, ZONE};

const OPERATIONS: Who = Who::Token("read", None);
const SUPPORT: Who = Who::Token("read,personal", None);
const ACCOUNTING: Who = Who::Token("read,billing", None);
const BILLING_CLERK: Who = Who::Token("billing", None);

/// A domain of the demo, and a stream of it that has been live for days.
const DOMAIN: &str = "push.events.example";
const LIVE_STREAM: &str = "lobby-camera";

/// Another domain of the demo, and a stream of it that has been live for hours.
const OTHER_DOMAIN: &str = "push.zhibo.example";
const OTHER_LIVE_STREAM: &str = "赵六的直播间-上海";

/// The month before this one where the demo is.
fn last_month() -> DateTime<Tz> {
    let now = clock::now().with_timezone(&ZONE.parse::<Tz>().unwrap());
    now.with_day(1).unwrap().checked_sub_months(Months::new(1)).unwrap()
}

/// The name of that month.
fn last_month_name() -> String {
    last_month().format("%B %Y").to_string()
}

async fn domains_of_rows(visit: &Visit) -> HashSet<String> {
    visit.texts("#streams tbody tr td:nth-child(2)").await.into_iter().collect()
}

#[tokio::test]
async fn live_streams_are_the_first_thing_seen() {
    let demo = Demo::share();
    let visit = demo.visit(OPERATIONS).await;
    for stream in [LIVE_STREAM, OTHER_LIVE_STREAM] {
        visit.sees(stream).await;
    }
    // Until a change of this moment is counted.
    let is_counted = async || {
        let counted = visit.texts("[data-count=live_sessions]").await;
        counted == [visit.browser.live_rows().await.to_string()]
    };
    visit.browser.wait_until(is_counted).await;
}

#[tokio::test]
async fn sessions_that_just_ended_are_listed_with_the_reason() {
    let demo = Demo::share();
    let mut visit = demo.visit(OPERATIONS).await;
    visit.click("a[href*='show=ended']").await;
    visit.sees_element("td[data-label=Ended] time").await;
    visit.sees("ended by the provider").await;
}

#[tokio::test]
async fn live_streams_are_filtered_by_domain_and_app_without_typing() {
    let demo = Demo::share();
    let mut visit = demo.visit(OPERATIONS).await;
    assert!(domains_of_rows(&visit).await.len() > 1);
    visit.choose("select[name=domain]", DOMAIN).await;
    visit.sees_element(".chips .chip").await;
    visit.choose("select[name=app]", "live").await;
    visit.sees_element(".chips .chip + .chip").await;
    visit.sees(LIVE_STREAM).await;
    assert_eq!(domains_of_rows(&visit).await, HashSet::from([DOMAIN.to_owned()]));
    let apps: HashSet<_> = visit.texts("#streams tbody tr td:nth-child(3)").await.into_iter().collect();
    assert_eq!(apps, HashSet::from(["live".to_owned()]));
}

#[tokio::test]
async fn what_is_odd_is_marked_on_the_first_page_and_explained_on_the_next() {
    let demo = Demo::share();
    let mut visit = demo.visit(OPERATIONS).await;
    visit.sees("Needs attention").await;
    assert!(visit.texts("#attention td.name a").await.contains(&LIVE_STREAM.to_owned()));
    let problems: u32 = visit.sees_element("nav .badge").await.text().await.unwrap().parse().unwrap();
    assert!(problems > 2, "{problems}");
    visit.follow("Problems").await;
    for text in ["Rejected callbacks", WRONG_KEY_DOMAIN, "Quarantined callbacks", "Unconfirmed sessions", LIVE_STREAM] {
        visit.sees(text).await;
    }
}

#[tokio::test]
async fn hours_per_domain_of_last_month_are_the_first_report() {
    let demo = Demo::share();
    let mut visit = demo.visit(ACCOUNTING).await;
    visit.follow("Reports").await;
    visit.sees(&format!("{} · {ZONE}", last_month_name())).await;
    let domains = visit.texts("table.report tbody td.name").await;
    assert_eq!(domains, ["push.demo.example", DOMAIN, "push.studio.example", OTHER_DOMAIN]);
    for hours in visit.texts("table.report tbody td[data-label='Push hours']").await {
        assert!(hours.replace(',', "").parse::<f64>().unwrap() > 1.0, "{hours}");
    }
}

#[tokio::test]
async fn a_time_zone_is_chosen_once_and_reports_are_in_it() {
    let demo = Demo::share();
    let mut visit = demo.visit(ACCOUNTING).await;
    assert_eq!(visit.texts("a.zone").await, [format!("{ZONE}, UTC+8 · English")]);
    visit.click("a.zone").await;
    visit.choose("select[name=time_zone]", "Asia/Tokyo").await;
    visit.press("Save").await;
    visit.follow("Reports").await;
    visit.sees("· Asia/Tokyo").await;
    assert_eq!(visit.texts("a.zone").await, ["Asia/Tokyo, UTC+9 · English"]);
}

#[tokio::test]
async fn estimated_hours_lead_to_their_sessions() {
    let demo = Demo::share();
    let mut visit = demo.visit(ACCOUNTING).await;
    visit.follow("Reports").await;
    visit.sees("hours are estimated: no end was reported").await;
    visit.follow("Estimated sessions").await;
    visit.sees("trade-fair").await;
    visit.sees("estimated: timed out without an end callback").await;
}

#[tokio::test]
async fn a_number_of_a_report_leads_to_its_sessions_and_the_reason_of_each_end() {
    let demo = Demo::share();
    let mut visit = demo.visit(ACCOUNTING).await;
    visit.follow("Reports").await;
    visit.click("table.report tbody tr:last-child td[data-label='Push hours'] a").await;
    visit.sees("Sessions of the report").await;
    visit.sees("ended by the provider").await;
    let sessions = visit.texts("tbody td.name").await;
    assert!(sessions.len() > 1 && sessions.iter().all(|session| session.contains(OTHER_DOMAIN)), "{sessions:?}");
    visit.follow_in("ended by the provider", "").await;
    visit.sees("The provider reported the end.").await;
}

#[tokio::test]
async fn a_report_is_downloaded_as_a_file_for_spreadsheets() {
    let demo = Demo::share();
    let mut visit = demo.visit(BILLING_CLERK).await;
    visit.follow("Excel").await;
    let name = format!("push-hours-{}-Asia-Shanghai-by-domain.xlsx", last_month().format("%Y-%m"));
    let file = visit.browser.downloads().join(name);
    // The browser creates it empty, and then replaces it. ZIP files begin with PK.
    wait_for("the file", || fs::read(&file).is_ok_and(|content| content.starts_with(b"PK")));
}

#[tokio::test]
async fn a_month_is_closed_and_compared_with_today() {
    let demo = Demo::share();
    let mut visit = demo.visit(BILLING_CLERK).await;
    let month = last_month_name();
    visit.follow(&format!("Close {month}")).await;
    visit.sees("Settle before closing").await;
    visit.click("input[name=confirmed]").await;
    visit.press(&format!("Close {month}")).await;
    visit.sees(&format!("{month} ({ZONE}) is closed")).await;
    visit.follow("What changed").await;
    visit.sees(&format!("What changed in {month}")).await;
    assert_eq!(visit.texts(".figures .figure > span").await, ["Sealed", "Today", "Difference", "Percent"]);
}

#[tokio::test]
async fn a_stream_is_found_in_any_case_and_its_timeline_shows_an_evening() {
    let demo = Demo::share();
    let mut visit = demo.visit(SUPPORT).await;
    visit.enter(".jump input", "LOBBY").await;
    visit.sees("1 stream matches.").await;
    visit.follow(LIVE_STREAM).await;
    visit.click("a[rel=prev]").await;
    let lanes = visit.sees_element("svg.lanes").await;
    assert!(visit.texts(".axis").await.len() >= 6);
    // Yesterday at nine in the evening.
    let (_, _, width, height) = lanes.rectangle().await.unwrap();
    let x = width * (21.0 / 24.0 - 0.5);
    let y = 20.0 - height / 2.0;
    let point = PointerAction::MoveToElement { element: lanes, duration: None, x, y };
    let pointing = MouseActions::new("mouse".to_owned()).then(point);
    visit.browser.client.perform_actions(pointing).await.unwrap();
    let card = visit.sees_element(".tip:not([hidden])").await.text().await.unwrap();
    assert!(card.starts_with("Live since"), "{card}");
}

#[tokio::test]
async fn the_log_of_a_session_and_the_reason_of_its_end_are_found_by_the_stream() {
    let demo = Demo::share();
    let mut visit = demo.visit(SUPPORT).await;
    visit.enter(".jump input", "EHEARS").await;
    visit.sees("1 stream matches.").await;
    visit.follow("rehearsal").await;
    visit.click(".broadcasts summary").await;
    visit.click(".broadcasts details[open] tbody a").await;
    for text in ["An operator set this end time.", "PUBLISH", "the customer confirmed the end by phone", "203.0.113.7"]
    {
        visit.sees(text).await;
    }
}

#[tokio::test]
async fn a_domain_is_connected_and_tested() {
    let demo = Demo::share();
    let mut visit = demo.visit(Who::Administrator).await;
    visit.follow("Setup").await;
    visit.enter("input[name=domain]", "push.connected.example").await;
    visit.sees("Callback URL").await;
    let [url, key] = &visit.texts("dl.facts code").await[..] else { panic!("a URL and a key") };
    assert_eq!(*url, demo.url("/callbacks/huawei"));
    for part in ["dd:first-of-type .copy", "dd:last-of-type .copy"] {
        visit.click(part).await;
    }
    visit.press("Send a test callback").await;
    visit.sees("Accepted.").await;
    visit.sees("Waiting for the first callback").await;
    assert!(demo.receives("push.connected.example", "first", key));
    visit.sees("Callbacks arrive.").await;
}

#[tokio::test]
async fn a_test_callback_is_sent_from_the_page_of_a_domain() {
    let demo = Demo::share();
    let mut visit = demo.visit(Who::Administrator).await;
    visit.follow("Setup").await;
    visit.follow("push.studio.example").await;
    visit.press("Send a test callback").await;
    visit.sees("Accepted.").await;
    visit.follow("The resulting session").await;
    visit.sees("streamtally-test").await;
}

#[tokio::test]
async fn a_wrong_key_is_seen_and_repaired() {
    let demo = Demo::share();
    let mut visit = demo.visit(Who::Administrator).await;
    assert!(!demo.receives(WRONG_KEY_DOMAIN, "before", PROVIDERS_KEY));
    visit.follow("Problems").await;
    visit.sees("signature mismatch").await;
    visit.follow_in(WRONG_KEY_DOMAIN, "Add a key").await;
    visit.sees_element("#keys").await;
    visit.sees("signature mismatch").await;
    visit.enter("input[name=key]", PROVIDERS_KEY).await;
    visit.sees_element("#keys + .scroll tbody tr + tr").await;
    assert!(demo.receives(WRONG_KEY_DOMAIN, "after", PROVIDERS_KEY));
}

#[tokio::test]
async fn a_key_is_rotated_in_two_visits() {
    let demo = Demo::share();
    let domain = "push.rotated.example";
    demo.run(&["domain", "add", domain]);
    let mut visit = demo.visit(Who::Administrator).await;
    visit.follow("Setup").await;
    visit.follow(domain).await;
    visit.press("Generate key").await;
    let key = visit.sees_element("code.secret").await.text().await.unwrap();
    visit.click("code.secret + .copy").await;

    // The provider has the new key by now.
    assert!(demo.receives(domain, "room", &key));
    demo.wait_until_a_key_is_used(domain);
    let mut visit = visit.again(&demo).await;
    visit.follow("Setup").await;
    visit.follow(domain).await;
    visit.follow_in("old", "Remove").await;
    visit.press("Remove key").await;
    visit.sees_element("#keys").await;
    assert_eq!(visit.texts("#keys + .scroll tbody .state").await, ["in use"]);
    assert!(demo.receives(domain, "hall", &key));
}

#[tokio::test]
async fn a_wall_display_for_one_domain_is_made_and_opened() {
    let demo = Demo::share();
    let mut visit = demo.visit(Who::Administrator).await;
    visit.follow("Setup").await;
    visit.click("#new-token summary").await;
    visit.type_in("#new-token input[name=name]", "hall 2").await;
    visit.click(&format!("#new-token input[name=domains][value='{DOMAIN}']")).await;
    visit.press("Create token").await;
    visit.sees("Link for a wall display").await;
    let link = visit.texts("code.secret").await.pop().unwrap();

    visit.browser.client.goto(&link).await.unwrap();
    visit.browser.press("Sign in").await;
    visit.sees(LIVE_STREAM).await;
    assert_eq!(visit.browser.path().await, "/dashboard/kiosk");
    let places = visit.texts(".tiles .where").await;
    assert!(places.iter().all(|place| place.starts_with(DOMAIN)), "{places:?}");
}

#[tokio::test]
async fn a_visitor_who_may_only_read_sees_neither_reports_nor_setup_nor_addresses() {
    let demo = Demo::share();
    let mut visit = demo.visit(OPERATIONS).await;
    let pages = visit.texts("header nav a").await;
    assert!(pages.len() == 3 && pages[2].starts_with("Problems"), "{pages:?}");
    visit.enter(".jump input", "rehears").await;
    visit.sees("1 stream matches.").await;
    visit.follow("rehearsal").await;
    visit.click(".broadcasts summary").await;
    visit.click(".broadcasts details[open] tbody a").await;
    visit.sees("An operator set this end time.").await;
    let source = visit.browser.client.source().await.unwrap();
    assert!(!source.contains("203.0.113.7") && !source.contains("Set end time"));
    visit.browser.client.goto(&demo.url("/dashboard/reports")).await.unwrap();
    visit.sees("Your token lacks the scope billing.").await;
    assert_eq!(visit.texts("header nav a").await, pages);
}

#[tokio::test]
async fn a_visitor_who_is_bound_to_a_domain_sees_its_name_and_nothing_else() {
    let demo = Demo::share();
    let visit = demo.visit(Who::Token("read", Some(OTHER_DOMAIN))).await;
    assert_eq!(visit.texts("header .chip").await, [OTHER_DOMAIN]);
    visit.sees(OTHER_LIVE_STREAM).await;
    assert_eq!(domains_of_rows(&visit).await, HashSet::from([OTHER_DOMAIN.to_owned()]));
    visit.enter(".jump input", LIVE_STREAM).await;
    visit.sees(&format!("No stream matches “{LIVE_STREAM}”")).await;
    visit.sees(&format!("Your token sees only {OTHER_DOMAIN}")).await;
}

#[tokio::test]
async fn a_visitor_who_may_only_bill_begins_with_the_reports() {
    let demo = Demo::share();
    let mut visit = demo.visit(BILLING_CLERK).await;
    assert_eq!(visit.browser.path().await, "/dashboard/reports");
    assert_eq!(visit.texts("header nav a").await, ["Reports"]);
    visit.sees(&last_month_name()).await;
    visit.click("table.report tbody td[data-label='Push hours'] a").await;
    visit.sees("ended by the provider").await;
    assert!(visit.texts("tbody td.name a").await.is_empty());
}
