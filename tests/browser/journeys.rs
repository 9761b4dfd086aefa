//! Complete journeys of users.

use std::fs;

use fantoccini::Locator;
use streamtally::platform::clock;
use test_support::home::{Home, User};
use test_support::service::Service;

use crate::browser::Browser;

const DOMAIN: &str = "push.example.com";

/// Keys as a driver takes them.
const RIGHT: &str = "\u{e014}";
pub const ENTER: &str = "\u{e007}";

/// A service with a domain, and the administrator's token.
fn serve(home: &Home) -> (Service, String) {
    let service = home.serve();
    let token = register(home);
    (service, token)
}

/// Registers the domain; gives the administrator's token.
fn register(home: &Home) -> String {
    assert_eq!(home.run(&["domain", "add", DOMAIN]).0, 0);
    fs::read_to_string(home.data_dir().join("admin-token")).unwrap().trim().to_owned()
}

fn send(home: &Home, service: &Service, what: &str, stream: &str, seconds_ago: i64) {
    let (url, began) = (service.url(), (clock::now().timestamp() - seconds_ago).to_string());
    let mut arguments = vec!["send", what, "--domain", DOMAIN, "--stream", stream, "--url", &url, "--wait"];
    if what == "start" {
        arguments.extend(["--publish-timestamp", &began]);
    }
    let (status, printed) = home.run(&arguments);
    assert_eq!(status, 0, "{printed}");
}

/// The start of a push that began too long ago to be accepted.
fn send_to_quarantine(home: &Home, service: &Service, stream: &str) {
    let (url, began) = (service.url(), (clock::now().timestamp() - 10 * 86_400).to_string());
    let what = ["send", "start", "--domain", DOMAIN, "--stream", stream, "--url", &url, "--publish-timestamp", &began];
    let (status, printed) = home.run(&what);
    assert_eq!(status, 0, "{printed}");
}

async fn sign_in(browser: &Browser, service: &Service, path: &str, token: &str) {
    browser.sign_in(&service.url(), path, token).await;
}

/// The token that a command has made.
pub fn token_of(printed: &str) -> String {
    printed.lines().find_map(|line| line.strip_prefix("Token, shown this once: ")).unwrap().to_owned()
}

#[tokio::test]
async fn a_stream_goes_live_and_ends_without_a_reload() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard", &token).await;
    browser.wait_for_text("No stream is live").await;
    let body = browser.wait_for("body").await;

    send(&home, &service, "start", "<b>room</b>", 3_700);
    browser.wait_for("#streams tbody tr.fresh").await;
    assert_eq!(browser.live_rows().await, 1);
    browser.wait_for_text("<b>room</b> live").await;
    browser.wait_for_title("1 live · streamtally").await;
    send(&home, &service, "end", "<b>room</b>", 0);
    browser.wait_for("#streams tbody tr.over .state.ended").await;
    browser.wait_for_text("<b>room</b> ended").await;
    browser.wait_for_title("0 live · streamtally").await;
    // An ended session leaves the list.
    browser.wait_for("#streams[hidden] tbody:empty").await;
    // It is the page that was loaded first.
    body.text().await.unwrap();
}

#[tokio::test]
async fn somebody_signs_in_and_out_over_plain_http_from_another_machine() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    let browser = Browser::start().await;
    // To such a host browsers do not send `Sec-Fetch-Site`: forms are known by their `Origin`.
    let url = format!("http://dashboard.test:{}", service.port());
    browser.sign_in(&url, "/dashboard/find", &token).await;
    assert_eq!(browser.path().await, "/dashboard/find");
    browser.press("Sign out").await;
    browser.wait_for("#token").await;
    browser.client.goto(&format!("{url}/dashboard")).await.unwrap();
    browser.wait_for("#token").await;
}

#[tokio::test]
async fn an_unconfirmed_session_is_marked_without_a_reload() {
    let home = Home::new(User::Ourselves);
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(["--unconfirmed-after", "3s"]);
    });
    service.wait_ready();
    let token = register(&home);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard", &token).await;
    browser.wait_for_text("No stream is live").await;
    send(&home, &service, "start", "room", 0);
    browser.wait_for("#streams tbody tr.fresh:not(.stale)").await;
    browser.wait_for("#streams tbody tr.stale .state.unconfirmed").await;
}

