//! Connections: how long they are kept, and that none is closed under a request.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use reqwest::Body;
use test_support::certificates::{Authority, Files};
use test_support::messages::Push;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::helpers::{ADMIN_TOKEN, HOLD_LOG, TestApp};
use crate::http::tls;
use crate::server::TestDatabase;

const ONE_TOO_MANY: usize = 64 * 1024 + 1;

/// How long a test uses a connection that is to be kept.
const USE: Duration = Duration::from_millis(1_500);

/// How many sweeps an idle connection survives.
const SWEEPS: usize = 6;

/// A connection without a library that would hide how it ends.
struct Connection(TcpStream);

/// What was answered to a request.
struct Answer {
    status: u16,
    head: String,
}

impl Answer {
    fn announces_close(&self) -> bool {
        self.head.to_lowercase().contains("\r\nconnection: close\r\n")
    }
}

impl Connection {
    async fn open(app: &TestApp) -> Self {
        Self::open_from("127.0.0.1", app).await
    }

    async fn open_from(ip: &str, app: &TestApp) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(ip.parse().unwrap(), 0)).unwrap();
        Self(socket.connect(app.address.trim_start_matches("http://").parse().unwrap()).await.unwrap())
    }

    async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends the head of a callback.
    async fn begin_callback(&mut self, headers: &str) {
        self.write(format!("POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n")).await;
    }

    async fn begin_callback_of(&mut self, length: usize) {
        self.begin_callback(&format!("Content-Length: {length}")).await;
    }

    /// The next answer, with its body.
    async fn answer(&mut self) -> Answer {
        let read = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await.expect("an answer"));
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            self.0.read_exact(&mut body).await.unwrap();
            Answer { status: head[9..12].parse().unwrap(), head }
        };
        timeout(Duration::from_secs(14), read).await.expect("an answer")
    }

    /// Sends a request that is answered with 200.
    async fn ask(&mut self) -> Answer {
        self.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let answer = self.answer().await;
        assert_eq!(answer.status, 200);
        answer
    }

    /// Uses the connection for a while.
    async fn assert_kept(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < USE {
            assert!(!self.ask().await.announces_close());
        }
    }

    /// All that arrives until the service closes the connection, which it must within so many seconds.
    async fn rest(mut self, seconds: u64) -> String {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(seconds), self.0.read_to_end(&mut rest)).await.expect("it is closed").unwrap();
        String::from_utf8(rest).unwrap()
    }

    /// Ends the client's side: the service sends nothing more and closes.
    async fn assert_closed(mut self) {
        self.0.shutdown().await.unwrap();
        assert_eq!(self.rest(5).await, "");
    }
}

/// Sends a callback, or a part of one, and reads the answer.
async fn send_callback(app: &TestApp, headers: &str, body: impl AsRef<[u8]>, status: u16) -> (Connection, Answer) {
    let mut connection = Connection::open(app).await;
    connection.begin_callback(headers).await;
    connection.write(body).await;
    let answer = connection.answer().await;
    assert_eq!(answer.status, status, "{headers}: {}", answer.head);
    (connection, answer)
}

#[tokio::test]
async fn connection_of_an_unfinished_body_is_closed_and_that_is_announced() {
    let app = TestApp::start().await;
    let chunk = format!("11000\r\n{}\r\n", "x".repeat(0x1_1000));
    let long = "x".repeat(70_000);
    let cases = [
        ("Content-Length: 1000000000000", long.as_str()),
        ("Content-Length: 1000000000000\r\nUpgrade: websocket", &long),
        ("Transfer-Encoding: chunked", &chunk),
    ];
    for (headers, body) in cases {
        let (connection, answer) = send_callback(&app, headers, body, 413).await;
        assert!(answer.announces_close(), "{headers}: {}", answer.head);
        connection.assert_closed().await;
    }
}

#[tokio::test]
async fn connection_of_a_finished_body_that_is_too_long_is_kept() {
    let app = TestApp::start().await;
    let length = format!("Content-Length: {ONE_TOO_MANY}");
    let (mut connection, answer) = send_callback(&app, &length, "x".repeat(ONE_TOO_MANY), 413).await;
    assert!(!answer.announces_close());
    connection.assert_kept().await;
}

#[tokio::test]
async fn client_that_goes_on_sending_gets_to_read_the_answer() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(&app).await;
    connection.begin_callback_of(1_000_000_000_000).await;
    let begun = Instant::now();
    while begun.elapsed() < USE {
        connection.write("x".repeat(ONE_TOO_MANY)).await;
    }
    let answer = connection.answer().await;
    assert!(answer.status == 413 && answer.announces_close(), "{}", answer.head);
    connection.assert_closed().await;
}

