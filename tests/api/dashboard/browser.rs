//! A browser without a script.

use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::helpers::TestApp;

/// Somebody with a browser that follows nothing by itself.
pub struct Browser<'a> {
    app: &'a TestApp,
    client: Client,
    pub cookie: Option<String>,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let client = Client::builder().redirect(Policy::none()).tls_danger_accept_invalid_certs(true).build().unwrap();
        Self { app, client, cookie: None }
    }

    pub async fn signed_in(app: &'a TestApp, token: &str) -> Self {
        let mut browser = Self::new(app);
        let answer = browser.post("/dashboard/sign-in", &[("token", token)]).await;
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        browser.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        browser
    }

    pub async fn get(&self, path: &str) -> Response {
        let mut request = self.client.get(format!("{}{path}", self.app.address));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let encoded: Vec<_> = fields
            .iter()
            .map(|(name, value)| {
                format!("{name}={}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC))
            })
            .collect();
        let request = self.client.post(format!("{}{path}", self.app.address)).body(encoded.join("&"));
        let mut request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    }

    /// What every form of theirs carries.
    pub async fn form_token(&self) -> String {
        let page = self.page("/dashboard").await;
        between(&page, "name=\"form_token\" value=\"", "\"").to_owned()
    }

    /// Sends a form; gives the page that it leads to, or shows.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let form_token = self.form_token().await;
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", form_token.as_str())]).collect();
        let answer = self.post(path, &fields).await;
        if answer.status() == 303 {
            return self.page(answer.headers()["location"].to_str().unwrap().split('#').next().unwrap()).await;
        }
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    /// A page that is shown.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        answer.text().await.unwrap()
    }
}

/// What stands between two texts.
pub fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    page.split_once(before).unwrap().1.split_once(after).unwrap().0
}
