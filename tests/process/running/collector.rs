//! A collector of traces, on a port of its own: takes what is posted, as OTLP over HTTP has it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// What was posted: its head, and its body.
type Posted = (String, Vec<u8>);

pub struct Collector {
    url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Collector {
    /// One that answers everything with a status, such as `200 OK`; or, without, takes connections and says nothing.
    pub fn start(answer: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let kept = Arc::clone(&posted);
        thread::spawn(move || {
            // Kept open where nothing is answered.
            let mut open = Vec::new();
            for stream in listener.incoming().flatten() {
                if let Some(post) = read_post(&stream) {
                    kept.lock().unwrap().push(post);
                }
                match answer {
                    Some(status) => {
                        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                        let _ = (&stream).write_all(head.as_bytes());
                    }
                    None => open.push(stream),
                }
            }
        });
        Self { url, posted }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that was posted until now.
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    /// Every span, and its resource's attributes.
    pub fn spans(&self) -> Vec<(Span, Vec<(String, String)>)> {
        let mut spans = Vec::new();
        for (_, body) in self.posted() {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
            for of_resource in request.resource_spans {
                let resource = of_resource.resource.map(|resource| texts(&resource.attributes)).unwrap_or_default();
                let all = of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
                spans.extend(all.map(|span| (span, resource.clone())));
            }
        }
        spans
    }
}

/// Attributes, as texts.
pub fn texts(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = attributes.iter().map(|attribute| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        (attribute.key.clone(), value.map(text).unwrap_or_default())
    });
    attributes.collect()
}

fn read_post(stream: &TcpStream) -> Option<Posted> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}