#[tokio::test]
async fn request_that_offers_an_upgrade_is_answered_and_the_close_announced() {
    let app = TestApp::start().await;
    let message = Push::of("room", 60).start().to_string();
    let upgrades =
        ["Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk", "Upgrade: websocket"];
    for upgrade in upgrades {
        let headers = format!("{upgrade}\r\nContent-Length: {}", message.len());
        let (connection, answer) = send_callback(&app, &headers, &message, 200).await;
        assert!(answer.announces_close(), "{}", answer.head);
        connection.assert_closed().await;
    }
    app.fold().await;
    assert_eq!(app.session("").await["start_deliveries"], 2);
}

#[tokio::test]
async fn answer_says_how_long_its_connection_is_kept() {
    let app = TestApp::start().await;
    let message = Push::of("room", 60).start().to_string();
    let (mut connection, answer) =
        send_callback(&app, &format!("Content-Length: {}", message.len()), &message, 200).await;
    assert!(answer.head.contains("\r\nkeep-alive: timeout=170\r\n") && !answer.announces_close(), "{}", answer.head);
    connection.ask().await;
}

/// Sends a body through the client's pool. Whether the answer announces the close of the connection.
async fn send(app: &TestApp, length: Option<usize>, body: Body, status: u16) -> bool {
    let mut request = app.client.post(format!("{}/callbacks/huawei", app.address)).body(body);
    if let Some(length) = length {
        request = request.header("Content-Length", length);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), status);
    let announces_close = response.headers().get("connection").is_some_and(|value| value == "close");
    response.bytes().await.unwrap();
    announces_close
}

/// A body that begins and never ends.
fn stuck() -> Body {
    Body::wrap_stream(stream::iter([Ok::<_, Infallible>("{")]).chain(stream::pending()))
}

/// Sends genuine callbacks through the client's pool while others do something, and then for a while.
async fn assert_none_is_lost(app: &TestApp, others: impl Future<Output = ()>) {
    let push = Push::of("room", 60);
    let callbacks = async {
        loop {
            app.callback(&push.start(), 200).await;
            app.callback(&push.end(), 200).await;
        }
    };
    tokio::select! {
        () = others => {}
        () = callbacks => {}
    }
    let ended = Instant::now();
    while ended.elapsed() < USE {
        app.callback(&push.start(), 200).await;
    }
}

/// Sends bodies through the client's pool that are too long.
async fn send_too_much(app: &TestApp) {
    let chunks = |number: usize| stream::iter((0..number).map(|_| Ok::<_, Infallible>("x".repeat(8 * 1024))));
    for _ in 0..10 {
        assert!(!send(app, None, "x".repeat(ONE_TOO_MANY).into(), 413).await);
        send(app, None, Body::wrap_stream(chunks(9)), 413).await;
        send(app, None, "x".repeat(8 * 1024 * 1024).into(), 413).await;
    }
    assert!(send(app, None, Body::wrap_stream(chunks(1).cycle()), 413).await);
}

#[tokio::test]
async fn pool_loses_no_callback_when_others_send_too_much() {
    let app = TestApp::start().await;
    assert_none_is_lost(&app, send_too_much(&app)).await;
}

#[tokio::test]
async fn pool_loses_no_callback_over_https_when_others_send_too_much() {
    let authority = Authority::new();
    let files = Files::with(authority.issue());
    let app = tls::start(&files, authority.client()).await;
    assert_none_is_lost(&app, send_too_much(&app)).await;
}