#[tokio::test]
async fn an_unconfirmed_session_is_confirmed_and_no_longer_marked() {
    let home = Home::new(User::Ourselves);
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(["--unconfirmed-after", "10m"]);
    });
    service.wait_ready();
    let token = register(&home);
    send(&home, &service, "start", "room", 1_200);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard", &token).await;
    browser.wait_for("#streams tbody tr.stale td:nth-child(4) a").await.click().await.unwrap();
    browser.click("Still live").await;
    browser.fill("input[name=reason]", "the encoder is still sending").await;
    browser.press("Still live").await;
    browser.wait_for_text("OPERATOR_CONFIRMED").await;
    browser.click("Live").await;
    browser.wait_for("#streams tbody tr:not(.stale) .clock").await;
    // The clock has ticked, and the script has not marked the row.
    browser.wait_for_text("20 min 2").await;
    browser.wait_for("#streams tbody tr:not(.stale) .clock").await;
}

#[tokio::test]
async fn a_stream_is_found_and_its_pages_show_an_end_without_a_reload() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send(&home, &service, "start", "<b>room</b>", 3_700);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard/find", &token).await;
    browser.fill("input[name=text]", "OOM<").await;
    browser.press("Find").await;
    browser.wait_for("td.name a").await.click().await.unwrap();
    browser.wait_for(".now .state.live").await;
    let body = browser.wait_for("body").await;
    send(&home, &service, "end", "<b>room</b>", 0);
    browser.wait_for(".now .state.ended").await;
    // It is the page that was loaded first.
    body.text().await.unwrap();

    browser.wait_for(".broadcasts summary").await.click().await.unwrap();
    send(&home, &service, "start", "<b>room</b>", 5);
    browser.wait_for(".now .state.live").await;
    browser.wait_for(".broadcasts details[open] tbody tr td a").await.click().await.unwrap();
    browser.wait_for_text("The provider reported the end.").await;
    browser.wait_for_text("PUBLISH_DONE").await;
    browser.wait_for("a[rel=next]").await.click().await.unwrap();
    browser.wait_for_text("Live since").await;
    send(&home, &service, "end", "<b>room</b>", 0);
    browser.wait_for_text("No push of the stream since.").await;
}

#[tokio::test]
async fn a_bar_of_the_timeline_has_a_card_for_the_keyboard_and_opens_its_session() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send(&home, &service, "start", "room", 3_700);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard/find?text=room", &token).await;
    browser.wait_for("td.name a").await.click().await.unwrap();
    let timeline = browser.wait_for("svg.lanes[tabindex]").await;
    timeline.send_keys(RIGHT).await.unwrap();
    let card = browser.wait_for(".tip:not([hidden])").await.text().await.unwrap();
    assert!(card.contains("Live since"), "{card}");
    timeline.send_keys(ENTER).await.unwrap();
    browser.wait_for_text("Live since").await;
    assert!(browser.path().await.starts_with("/dashboard/sessions/"));
}

#[tokio::test]
async fn an_operator_sees_what_an_end_time_means_before_it_is_stored() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send(&home, &service, "start", "room", 3_700);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard/find?text=room", &token).await;
    browser.wait_for("td.name a").await.click().await.unwrap();
    browser.wait_for(".broadcasts summary").await.click().await.unwrap();
    browser.wait_for(".broadcasts tbody tr td a").await.click().await.unwrap();
    browser.wait_for_text("Live since").await;
    browser.click("Set end time").await;
    browser.wait_for("input[name=ended_at]").await;
    let fill = "const field = document.querySelector('input[name=ended_at]'); field.value = field.min;";
    browser.client.execute(fill, vec![]).await.unwrap();
    browser.fill("input[name=reason]", "the encoder's log says so").await;
    browser.press("Continue").await;
    browser.wait_for_text("lasts 0 s").await;
    browser.press("Set end time").await;
    browser.wait_for_text("An operator set this end time.").await;
    browser.wait_for_text("log says so").await;
}

