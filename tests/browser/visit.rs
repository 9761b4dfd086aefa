//! A visit of the demo's dashboard: somebody signs in, does a task, and every click is counted.

use std::fs::{self, File};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use fantoccini::Locator;
use fantoccini::elements::Element;
use test_support::home::{Home, User, wait_for};
use test_support::messages::Push;
use test_support::service::Service;

use crate::browser::Browser;
use crate::journeys::{ENTER, token_of};

/// Maximum clicks of a task after sign-in. A choice from a list is a click; typing, the Enter key and pointing are none.
const MAX_CLICKS: u32 = 4;

pub const ZONE: &str = "Asia/Shanghai";

/// A domain of the demo whose provider has another key, and that key.
pub const WRONG_KEY_DOMAIN: &str = "push.next.example";
pub const PROVIDERS_KEY: &str = "this is not the key of the demo's domain";

/// A running demo. Its administrator chose the time zone of the dashboard.
pub struct Demo {
    service: Service,
    home: Home,
}

/// The user who does a task.
#[derive(Clone, Copy)]
pub enum Who {
    Administrator,
    /// A token with these scopes, for this domain if one is named.
    Token(&'static str, Option<&'static str>),
}

impl Demo {
    /// The demo that tests share: its history takes longer than any task. It ends with the last test that uses it.
    pub fn share() -> Arc<Self> {
        static SHARED: Mutex<Weak<Demo>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let demo = Arc::new(Self::start());
            *shared = Arc::downgrade(&demo);
            demo
        })
    }

    fn start() -> Self {
        let home = Home::new(User::Ourselves);
        let printed = home.path().join("printed");
        let mut service = home.launch(&home.data_dir(), |command| {
            command.args(["--demo", "--time-zone", ZONE]).stdout(File::create(&printed).unwrap());
        });
        service.wait_ready();
        wait_for("the demo's history", || fs::read_to_string(&printed).unwrap().contains("#token="));
        let rejected = format!("select count(*) > 0 from rejection where claimed_domain = '{WRONG_KEY_DOMAIN}'");
        wait_for("the demo's rejected callbacks", || service.sql(&rejected) == "t");
        Self { service, home }
    }

    pub async fn visit(&self, who: Who) -> Visit {
        let token = match who {
            Who::Administrator => fs::read_to_string(self.home.data_dir().join("admin-token")).unwrap(),
            Who::Token(scopes, domain) => {
                let create = ["token", "create", "task", "--scopes", scopes].into_iter();
                let bound = domain.into_iter().flat_map(|domain| ["--domain", domain]);
                token_of(&self.run(&create.chain(bound).collect::<Vec<_>>()))
            }
        };
        let browser = Browser::start().await;
        browser.sign_in(&self.service.url(), "/dashboard", token.trim()).await;
        Visit { browser, clicks: 0 }
    }

    /// Runs a command; gives what it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        let (status, printed) = self.home.run(arguments);
        assert_eq!(status, 0, "{printed}");
        printed
    }

    /// Sends the start of a push, signed with a key, as the provider does. Gives whether it was accepted.
    pub fn receives(&self, domain: &str, stream: &str, key: &str) -> bool {
        let push = Push { domain: domain.to_owned(), key: key.to_owned(), ..Push::of(stream, 1) };
        self.service.ask("POST", "/callbacks/huawei", &push.start().to_string()).starts_with("HTTP/1.1 200 ")
    }

    /// Waits until the use of a key is written, which happens with a delay.
    pub fn wait_until_a_key_is_used(&self, domain: &str) {
        let used =
            format!("select count(*) > 0 from signing_key where domain = '{domain}' and last_used_at is not null");
        wait_for("the use of a key", || self.service.sql(&used) == "t");
    }

    /// The address of a page.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.service.url())
    }
}

/// Somebody who is signed in, on the first page.
pub struct Visit {
    pub browser: Browser,
    clicks: u32,
}

impl Visit {
    /// The same person's next visit.
    pub async fn again(self, demo: &Demo) -> Self {
        self.browser.client.goto(&demo.url("/dashboard")).await.unwrap();
        Self { clicks: 0, ..self }
    }

    async fn click_on(&mut self, wanted: Locator<'_>) {
        let element = self.browser.wait_for_element(wanted).await;
        element.click().await.unwrap();
        self.count(&format!("{wanted:?}"));
    }

    fn count(&mut self, what: &str) {
        self.clicks += 1;
        assert!(self.clicks <= MAX_CLICKS, "the click on {what} is one too many");
    }

    pub async fn click(&mut self, css: &str) {
        self.click_on(Locator::Css(css)).await;
    }

    /// Follows the first link whose text begins so.
    pub async fn follow(&mut self, link: &str) {
        self.click_on(Locator::XPath(&format!("//a[starts-with(normalize-space(), '{link}')]"))).await;
    }

    /// Follows such a link in the first row of a table, or card, with a text.
    pub async fn follow_in(&mut self, row: &str, link: &str) {
        let row = format!("//*[self::tr or self::section][contains(., '{row}')]");
        self.click_on(Locator::XPath(&format!("{row}//a[starts-with(normalize-space(), '{link}')]"))).await;
    }

    pub async fn press(&mut self, button: &str) {
        self.click_on(Locator::XPath(&format!("//button[normalize-space()='{button}']"))).await;
    }

    /// Chooses from a list.
    pub async fn choose(&mut self, list: &str, value: &str) {
        self.browser.wait_for(list).await.select_by_value(value).await.unwrap();
        self.count(list);
    }

    pub async fn type_in(&self, field: &str, text: &str) {
        self.browser.fill(field, text).await;
    }

    /// Types, and presses Enter.
    pub async fn enter(&self, field: &str, text: &str) {
        self.browser.fill(field, &format!("{text}{ENTER}")).await;
    }

    pub async fn sees(&self, text: &str) {
        self.browser.wait_for_text(text).await;
    }

    pub async fn sees_element(&self, css: &str) -> Element {
        self.browser.wait_for(css).await
    }

    /// The texts of all elements, read at once: the page may change meanwhile.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let read = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent.trim())";
        let texts = self.browser.client.execute(read, vec![css.into()]).await.unwrap();
        texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }
}
