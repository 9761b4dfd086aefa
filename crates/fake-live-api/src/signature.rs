//! SDK-HMAC-SHA256, from the side that verifies: from the raw request, and from the specification.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::message::Request;

const ALGORITHM: &str = "SDK-HMAC-SHA256";
pub(crate) const DATE_HEADER: &str = "x-sdk-date";
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// All but the unreserved characters.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The header `authorization`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) access_key: String,
    /// In lowercase, sorted.
    pub(crate) signed_headers: Vec<String>,
    pub(crate) signature: String,
}

impl Authorization {
    /// Parses `SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…`.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let parameters = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let mut parts = parameters.split(',').map(str::trim);
        let access_key = parts.next()?.strip_prefix("Access=")?.to_owned();
        let names = parts.next()?.strip_prefix("SignedHeaders=")?;
        let signature = parts.next()?.strip_prefix("Signature=")?.to_owned();
        let mut signed_headers: Vec<String> = names.split(';').map(str::to_ascii_lowercase).collect();
        signed_headers.sort_unstable();
        parts.next().is_none().then_some(Self { access_key, signed_headers, signature })
    }

    pub(crate) fn signs(&self, name: &str) -> bool {
        self.signed_headers.iter().any(|signed| signed == name)
    }
}

/// The canonical request. `host`, if set, takes the place of the request's host.
pub(crate) fn canonical_request(request: &Request, signed_headers: &[String], host: Option<&str>) -> String {
    let mut canonical = format!("{}\n{}\n{}\n", request.method, path(request.path()), query(request.query()));
    for name in signed_headers {
        let value = match host {
            Some(host) if name == "host" => host.to_owned(),
            _ => values_of(request, name),
        };
        let _ = writeln!(canonical, "{name}:{value}");
    }
    let payload = match request.header("x-sdk-content-sha256") {
        Some(UNSIGNED_PAYLOAD) => UNSIGNED_PAYLOAD.to_owned(),
        _ => hex::encode(Sha256::digest(&request.body)),
    };
    let _ = write!(canonical, "\n{}\n{payload}", signed_headers.join(";"));
    canonical
}

