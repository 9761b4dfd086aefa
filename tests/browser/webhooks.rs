//! The life of a webhook on the dashboard.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::{fs, thread};

use test_support::home::{Home, User};

use crate::browser::Browser;

/// Starts a receiver that answers with the status of the moment. Returns its URL.
fn receive(status: Arc<AtomicU16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, status) = (connection.unwrap(), Arc::clone(&status));
            thread::spawn(move || {
                let mut request = [0; 4_096];
                let _ = connection.read(&mut request);
                let status = status.load(Ordering::Relaxed);
                let head = format!("HTTP/1.1 {status} Of-A-Test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                let _ = connection.write_all(head.as_bytes());
            });
        }
    });
    url
}

#[tokio::test]
async fn a_webhook_is_created_tested_rotated_replayed_disabled_and_resumed() {
    let home = Home::new(User::Ourselves);
    let mut service = home.launch(&home.data_dir(), |command| {
        command.args(["--webhook-allow-http", "--webhook-allow-networks", "127.0.0.0/8"]);
    });
    service.wait_ready();
    assert_eq!(home.run(&["domain", "add", "push.example.com"]).0, 0);
    let token = fs::read_to_string(home.data_dir().join("admin-token")).unwrap().trim().to_owned();
    let status = Arc::new(AtomicU16::new(204));
    let url = receive(Arc::clone(&status));
    let browser = Browser::start().await;
    browser.sign_in(&service.url(), "/dashboard/set-up", &token).await;

    // Created, and its secret shown once.
    browser.click("Webhooks").await;
    browser.fill("input[name=name]", "recorder").await;
    browser.fill("input[name=url]", &url).await;
    browser.press("Create webhook").await;
    let secret = browser.wait_for("code.secret").await.text().await.unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");

    // Tested.
    browser.press("Send test event").await;
    browser.wait_for_text("The receiver accepted the test event: 204").await;
    assert!(!browser.client.source().await.unwrap().contains(&secret));

    // The secret is replaced.
    browser.click("Replace secret").await;
    browser.press("Replace secret").await;
    let replaced = browser.wait_for("code.secret").await.text().await.unwrap();
    assert!(replaced.starts_with("whsec_") && replaced != secret);

    // A delivery fails, and is sent again.
    status.store(500, Ordering::Relaxed);
    let send = ["send", "start", "--domain", "push.example.com", "--stream", "room", "--url", &service.url(), "--wait"];
    assert_eq!(home.run(&send).0, 0);
    let reload_until = async |text: &str| {
        let shows = async || {
            browser.client.refresh().await.unwrap();
            browser.client.source().await.unwrap().contains(text)
        };
        browser.wait_until(shows).await;
    };
    reload_until("waiting for another attempt").await;
    status.store(200, Ordering::Relaxed);
    browser.press("Send again").await;
    browser.wait_for_text("Events that are sent again: 1.").await;
    browser.click("Setup").await;
    browser.click("Webhooks").await;
    browser.click("recorder").await;
    reload_until("delivered").await;

    // Gone: it is disabled, and Problems says so.
    status.store(410, Ordering::Relaxed);
    let end = ["send", "end", "--domain", "push.example.com", "--stream", "room", "--url", &service.url(), "--wait"];
    assert_eq!(home.run(&end).0, 0);
    reload_until("disabled: the receiver answered 410 Gone").await;
    browser.click("Problems").await;
    browser.wait_for_text("Failing webhooks").await;
    browser.click("recorder").await;

    // Enabled again, it resumes where it was.
    status.store(200, Ordering::Relaxed);
    browser.press("Enable").await;
    let is_sent = async || {
        browser.client.refresh().await.unwrap();
        let page = browser.client.source().await.unwrap();
        page.contains("session.ended") && !page.contains("waiting for another attempt")
    };
    browser.wait_until(is_sent).await;
    browser.press("Disable").await;
    browser.wait_for_text("disabled").await;
    browser.click("Remove webhook").await;
    browser.wait_for("input[type=checkbox]").await.click().await.unwrap();
    browser.press("Remove webhook").await;
    browser.wait_for_text("None yet.").await;
}
