//! Clients who take a service's time and give it nothing.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use test_support::home::DEADLINE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{Instant, sleep, timeout};

/// How often somebody who dawdles sends a byte.
const PACE: Duration = Duration::from_millis(500);

/// How much later than it should the service may do a thing, on a busy machine.
const GRACE: Duration = Duration::from_secs(5);

const ONE_TOO_MANY: usize = 64 * 1024 + 1;

async fn connect(address: SocketAddr) -> TcpStream {
    timeout(DEADLINE, TcpStream::connect(address)).await.expect("a connection").unwrap()
}

/// Somebody who has asked once, and keeps the connection.
pub async fn idle(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address).await;
    ask(&mut stream).await;
    stream
}

/// Asks something that a connection is kept after.
pub async fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok\n") {
        let length = timeout(DEADLINE, stream.read_buf(&mut answer)).await.expect("an answer").unwrap();
        assert_ne!(length, 0, "{}", String::from_utf8_lossy(&answer));
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

/// Who sends byte by byte, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dawdler {
    Head,
    Body,
    ChunkedBody,
    /// The head of a second request.
    LaterHead,
}

impl Dawdler {
    fn opening(self) -> &'static str {
        match self {
            Self::Head | Self::LaterHead => "POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\nName: ",
            Self::Body => "POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n",
            Self::ChunkedBody => {
                "POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            }
        }
    }

    fn more(self) -> &'static str {
        if self == Self::ChunkedBody { "1\r\na\r\n" } else { "a" }
    }

    /// When it is cut at the latest, as docs/operations.md says.
    fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Head => 5,
            Self::Body | Self::ChunkedBody => 15,
            Self::LaterHead => 210,
        })
    }

    fn answer(self) -> &'static str {
        if self == Self::LaterHead { "" } else { "HTTP/1.1 408 " }
    }

    /// Dawdles until the service cuts the connection, which it must in time. How long that took.
    pub async fn dawdle(self, address: SocketAddr) -> Duration {
        let mut stream = connect(address).await;
        if self == Self::LaterHead {
            ask(&mut stream).await;
        }
        let began = Instant::now();
        let say = async |writer: &mut WriteHalf<'_>| -> io::Result<()> {
            writer.write_all(self.opening().as_bytes()).await?;
            loop {
                sleep(PACE).await;
                writer.write_all(self.more().as_bytes()).await?;
            }
        };
        let talk = talk(stream, say, |_| false);
        let answer = timeout(self.limit() + GRACE, talk).await.unwrap_or_else(|_| panic!("{self:?} is not cut"));
        assert!(answer.starts_with(self.answer()), "{self:?}: {answer}");
        began.elapsed()
    }
}

/// Who sends more than the service takes, and how.
#[derive(Debug, Clone, Copy)]
pub enum Glutton {
    /// One byte more than allowed, as it says.
    ByOne,
    /// On and on, of a terabyte that it has announced.
    Announced,
    /// On and on, in chunks.
    Chunked,
}

impl Glutton {
    pub const ALL: [Self; 3] = [Self::ByOne, Self::Announced, Self::Chunked];

    /// Sends until it is answered, which must be a refusal.
    pub async fn send(self, address: SocketAddr) {
        let (header, body) = match self {
            Self::ByOne => (format!("Content-Length: {ONE_TOO_MANY}"), "x".repeat(ONE_TOO_MANY)),
            Self::Announced => ("Content-Length: 1000000000000".to_owned(), "x".repeat(ONE_TOO_MANY)),
            Self::Chunked => ("Transfer-Encoding: chunked".to_owned(), format!("2000\r\n{}\r\n", "x".repeat(0x2000))),
        };
        let head = format!("POST /callbacks/huawei HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n");
        let say = async |writer: &mut WriteHalf<'_>| -> io::Result<()> {
            writer.write_all(head.as_bytes()).await?;
            writer.write_all(body.as_bytes()).await?;
            if matches!(self, Self::ByOne) {
                return Ok(());
            }
            loop {
                writer.write_all(body.as_bytes()).await?;
            }
        };
        let talk = talk(connect(address).await, say, |answer| !answer.is_empty());
        let answer = timeout(GRACE, talk).await.unwrap_or_else(|_| panic!("{self:?} is not answered"));
        assert!(answer.starts_with("HTTP/1.1 413 "), "{self:?}: {answer}");
    }
}

/// Says something until enough was answered, or the service closes the connection; the answer.
async fn talk(
    mut stream: TcpStream,
    say: impl AsyncFnOnce(&mut WriteHalf<'_>) -> io::Result<()>,
    is_enough: impl Fn(&[u8]) -> bool,
) -> String {
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let listen = async {
        // Closed by a reset as well, since the service does not read everything.
        while !is_enough(&answer) && reader.read_buf(&mut answer).await.is_ok_and(|length| length > 0) {}
    };
    let say = async {
        // That nothing more can be said is no end yet: the answer tells why.
        let _ = say(&mut writer).await;
        pending::<()>().await;
    };
    tokio::select! {
        () = listen => {}
        () = say => {}
    }
    String::from_utf8(answer).unwrap()
}
