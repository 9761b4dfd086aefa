//! The pictures of the README, of the demo.

use std::fs;
use std::path::Path;

use test_support::home::{Home, User, wait_for};

use crate::browser::Browser;

#[tokio::test]
#[ignore = "writes the README's pictures; `scripts/screenshots` runs it"]
async fn pictures_for_the_readme() {
    let home = Home::new(User::Ourselves);
    let printed = home.path().join("printed");
    let mut service = home.launch(&home.data_dir(), |command| {
        command.arg("--demo").stdout(fs::File::create(&printed).unwrap());
    });
    service.wait_ready();
    wait_for("the demo's history", || fs::read_to_string(&printed).unwrap().contains("#token="));
    let token = fs::read_to_string(home.data_dir().join("admin-token")).unwrap();
    let browser = Browser::start().await;
    browser.client.set_window_size(1180, 800).await.unwrap();
    browser.client.goto(&format!("{}/dashboard/sign-in#token={}", service.url(), token.trim())).await.unwrap();
    browser.press("Sign in").await;
    browser.wait_for("header nav a").await;
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    fs::create_dir_all(&images).unwrap();
    for (name, path) in [("live", "/dashboard"), ("reports", "/dashboard/reports?group_by=domain%2Capp")] {
        browser.client.goto(&format!("{}{path}", service.url())).await.unwrap();
        browser.wait_for("table tbody tr").await;
        fs::write(images.join(format!("{name}.png")), browser.client.screenshot().await.unwrap()).unwrap();
    }
}