/// The signature of a canonical request, in lowercase hexadecimal digits.
pub(crate) fn sign(secret_key: &str, date: &str, canonical_request: &str) -> String {
    let text = format!("{ALGORITHM}\n{date}\n{}", hex::encode(Sha256::digest(canonical_request)));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn values_of(request: &Request, name: &str) -> String {
    let values = request.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    values.map(|(_, value)| value.trim()).collect::<Vec<_>>().join(",")
}

fn path(raw: &str) -> String {
    let mut canonical = String::new();
    for segment in raw.strip_suffix('/').unwrap_or(raw).split('/') {
        canonical.push_str(&encode_again(segment));
        canonical.push('/');
    }
    canonical
}

fn query(raw: &str) -> String {
    let mut pairs: Vec<(String, String)> =
        form_urlencoded::parse(raw.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The client may have encoded more or less than is signed.
fn encode_again(raw: &str) -> String {
    encode(&percent_decode_str(raw).decode_utf8_lossy())
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, &ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "0123456789abcdef0123456789abcdef";

    fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request { method: method.to_owned(), target: target.to_owned(), headers, body: body.to_vec() }
    }

    fn signature(request: &Request, secret_key: &str, signed: &[&str]) -> String {
        let signed: Vec<String> = signed.iter().map(|name| (*name).to_owned()).collect();
        let canonical = canonical_request(request, &signed, None);
        sign(secret_key, request.header(DATE_HEADER).unwrap(), &canonical)
    }

    #[test]
    fn the_vectors_of_the_public_libraries_are_reproduced() {
        let service = [("Host", "service.endpoint.myhuaweicloud.com"), ("X-Sdk-Date", "20200608T023900Z")];
        let dated = [("X-Sdk-Date", "20060102T150405Z")];
        let both = ["host", "x-sdk-date"].as_slice();
        let date = ["x-sdk-date"].as_slice();
        let create = br#"{"name":"test","id":1}"#.as_slice();
        let posted = b"{\"Name\":\"test\",\"Id\":1}\n".as_slice();
        for (request, signed, expected) in [
            (
                request("GET", "/resources?size=1", &service, b""),
                both,
                "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842",
            ),
            (
                request("POST", "/resources?size=1", &service, create),
                both,
                "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f",
            ),
            (
                request("GET", "/path?limit=1", &dated, b""),
                date,
                "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
            ),
            (
                request("POST", "/path?key=value", &dated, posted),
                date,
                "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59",
            ),
        ] {
            assert_eq!(signature(&request, "SecretKey", signed), expected, "{request:?}");
        }
        let raw = "limit=1&enable=true&test=%E4%B8%80%20(%26=?!%23%25.*)&path=/tmp/123&multi=3&multi=1&multi=2";
        let expected = "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&\
                        test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29";
        assert_eq!(query(raw), expected);
    }

    /// Computed by an independent implementation that reproduces those of the public libraries.
    #[test]
    fn the_vectors_of_the_live_api_are_reproduced() {
        let headers = [
            ("host", "live.cn-north-4.myhuaweicloud.com"),
            ("X-Project-Id", PROJECT),
            ("X-Sdk-Date", "20261127T031500Z"),
            ("X-Security-Token", "gQpzb3V0aC1leGFtcGxl"),
        ];
        let streams = |query: &str| format!("/v1/{PROJECT}/realtime/streams?publish_domain=push.example.com{query}");
        let history = |query: &str| format!("/v2/{PROJECT}/stats/history/streams?{query}");
        let callbacks = format!("/v1/{PROJECT}/notifications/publish?domain=push.example.com");
        let key = PROJECT;
        let body = format!(r#"{{"url":"https://streamtally.example.com/callbacks/huawei","auth_sign_key":"{key}"}}"#);
        let get = |target: &str| request("GET", target, &headers, b"");
        let of_stream = "&offset=0&limit=100&app=live&stream=a%2Fb*c%20d%2Be~%E4%BC%9A%E8%AE%AE";
        let of_day = "domain=push.example.com&start_time=2026-11-26T00:00:00Z&end_time=2026-11-27T00:00:00Z\
                      &offset=0&limit=100";
        for (request, expected) in [
            (get(&streams("&offset=0&limit=100")), "ddbf38388c9229d0bad517de09e1f00981fb548363d4e1d3d1d6b1c19deedc92"),
            (get(&streams(of_stream)), "29e48466d297061da1a46f367c14e83adf4814fa2453264ced1823b1502fe630"),
            (get(&history(of_day)), "8b6c4d2ef8217ea2cfc68096245414200a00c172ec09619691e713b4b0f6d4f3"),
            (
                get(&history("domain=a.example.com,b.example.com&limit=100&offset=1")),
                "3b71e0580568b3c10a6962464b9874bfc5d3241d0a4341c36e9adc6aa2430b18",
            ),
            (
                request("PUT", &callbacks, &headers, body.as_bytes()),
                "bfb00e9ede61714669d29bf21f7db005a4acff5d673d0a130d48ed6e6258f311",
            ),
        ] {
            let signed = ["host", "x-project-id", "x-sdk-date"];
            assert_eq!(
                signature(&request, "SKEXAMPLE00000000000000000000000000000SK", &signed),
                expected,
                "{request:?}"
            );
        }
        let signed = ["host", "x-project-id", "x-sdk-date", "x-security-token"];
        assert_eq!(
            signature(&get(&streams("")), "SKEXAMPLE00000000000000000000000000000SK", &signed),
            "0eef2b2cc94a78f1c7c83305e5ae3407e3e6a4f618120ffda7ff87026b51c740"
        );
    }

    #[test]
    fn a_canonical_request_is_as_specified() {
        let target = format!("/v1/{PROJECT}/realtime/streams?publish_domain=push.example.com&offset=0&limit=100");
        let headers = [("Host", "127.0.0.1:80"), ("X-Sdk-Date", " 20261127T031500Z ")];
        let signed = ["host".to_owned(), "x-sdk-date".to_owned()];
        let expected = format!(
            "GET\n/v1/{PROJECT}/realtime/streams/\nlimit=100&offset=0&publish_domain=push.example.com\n\
             host:live.example.com\nx-sdk-date:20261127T031500Z\n\nhost;x-sdk-date\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let get = request("GET", &target, &headers, b"");
        assert_eq!(canonical_request(&get, &signed, Some("live.example.com")), expected);
        assert!(canonical_request(&get, &signed, None).contains("\nhost:127.0.0.1:80\n"));
        let unsigned = request("POST", "/", &[("X-Sdk-Content-Sha256", UNSIGNED_PAYLOAD)], b"body");
        assert_eq!(canonical_request(&unsigned, &[], None), "POST\n/\n\n\n\nUNSIGNED-PAYLOAD");
        assert_eq!([path("/"), path("/a%2Fb/"), path("")], ["/", "/a%2Fb/", "/"]);
    }

    #[test]
    fn only_a_complete_authorization_is_parsed() {
        let parsed =
            Authorization::parse("SDK-HMAC-SHA256 Access=AK, SignedHeaders=x-sdk-date;Host, Signature=ab").unwrap();
        assert_eq!((parsed.access_key.as_str(), parsed.signature.as_str()), ("AK", "ab"));
        assert_eq!(parsed.signed_headers, ["host", "x-sdk-date"]);
        assert!(parsed.signs("host") && !parsed.signs("x-project-id"));
        for wrong in [
            "",
            "SDK-HMAC-SHA256",
            "Bearer Access=AK, SignedHeaders=host, Signature=ab",
            "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host",
            "SDK-HMAC-SHA256 SignedHeaders=host, Access=AK, Signature=ab",
            "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=ab, More=c",
        ] {
            assert_eq!(Authorization::parse(wrong), None, "{wrong}");
        }
    }
}
