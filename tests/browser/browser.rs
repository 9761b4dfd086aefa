//! Chromium, through its driver.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use test_support::home::{Bystander, free_port};

/// How long something on a page may take to come about.
const PATIENCE: Duration = Duration::from_mins(1);

/// A browser with one window. It ends when this is dropped, and its driver with it.
pub struct Browser {
    pub client: Client,
    session: String,
    downloads: TempDir,
    _driver: Bystander,
}

impl Drop for Browser {
    /// The driver's death would leave the browser behind: it is told to end it. From a thread, since the test's own
    /// runtime waits for this.
    fn drop(&mut self) {
        let session = std::mem::take(&mut self.session);
        let ending = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime
                .block_on(async { reqwest::Client::new().delete(session).send().await.map_err(std::io::Error::other) })
        });
        let _ = ending.join();
    }
}

impl Browser {
    pub async fn start() -> Self {
        let port = free_port();
        let mut driver = Command::new("chromedriver");
        driver.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = Bystander::spawn(&mut driver);
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            // Containers have little of it.
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            // A host that is not this machine, as far as the browser knows.
            "--host-resolver-rules=MAP dashboard.test 127.0.0.1",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ];
        let downloads = tempfile::tempdir().unwrap();
        let preferences = json!({ "download.default_directory": downloads.path() });
        let options = json!({ "args": arguments, "prefs": preferences });
        let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": options });
        let capabilities = capabilities.as_object().unwrap().clone();
        let mut connect = ClientBuilder::new(HttpConnector::new());
        connect.capabilities(capabilities);
        let url = format!("http://127.0.0.1:{port}");
        let connected = async {
            loop {
                match connect.connect(&url).await {
                    Ok(client) => break client,
                    // The driver does not listen yet.
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let client = tokio::time::timeout(Duration::from_secs(30), connected).await.expect("chromedriver answers");
        let id = client.session_id().await.expect("the driver answers").expect("a session");
        Self { client, session: format!("{url}/session/{id}"), downloads, _driver: driver }
    }

    /// The folder of its downloads.
    pub fn downloads(&self) -> &Path {
        self.downloads.path()
    }

    /// Signs in at the service of this URL, which then shows the page of the path.
    pub async fn sign_in(&self, url: &str, path: &str, token: &str) {
        self.client.goto(&format!("{url}{path}")).await.unwrap();
        self.fill("#token", token).await;
        self.press("Sign in").await;
        self.wait_for("header.bar nav").await;
    }

    /// Waits until there is an element.
    pub async fn wait_for(&self, css: &str) -> Element {
        self.wait_for_element(Locator::Css(css)).await
    }

    pub async fn wait_for_element(&self, wanted: Locator<'_>) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(wanted).await;
        found.unwrap_or_else(|error| panic!("waited in vain for {wanted:?}: {error}"))
    }

    /// Waits until the page says something.
    pub async fn wait_for_text(&self, text: &str) {
        let path = format!("//main[contains(., '{text}')]");
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&path)).await;
        if found.is_err() {
            let page = self.client.find(Locator::Css("body")).await.unwrap().text().await.unwrap();
            panic!("waited in vain for {text:?}; there is: {page}");
        }
    }

    /// Waits until the page has a title.
    pub async fn wait_for_title(&self, title: &str) {
        self.wait_until(async || self.client.title().await.unwrap() == title).await;
    }

    /// Waits until a condition holds.
    pub async fn wait_until(&self, condition: impl AsyncFn() -> bool) {
        let holds = async { while !condition().await {} };
        tokio::time::timeout(PATIENCE, holds).await.expect("it comes about");
    }

    pub async fn click(&self, link: &str) {
        self.client.find(Locator::LinkText(link)).await.unwrap().click().await.unwrap();
    }

    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.wait_for(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button that says so.
    pub async fn press(&self, button: &str) {
        let path = format!("//button[normalize-space()='{button}']");
        self.client.find(Locator::XPath(&path)).await.unwrap().click().await.unwrap();
    }

    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// How many rows the table of what is live has, of those that are.
    pub async fn live_rows(&self) -> usize {
        self.client.find_all(Locator::Css("#streams tbody tr:not(.over)")).await.unwrap().len()
    }
}
