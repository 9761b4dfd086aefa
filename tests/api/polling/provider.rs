//! A provider that answers fixed texts, and remembers the requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A status, further header lines, and a body.
type Answer = (u16, String, String);

#[derive(Default)]
struct State {
    /// By a part of the path.
    answers: BTreeMap<&'static str, Answer>,
    /// The heads of requests.
    requests: Vec<String>,
}

pub struct Provider {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Provider {
    /// One that has an empty list and history, and sends callbacks nowhere.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
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
        let provider = Self { endpoint, state, task };
        provider.answer("realtime/streams", 200, "", r#"{"total_num":0,"streams":[]}"#);
        provider.answer("history/streams", 200, "", r#"{"total":0}"#);
        provider.answer("notifications/publish", 200, "", "{}");
        provider
    }

    /// Answers requests whose path contains a text so.
    pub fn answer(&self, path: &'static str, status: u16, headers: &str, body: &str) {
        self.state.lock().unwrap().answers.insert(path, (status, headers.to_owned(), body.to_owned()));
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if connection.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8(head).unwrap();
    let (status, headers, body) = {
        let mut state = state.lock().unwrap();
        let known = state.answers.iter().find(|(path, _)| head.contains(*path));
        let answer = known.map_or_else(|| (404, String::new(), String::new()), |(_, answer)| answer.clone());
        state.requests.push(head);
        answer
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Of-A-Test\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await
}
