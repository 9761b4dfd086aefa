//! Requests and replies, independent of sockets.

/// A request as it arrives on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query, still percent-encoded.
    pub target: String,
    /// Names in any case, and values.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query, still percent-encoded; empty if there is none.
    pub fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The first header of this name, without surrounding spaces.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The first query parameter of this name, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.parameters(name).next()
    }

    /// All query parameters of this name, decoded.
    pub(crate) fn parameters(&self, name: &str) -> impl Iterator<Item = String> {
        let pairs = form_urlencoded::parse(self.query().as_bytes());
        pairs.filter(move |(other, _)| other == name).map(|(_, value)| value.into_owned())
    }
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lowercase. `content-length` only if it is wrong.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body, if it is JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Answer(Answer),
    /// The connection is reset without an answer.
    Reset,
    /// The connection stays open without an answer.
    Stall,
    /// The answer arrives byte by byte, much slower than any timeout.
    Drip(Answer),
}

impl Reply {
    /// The complete answer, if there is one.
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Reset | Self::Stall | Self::Drip(_) => None,
        }
    }

    pub fn status(&self) -> Option<u16> {
        self.answer().map(|answer| answer.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_split_and_its_parameters_are_decoded() {
        let request = Request {
            method: "GET".to_owned(),
            target: "/a/b?domain=a%2Cb&x=1&domain=c+d&empty=".to_owned(),
            headers: vec![("X-Name".to_owned(), " value ".to_owned())],
            body: Vec::new(),
        };
        assert_eq!((request.path(), request.query()), ("/a/b", "domain=a%2Cb&x=1&domain=c+d&empty="));
        assert_eq!(request.parameters("domain").collect::<Vec<_>>(), ["a,b", "c d"]);
        assert_eq!(request.parameter("empty").as_deref(), Some(""));
        assert_eq!(request.parameter("other"), None);
        assert_eq!(request.header("x-name"), Some("value"));
    }
}