#[tokio::test]
async fn a_key_is_rotated_without_losing_a_callback() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send(&home, &service, "start", "before", 60);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard/set-up", &token).await;
    browser.click(DOMAIN).await;
    let old = browser.wait_for("tbody tr td code").await.text().await.unwrap();
    browser.press("Generate key").await;
    let new = browser.wait_for("code.secret").await.text().await.unwrap();
    browser.press("Copy").await;
    browser.click("Done").await;
    browser.wait_for_text("not used yet").await;
    // The command signs with the newest key, as the provider does from now on.
    send(&home, &service, "start", "between", 30);
    // Uses are written with a delay.
    browser
        .wait_until(async || {
            browser.client.refresh().await.unwrap();
            browser.client.find_all(Locator::Css("td[data-label='Last used'] time")).await.unwrap().len() == 2
        })
        .await;

    let path = format!("//tr[contains(., '{old}')]//a");
    browser.client.find(Locator::XPath(&path)).await.unwrap().click().await.unwrap();
    browser.wait_for_text("the provider may still sign with it").await;
    browser.press("Remove key").await;
    browser.wait_for("#keys + .scroll table").await;
    assert_eq!(browser.client.find_all(Locator::Css("#keys + .scroll table tbody tr")).await.unwrap().len(), 1);
    assert!(!browser.client.source().await.unwrap().contains(&new));
    send(&home, &service, "start", "after", 10);
}

#[tokio::test]
async fn a_domain_is_connected_and_its_first_callback_is_noticed_without_a_reload() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard/set-up", &token).await;
    browser.fill("input[name=domain]", "push.new.example").await;
    browser.press("Add domain").await;
    browser.wait_for("code.secret").await;
    browser.press("Send a test callback").await;
    browser.wait_for_text("authenticated and stored").await;
    browser.wait_for_text("Waiting for the first callback").await;
    let body = browser.wait_for("body").await;
    let (url, start) = (service.url(), ["send", "start", "--domain", "push.new.example", "--stream", "first"]);
    let (status, printed) = home.run(&[&start[..], &["--url", &url]].concat());
    assert_eq!(status, 0, "{printed}");
    browser.wait_for_text("Callbacks arrive.").await;
    // It is the page that was loaded first.
    body.text().await.unwrap();
}

#[tokio::test]
async fn a_quarantined_callback_is_released() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send_to_quarantine(&home, &service, "early-bird");
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard/problems", &token).await;
    browser.wait_for_text("start outside window").await;
    browser.click("Release").await;
    browser.fill("input[name=reason]", "the encoder's clock was wrong").await;
    browser.wait_for("input[name=confirmed]").await.click().await.unwrap();
    browser.press("Release").await;
    browser.wait_for_text("RELEASED").await;
    browser.wait_for_text("clock was wrong").await;
    browser.click("Live").await;
    browser.wait_for_text("early-bird").await;
}

#[tokio::test]
async fn a_month_is_reported_and_sealed() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send(&home, &service, "start", "room", 60);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard/reports?group_by=domain%2Capp%2Cstream", &token).await;
    browser.wait_for_text("No push hours in this period").await;
    browser.click("This month").await;
    browser.wait_for("table.report rect.open").await;
    browser.wait_for_text("push.example.com / live / room").await;
    let csv = browser.client.find(Locator::LinkText("CSV for programs")).await.unwrap();
    let csv = csv.attr("href").await.unwrap().unwrap();
    let download = "const [path, done] = arguments; fetch(path).then((answer) => answer.text()).then(done);";
    let text = browser.client.execute_async(download, vec![csv.into()]).await.unwrap();
    let text = text.as_str().unwrap();
    assert!(text.starts_with("domain,app,stream,") && text.contains("push.example.com,live,room,"), "{text}");

    browser.wait_for("table.report tbody td.number a").await.click().await.unwrap();
    browser.wait_for_text("Sessions of the report").await;
    browser.wait_for("tbody .swatch.open").await;
    browser.click("Back to the report").await;
    browser.wait_for("a.button[href*='/reports/close']").await.click().await.unwrap();
    browser.wait_for("form.card button:disabled").await;

    browser.client.goto(&format!("{}/dashboard/reports", service.url())).await.unwrap();
    browser.wait_for("a.button[href*='/reports/close']").await.click().await.unwrap();
    browser.wait_for("[name=confirmed]").await.click().await.unwrap();
    browser.wait_for("form.card button").await.click().await.unwrap();
    browser.wait_for(".card.success").await;
    browser.click("What changed").await;
    browser.wait_for_text("Nothing changed").await;
}