#[tokio::test]
async fn clients_that_dawdle_are_cut_off_and_cost_no_other_a_callback() {
    let app = TestApp::start().await;
    let half_a_head = async {
        let mut connection = Connection::open(&app).await;
        connection.write("POST /callbacks/huawei HTTP/1.1\r\nHost: local").await;
        assert!(connection.rest(9).await.starts_with("HTTP/1.1 408 "));
    };
    let nothing = async { assert!(Connection::open(&app).await.rest(9).await.starts_with("HTTP/1.1 408 ")) };
    let half_a_body = async |headers: &str, body: &str| {
        let mut connection = Connection::open(&app).await;
        connection.begin_callback(headers).await;
        connection.write(body).await;
        // Ten seconds for the body, five to read the answer.
        let answer = connection.rest(19).await;
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(r#""code":"too_slow""#), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    };
    let dawdlers = async {
        let of_pool = async |length| assert!(send(&app, length, stuck(), 408).await);
        tokio::join!(
            half_a_head,
            nothing,
            half_a_body("Content-Length: 100", "{"),
            half_a_body("Transfer-Encoding: chunked", "1\r\n{\r\n"),
            of_pool(Some(100)),
            of_pool(None),
        );
    };
    assert_none_is_lost(&app, dawdlers).await;
}

#[tokio::test]
async fn connection_is_cut_when_its_client_lets_more_than_six_sweeps_pass() {
    let app = TestApp::start().await;
    let (mut busy, mut idle, mut stuck) =
        tokio::join!(Connection::open(&app), Connection::open(&app), Connection::open(&app));
    for connection in [&mut busy, &mut idle, &mut stuck] {
        connection.ask().await;
    }
    stuck.write("GET /healthz HTTP/1.1\r\nHost: local").await;
    for _ in 0..SWEEPS {
        assert_eq!(app.connections.sweep(), 0);
        busy.ask().await;
    }
    assert!(app.connections.sweep() >= 2);
    assert_eq!((idle.rest(5).await, stuck.rest(5).await), (String::new(), String::new()));
    busy.ask().await;
}

#[tokio::test]
async fn sweep_spares_a_connection_while_it_is_the_turn_of_the_service() {
    let app = TestApp::start().await;
    let message = Push::of("room", 60).start().to_string();
    let mut holder = app.pool.begin().await.unwrap();
    sqlx::query(HOLD_LOG).execute(&mut *holder).await.unwrap();
    let (mut fresh, mut sending, mut waiting) =
        tokio::join!(Connection::open(&app), Connection::open(&app), Connection::open(&app));
    let listen = app.client.get(format!("{}/v1/live/changes", app.address)).bearer_auth(ADMIN_TOKEN);
    let mut listening = listen.send().await.unwrap();
    listening.chunk().await.unwrap();
    sending.begin_callback(&format!("Content-Length: {}\r\nExpect: 100-continue", message.len())).await;
    assert_eq!(sending.answer().await.status, 100);
    waiting.begin_callback_of(message.len()).await;
    waiting.write(&message).await;
    app.wait_for_a_blocked_statement().await;
    for _ in 0..=2 * SWEEPS {
        let _ = app.connections.sweep();
    }
    holder.rollback().await.unwrap();
    assert_eq!(waiting.answer().await.status, 200);
    sending.write(&message).await;
    assert_eq!(sending.answer().await.status, 200);
    fresh.ask().await;
    app.fold().await;
    assert!(listening.chunk().await.unwrap().is_some());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_another_is_closed() {
    let settings = ["--roles", "receiver,api", "--max-connections", "1"];
    let app = TestApp::start_empty(TestDatabase::create().await, &settings).await;
    let (mut first, mut second) = (Connection::open(&app).await, Connection::open(&app).await);
    first.ask().await;
    second.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    first.ask().await;
    assert!(second.0.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    drop(first);
    assert!(second.rest(5).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn strangers_who_hold_connections_leave_room_for_callbacks() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--max-connections", "20"]).await;
    let mut strangers = join_all((0..20).map(|_| Connection::open(&app))).await;
    let answers = join_all(strangers.iter_mut().map(Connection::ask)).await;
    assert!(answers.iter().any(Answer::announces_close));
    // Whatever they open again, they are asked to leave.
    let mut provider = Connection::open_from("127.0.0.2", &app).await;
    for _ in 0..3 {
        let message = Push::of("room", 60).start().to_string();
        provider.begin_callback_of(message.len()).await;
        provider.write(&message).await;
        let answer = provider.answer().await;
        assert!(answer.status == 200 && !answer.announces_close(), "{}", answer.head);
    }
}

#[tokio::test]
async fn an_address_has_only_so_many_connections() {
    let app = TestApp::start_with(&["--roles", "receiver,api", "--max-connections-per-address", "3"]).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut connection = Connection::open_from("127.0.0.3", &app).await;
        connection.ask().await;
        kept.push(connection);
    }
    assert_eq!(Connection::open_from("127.0.0.3", &app).await.rest(5).await, "");
    Connection::open_from("127.0.0.2", &app).await.ask().await;
    for mut connection in kept {
        connection.ask().await;
    }
}

#[tokio::test]
async fn service_that_stops_announces_the_close_of_connections_in_use() {
    let mut app = TestApp::start().await;
    let message = Push::of("room", 60).start().to_string();
    let mut holder = app.pool.begin().await.unwrap();
    sqlx::query(HOLD_LOG).execute(&mut *holder).await.unwrap();
    let mut waiting = Connection::open(&app).await;
    waiting.begin_callback_of(message.len()).await;
    waiting.write(&message).await;
    app.wait_for_a_blocked_statement().await;
    let mut idle = Connection::open(&app).await;
    idle.ask().await;
    let mut busy = join_all((0..16).map(|_| Connection::open(&app))).await;
    let used = async {
        join_all(busy.iter_mut().map(async |connection| while !connection.ask().await.announces_close() {})).await;
        holder.rollback().await.unwrap();
        let answer = waiting.answer().await;
        assert!(answer.status == 200 && answer.announces_close(), "{}", answer.head);
    };
    tokio::join!(app.stop(), used);
    for connection in busy.into_iter().chain([waiting, idle]) {
        assert_eq!(connection.rest(5).await, "");
    }
}
