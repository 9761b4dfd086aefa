//! In which language and time zone pages are, and the frame around them.

use reqwest::StatusCode;
use serde_json::json;
use test_support::messages::{DOMAIN, Push};

use super::browser::{Browser, between};
use crate::helpers::{ADMIN_TOKEN, TestApp};

/// The cookies that an answer sets, as a browser sends them.
fn cookies(answer: &reqwest::Response) -> String {
    let set = answer.headers().get_all("set-cookie").iter();
    set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

async fn choose(browser: &mut Browser, fields: &[(&str, &str)]) {
    let answer = browser.post("/dashboard/preferences", fields).await;
    assert_eq!(answer.status(), 303);
    browser.cookie = Some(format!("{}; {}", browser.cookie.as_ref().unwrap(), cookies(&answer)));
}

#[tokio::test]
async fn pages_are_in_the_language_that_the_browser_prefers_until_one_is_chosen() {
    let app = TestApp::start().await;
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (accepted, language) in [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("zh-Hant-TW", "zh-CN"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr, zh;q=0.5", "zh-CN"),
        ("fr", "en"),
        ("", "en"),
        ("\u{ff}", "en"),
    ] {
        browser.headers = vec![("accept-language", accepted.to_owned())];
        for path in ["/dashboard", "/dashboard/nowhere-to-be-found", "/dashboard/preferences"] {
            let page = browser.get(path).await.text().await.unwrap();
            assert!(page.contains(&format!("<html lang=\"{language}\"")), "{accepted} {path}: {page}");
        }
    }
    choose(&mut browser, &[("language", "zh-CN")]).await;
    assert!(browser.page("/dashboard").await.contains("<html lang=\"zh-CN\""));
}

#[tokio::test]
async fn times_are_in_the_time_zone_of_the_service_until_one_is_chosen_and_pages_name_it() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--time-zone", "Asia/Shanghai"]).await;
    let push = Push::of("room", 60);
    app.receive(&[push.start()]).await;
    let started = chrono::DateTime::from_timestamp(push.publish_timestamp, 0).unwrap();
    let mut browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    let shown_in =
        |page: &str, zone: chrono_tz::Tz| page.contains(&started.with_timezone(&zone).format("%H:%M:%S<").to_string());
    let page = browser.page("/dashboard").await;
    assert!(page.contains("Asia/Shanghai, UTC+8") && shown_in(&page, chrono_tz::Asia::Shanghai), "{page}");
    choose(&mut browser, &[("time_zone", "Asia/Kathmandu")]).await;
    let page = browser.page("/dashboard").await;
    assert!(page.contains("Asia/Kathmandu, UTC+5:45") && shown_in(&page, chrono_tz::Asia::Kathmandu), "{page}");
    assert!(!shown_in(&page, chrono_tz::UTC), "{page}");
}

#[tokio::test]
async fn an_unknown_language_or_time_zone_is_not_kept_and_no_other_site_is_led_to() {
    let app = TestApp::start().await;
    let browser = Browser::signed_in(&app, ADMIN_TOKEN).await;
    for (to, led) in [
        ("/dashboard/find?text=a", "/dashboard/find?text=a"),
        ("https://evil.example/dashboard", "/dashboard"),
        ("//evil.example", "/dashboard"),
        ("/dashboardevil", "/dashboard"),
    ] {
        let fields = [("to", to), ("language", "tlh"), ("time_zone", "Mars/Olympus\r\nSet-Cookie: a=b")];
        let answer = browser.post("/dashboard/preferences", &fields).await;
        assert_eq!((answer.status(), answer.headers()["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, led));
        assert_eq!(cookies(&answer), "");
        let page = browser.page(&format!("/dashboard/preferences?to={to}")).await;
        assert_eq!(page.contains(&format!("href=\"{to}\"")), led == to, "{page}");
    }
}

#[tokio::test]
async fn errors_keep_the_frame_of_those_who_are_signed_in() {
    let app = TestApp::start().await;
    let (known, stranger) = (Browser::signed_in(&app, ADMIN_TOKEN).await, Browser::new(&app));
    for (path, status) in [
        ("/dashboard/nowhere-to-be-found", 404),
        ("/dashboard/sessions/nonsense", 404),
        ("/dashboard/find?text=a&text=b", 400),
        ("/dashboard/reports?time_zone=Mars", 400),
    ] {
        let answer = known.get(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let page = answer.text().await.unwrap();
        assert!(page.contains("/dashboard/sign-out") && page.contains("role=\"alert\""), "{path}: {page}");
    }
    let page = stranger.get("/dashboard/nowhere-to-be-found").await.text().await.unwrap();
    assert!(page.contains("role=\"alert\"") && !page.contains("/dashboard/sign-out"), "{page}");
}

#[tokio::test]
async fn a_bound_token_is_told_what_it_sees() {
    let app = TestApp::start().await;
    for (domains, shown) in
        [(vec![DOMAIN], format!("<bdi>{DOMAIN}</bdi>")), (vec![DOMAIN, "other.example"], "2 domains only".to_owned())]
    {
        let token = app.make_token(&["read"], Some(&domains)).await;
        let page = Browser::signed_in(&app, &token).await.page("/dashboard").await;
        let tools = between(&page, "class=\"tools\"", "</header>");
        assert!(tools.contains(&shown) && tools.contains(&domains.join(", ")), "{tools}");
    }
    let page = Browser::signed_in(&app, ADMIN_TOKEN).await.page("/dashboard").await;
    assert!(!between(&page, "class=\"tools\"", "</header>").contains("chip"), "{page}");
}

#[tokio::test]
async fn the_navigation_counts_the_problems_that_the_visitor_may_see() {
    let app = TestApp::start().await;
    let other = "other.example";
    app.put(&format!("/v1/domains/{other}"), &json!({}), 201).await;
    let badge = async |domain: &str| {
        let token = app.make_token(&["read"], Some(&[domain])).await;
        Browser::signed_in(&app, &token).await.page("/dashboard").await.contains("class=\"badge\"")
    };
    app.callback(&Push { key: "w".repeat(32), ..Push::of("room", 5) }.start(), 401).await;
    crate::helpers::until(async || badge(DOMAIN).await).await;
    assert!(!badge(other).await);
}
