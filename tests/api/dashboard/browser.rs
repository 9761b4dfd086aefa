//! A browser without a script.

use reqwest::redirect::Policy;
use reqwest::{Body, Client, ClientBuilder, Method, RequestBuilder, Response};

use crate::helpers::TestApp;

/// Somebody with a browser that follows nothing by itself.
pub struct Browser {
    address: String,
    client: Client,
    pub cookie: Option<String>,
    /// What the browser, or a proxy behind it, adds to each request.
    pub headers: Vec<(&'static str, String)>,
}

/// A client that follows nothing.
pub fn staying(builder: ClientBuilder) -> ClientBuilder {
    builder.redirect(Policy::none()).tls_danger_accept_invalid_certs(true)
}

impl Browser {
    pub fn new(app: &TestApp) -> Self {
        Self::at(&app.address, staying(Client::builder()).build().unwrap())
    }

    pub fn at(address: &str, client: Client) -> Self {
        Self { address: address.to_owned(), client, cookie: None, headers: Vec::new() }
    }

    pub async fn signed_in(app: &TestApp, token: &str) -> Self {
        let mut browser = Self::new(app);
        browser.sign_in(token).await;
        browser
    }

    /// Signs in, and keeps the cookie. The header that sets it.
    pub async fn sign_in(&mut self, token: &str) -> String {
        let answer = self.post("/dashboard/sign-in", &[("token", token)]).await;
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        cookie
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.address));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let encoded: Vec<_> = fields
            .iter()
            .map(|(name, value)| {
                format!("{name}={}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC))
            })
            .collect();
        self.post_body(path, encoded.join("&")).await
    }

    pub async fn post_body(&self, path: &str, body: impl Into<Body>) -> Response {
        let request = self.request(Method::POST, path).body(body);
        request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
    }

    /// What every form of theirs carries.
    pub async fn form_token(&self) -> String {
        let page = self.page("/dashboard").await;
        between(&page, "name=\"form_token\" value=\"", "\"").to_owned()
    }

    /// Sends a form; gives the page that it leads to, or shows. Cookies of the answer come along to that page, but are not kept.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let form_token = self.form_token().await;
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", form_token.as_str())]).collect();
        let answer = self.post(path, &fields).await;
        if answer.status() == 303 {
            let next = answer.headers()["location"].to_str().unwrap().split('#').next().unwrap();
            let mut request = self.request(Method::GET, next);
            for cookie in answer.headers().get_all("set-cookie") {
                request = request.header("cookie", cookie.to_str().unwrap().split(';').next().unwrap());
            }
            return shown(next, request.send().await.unwrap()).await;
        }
        shown(path, answer).await
    }

    /// Sends a form that is not accepted; gives the page that shows it again.
    pub async fn send_wrong(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let form_token = self.form_token().await;
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", form_token.as_str())]).collect();
        let answer = self.post(path, &fields).await;
        assert_eq!(answer.status(), 400, "{path}");
        answer.text().await.unwrap()
    }

    /// A page that is shown.
    pub async fn page(&self, path: &str) -> String {
        shown(path, self.get(path).await).await
    }
}

async fn shown(path: &str, answer: Response) -> String {
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    answer.text().await.unwrap()
}

/// What stands between two texts.
pub fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    page.split_once(before).unwrap().1.split_once(after).unwrap().0
}
