//! HTTPS: what is served over it, and with which certificate.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use reqwest::{Body, Client, Version};
use test_support::certificates::{Authority, Files};
use test_support::messages::Push;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::helpers::{TestApp, until};

/// A service over HTTPS, asked by this client.
pub async fn start(files: &Files, client: Client) -> TestApp {
    let settings = files.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(["--roles", "receiver,api"]).collect();
    TestApp::start_trusting(client, &settings).await
}

async fn connect(app: &TestApp) -> TcpStream {
    TcpStream::connect(app.address.trim_start_matches("https://")).await.unwrap()
}

#[tokio::test]
async fn https_is_served_and_browsers_are_told_to_stay_with_it() {
    let authority = Authority::new();
    let files = Files::with(authority.issue());
    let app = start(&files, authority.client()).await;
    for path in ["/healthz", "/docs/", "/nothing"] {
        let answer = app.client.get(format!("{}{path}", app.address)).send().await.unwrap();
        // Though the client would speak HTTP/2.
        assert_eq!(answer.version(), Version::HTTP_11);
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000", "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
    }
    app.receive(&[Push::of("room", 60).start()]).await;
    assert_eq!(app.session("").await["status"], "live");
}

#[tokio::test]
async fn who_does_not_speak_tls_learns_nothing() {
    let authority = Authority::new();
    let files = Files::with(authority.issue());
    let app = start(&files, authority.client()).await;
    let mut plain = connect(&app).await;
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Should the connection be reset, so much the better.
    let _ = plain.read_to_end(&mut answer).await;
    // An alert of TLS, or nothing.
    assert!(answer.len() <= 7 && !answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(Authority::new().client().get(format!("{}/healthz", app.address)).send().await.is_err());
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::with(old.issue());
    let app = start(&files, old.client()).await;
    let url = format!("{}/healthz", app.address);
    let of_new = new.client();
    assert!(of_new.get(&url).send().await.is_err());
    files.put(new.issue());
    until(async || of_new.get(&url).send().await.is_ok()).await;
    // Who is connected stays so; who connects anew is shown the new one.
    assert_eq!(app.client.get(&url).send().await.unwrap().status(), 200);
    assert!(old.client().get(&url).send().await.is_err());
}

#[tokio::test]
async fn clients_that_dawdle_are_cut_off_over_https_too() {
    let authority = Authority::new();
    let files = Files::with(authority.issue());
    let app = start(&files, authority.client()).await;
    let handshake = async {
        // The first bytes of a handshake, and no more.
        let mut stream = connect(&app).await;
        stream.write_all(&[22, 3, 1]).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(9), stream.read_to_end(&mut answer)).await.expect("it is cut off");
    };
    let body = async {
        let begun = stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending());
        let request = app.client.post(format!("{}/callbacks/huawei", app.address)).body(Body::wrap_stream(begun));
        let answer = timeout(Duration::from_secs(14), request.send()).await.expect("it is answered").unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (Version::HTTP_11, 408));
        assert_eq!(answer.headers()["connection"], "close");
    };
    let honest = app.callback_to("/callbacks/huawei", Push::of("honest", 60).start().to_string(), 200);
    tokio::join!(handshake, body, honest);
}
