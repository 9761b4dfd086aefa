//! Upgrades: of what each release has left, and of the schema while a process of the version before works.

mod release;
mod rolling;

use reqwest::{Client, Method};
use serde_json::Value;
use test_support::home::Home;
use test_support::service::Service;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// An administrator of a service.
struct Caller {
    runtime: tokio::runtime::Runtime,
    client: Client,
    url: String,
}

impl Caller {
    fn of(service: &Service) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, client: Client::new(), url: service.url() }
    }

    /// What a request is answered, whose status must be a success.
    #[track_caller]
    fn ask(&self, method: Method, path: &str, body: Option<String>) -> String {
        self.runtime.block_on(async {
            let request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN);
            let request = request.header("Content-Type", "application/json");
            let response = request.body(body.unwrap_or_default()).send().await.unwrap();
            let status = response.status();
            let text = response.text().await.unwrap();
            assert!(status.is_success(), "{path}: {status}: {text}");
            text
        })
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.ask(Method::GET, path, None)).unwrap()
    }

    /// The newest session of a stream.
    fn session(&self, stream: &str) -> Value {
        self.get(&format!("/v1/sessions?stream={stream}&limit=1"))["data"][0].clone()
    }
}

/// The address of a database of a service's private server.
fn url_of(service: &Service, database: &str) -> String {
    let sockets = service.socket_dir().display().to_string().replace('/', "%2F");
    format!("postgres://streamtally@localhost/{database}?host={sockets}")
}

/// Starts a service whose administrator's token is known.
fn serve(home: &Home, data_dir: &std::path::Path, settings: &[(&str, &str)]) -> Service {
    let mut service = home.launch(data_dir, |command| {
        command.env("STREAMTALLY_ADMIN_TOKEN", TOKEN).envs(settings.iter().copied());
    });
    service.wait_ready();
    service
}
