//! Reads requests from and writes heads of answers to connections: HTTP/1.1.

use std::{fmt::Write, io};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::message::{Answer, Request};

const MAX_REQUEST_BYTES: usize = 1 << 20;
const MAX_HEADERS: usize = 64;

/// The status line and headers. The reason is empty.
pub(crate) fn head(answer: &Answer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} \r\nconnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if answer.header("content-length").is_none() && answer.status != 204 {
        let _ = write!(head, "content-length: {}\r\n", answer.body.len());
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Reads a request with a `content-length` or without a body; others are invalid data.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Request> {
    let mut received = Vec::new();
    let (mut request, head_length) = loop {
        if let Some(parsed) = parse_head(&received)? {
            break parsed;
        }
        receive_more(stream, &mut received).await?;
    };
    if request.header("transfer-encoding").is_some() {
        return Err(invalid());
    }
    let length: usize = request.header("content-length").map_or(Ok(0), str::parse).map_err(|_| invalid())?;
    let mut body = received.split_off(head_length);
    while body.len() < length {
        receive_more(stream, &mut body).await?;
    }
    body.truncate(length);
    request.body = body;
    Ok(request)
}

async fn receive_more(stream: &mut (impl AsyncRead + Unpin), received: &mut Vec<u8>) -> io::Result<()> {
    if received.len() > MAX_REQUEST_BYTES {
        return Err(invalid());
    }
    match stream.read_buf(received).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The request without its body, and the length of its head, once that is complete.
fn parse_head(received: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(received).map_err(|_| invalid())? else {
        return Ok(None);
    };
    let header =
        |header: &httparse::Header<'_>| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned());
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(header).collect(),
        body: Vec::new(),
    };
    Ok(Some((request, length)))
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    fn read(mut text: &[u8]) -> Result<Request, io::ErrorKind> {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(read_request(&mut text)).map_err(|error| error.kind())
    }

    #[test]
    fn a_request_is_read_up_to_its_length() {
        let request = read(b"PUT /a?b=%2C HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyrest").unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("PUT", "/a?b=%2C"));
        assert_eq!((request.header("host"), request.body.as_slice()), (Some("a"), b"body".as_slice()));
        assert_eq!(read(b"GET / HTTP/1.1\r\n\r\n").unwrap().body, b"");
    }

    #[test]
    fn incomplete_and_invalid_requests_are_errors() {
        for text in ["", "GET / HTTP/1.1\r\n", "PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbod"] {
            assert_eq!(read(text.as_bytes()), Err(io::ErrorKind::UnexpectedEof), "{text}");
        }
        for text in [
            "hello\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(read(text.as_bytes()), Err(io::ErrorKind::InvalidData), "{text}");
        }
    }

    #[test]
    fn a_head_has_the_length_of_the_body_unless_the_answer_says_another() {
        let mut answer = Answer { status: 200, headers: Vec::new(), body: b"body".to_vec() };
        assert_eq!(head(&answer), b"HTTP/1.1 200 \r\nconnection: close\r\ncontent-length: 4\r\n\r\n");
        answer.headers.push(("content-length".to_owned(), "9".to_owned()));
        assert_eq!(head(&answer), b"HTTP/1.1 200 \r\nconnection: close\r\ncontent-length: 9\r\n\r\n");
        let empty = Answer { status: 204, headers: Vec::new(), body: Vec::new() };
        assert_eq!(head(&empty), b"HTTP/1.1 204 \r\nconnection: close\r\n\r\n");
    }
}
