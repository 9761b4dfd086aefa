//! A receiver of webhooks that answers, or does not, as a test says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub enum Behavior {
    Status(u16),
    /// A status with a header.
    With(u16, &'static str, String),
    /// Answers with success after half a second.
    Slow,
    /// Reads the request and never answers.
    Stall,
    /// Begins a response, and sends one byte after the other without an end.
    Drip,
    /// Answers with success and a length, but sends no body.
    NoBody,
    /// Answers as HTTP/1.0 does, and closes the connection.
    Old,
    /// Sends the head of a success and then a body that never ends, as fast as it is read.
    Endless,
    /// Cuts the connection.
    Reset,
}

/// A request that a receiver got.
#[derive(Debug, Clone)]
pub struct Request {
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    /// Whether the receiver answers with success.
    pub accepted: bool,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// Whether one of its signatures is by this secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", self.id(), self.headers["webhook-timestamp"]).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.headers["webhook-signature"].split(' ').any(|signature| signature == expected)
    }
}

pub struct Receiver {
    pub url: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

struct State {
    behavior: Behavior,
    requests: Vec<Request>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?token=of-a-test", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { behavior: Behavior::Status(204), requests: Vec::new() }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let _ = serve(connection, &state).await;
                });
            }
        });
        Self { url, state, task }
    }

    pub fn behave(&self, behavior: Behavior) {
        self.state.lock().unwrap().behavior = behavior;
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The types and streams of the events so far.
    pub fn events(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let event = |request: &Request| {
            let body = request.json();
            (text(&body["type"]), text(&body["data"]["session"]["stream"]))
        };
        self.requests().iter().map(event).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut read = Vec::new();
    while let Some(request) = read_request(&mut connection, &mut read).await? {
        let behavior = {
            let mut state = state.lock().unwrap();
            let accepted = matches!(state.behavior, Behavior::Status(200..=299));
            state.requests.push(Request { accepted, ..request });
            state.behavior.clone()
        };
        match behavior {
            Behavior::Status(status) => respond(&mut connection, status, "").await?,
            Behavior::With(status, name, value) => {
                respond(&mut connection, status, &format!("{name}: {value}\r\n")).await?;
            }
            Behavior::Slow => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                respond(&mut connection, 204, "").await?;
            }
            Behavior::Stall => tokio::time::sleep(Duration::from_hours(1)).await,
            Behavior::Drip => {
                connection.write_all(b"HTTP/1.1 200 OK\r\nX-Drip: ").await?;
                loop {
                    connection.write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Behavior::NoBody => {
                connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await?;
                tokio::time::sleep(Duration::from_hours(1)).await;
            }
            Behavior::Old => return connection.write_all(b"HTTP/1.0 200 OK\r\n\r\nok").await,
            Behavior::Endless => {
                connection.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
                loop {
                    connection.write_all(b"400\r\n").await?;
                    connection.write_all(&[b'x'; 0x400]).await?;
                    connection.write_all(b"\r\n").await?;
                }
            }
            Behavior::Reset => {
                connection.set_zero_linger()?;
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn respond(connection: &mut TcpStream, status: u16, headers: &str) -> std::io::Result<()> {
    let length = if status == 204 { String::new() } else { "Content-Length: 0\r\n".to_owned() };
    connection.write_all(format!("HTTP/1.1 {status} Of-A-Test\r\n{headers}{length}\r\n").as_bytes()).await
}

/// The next request of a connection; `None` when it is closed.
async fn read_request(connection: &mut TcpStream, read: &mut Vec<u8>) -> std::io::Result<Option<Request>> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            let headers: HashMap<String, String> = head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers["content-length"].parse().unwrap();
            let begin = end + 4;
            if read.len() >= begin + length {
                let body = read[begin..begin + length].to_vec();
                read.drain(..begin + length);
                return Ok(Some(Request { headers, body, accepted: false }));
            }
        }
        if connection.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}