#[tokio::test]
async fn a_bound_token_does_not_see_other_domains() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send(&home, &service, "start", "room", 60);
    assert_eq!(home.run(&["domain", "add", "push.other.example"]).0, 0);
    let (status, printed) =
        home.run(&["token", "create", "wall", "--scopes", "read", "--domain", "push.other.example"]);
    assert_eq!(status, 0, "{printed}");
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard", &token).await;
    browser.click("room").await;
    browser.wait_for("figure.timeline").await;
    let stream = browser.path().await;
    browser.press("Sign out").await;
    browser.wait_for("#token").await;

    browser.client.goto(&format!("{}{stream}", service.url())).await.unwrap();
    browser.fill("#token", &token_of(&printed)).await;
    browser.press("Sign in").await;
    browser.wait_for_text("The stream was not found").await;
    assert_eq!(browser.path().await, stream);
    browser.client.goto(&format!("{}/dashboard", service.url())).await.unwrap();
    browser.wait_for_text("No stream is live").await;
    assert!(browser.client.find(Locator::LinkText("Reports")).await.is_err());
}

/// A token that may only read, and the link of a wall display.
fn wall_token(home: &Home) -> (String, String, String) {
    let (status, printed) = home.run(&["token", "create", "wall", "--scopes", "read"]);
    assert_eq!(status, 0, "{printed}");
    let value = |label: &str| printed.lines().find_map(|line| line.strip_prefix(label)).unwrap().to_owned();
    (token_of(&printed), value("Token id: "), value("Wall display, on the address of the service: "))
}

async fn clock(browser: &Browser) -> String {
    let clock = browser.client.find(Locator::Css(".clock")).await.unwrap();
    clock.prop("textContent").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_page_whose_token_is_revoked_leads_to_the_sign_in_page() {
    let home = Home::new(User::Ourselves);
    let (service, _) = serve(&home);
    send(&home, &service, "start", "room", 60);
    let (token, token_id, _) = wall_token(&home);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard?app=live", &token).await;
    browser.wait_for("#streams tbody tr").await;
    assert_eq!(home.run(&["token", "revoke", "--yes", &token_id]).0, 0);
    browser.wait_for("#token").await;
    assert!(browser.client.current_url().await.unwrap().query().unwrap().contains("%2Fdashboard%3Fapp%3Dlive"));
}

#[tokio::test]
async fn a_wall_opens_by_its_link_follows_the_pushes_and_says_when_it_is_signed_out() {
    let home = Home::new(User::Ourselves);
    let (service, _) = serve(&home);
    let (_, token_id, link) = wall_token(&home);
    let browser = Browser::start().await;
    browser.client.goto(&format!("{}{link}", service.url())).await.unwrap();
    browser.press("Sign in").await;
    browser.wait_for_text("No stream is live").await;
    assert_eq!(browser.path().await, "/dashboard/kiosk");
    send(&home, &service, "start", "room", 20);
    browser.wait_for_text("room").await;
    browser.wait_for_title("1 live · streamtally").await;
    let begun = clock(&browser).await;
    browser.wait_until(async || clock(&browser).await != begun).await;

    assert_eq!(home.run(&["token", "revoke", "--yes", &token_id]).0, 0);
    browser.wait_for(".is-stale .notice").await;
    browser.wait_for_text("Signed out. Data as of").await;
    assert_eq!(browser.path().await, "/dashboard/kiosk");
    let notice = browser.wait_for(".notice").await.rectangle().await.unwrap();
    let width = browser.client.execute("return innerWidth", vec![]).await.unwrap().as_f64().unwrap();
    assert!((notice.2 - width).abs() < 1.0, "{notice:?} of {width}");
}

#[tokio::test]
async fn a_page_says_that_the_service_is_away_and_recovers_when_it_is_back() {
    let home = Home::new(User::Ourselves);
    let (service, token) = serve(&home);
    send(&home, &service, "start", "room", 20);
    let browser = Browser::start().await;
    sign_in(&browser, &service, "/dashboard", &token).await;
    browser.wait_for("#streams tbody tr .clock").await;
    let port = service.port();
    service.stop();
    browser.wait_for(".is-stale .notice").await;
    let stopped = clock(&browser).await;
    let mut service = home.launch_on(port, &home.data_dir(), |_| {});
    service.wait_ready();
    // It stood still meanwhile.
    assert!(browser.client.find(Locator::Css(".is-stale")).await.is_err() || clock(&browser).await == stopped);
    browser.wait_for("body:not(.is-stale)").await;
    assert!(browser.client.find(Locator::Css(".notice")).await.is_err());
    browser.wait_until(async || clock(&browser).await != stopped).await;
    send(&home, &service, "start", "hall", 5);
    browser.wait_for("#streams tbody tr.fresh").await;
}
