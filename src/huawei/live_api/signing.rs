//! Signs requests to the provider's API: SDK-HMAC-SHA256.
//!
//! The canonical request has each part percent-encoded, sorted, and its path with a slash at the end, also where the path that
//! is sent has none. Its hash is signed with the secret key itself.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// The header that holds the time of the signature. The provider accepts 15 minutes of difference from its clock.
pub const DATE_HEADER: &str = "x-sdk-date";

/// All but letters, digits and these four characters.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is signed of a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestToSign<'a> {
    pub method: &'a str,
    /// Not encoded.
    pub path: &'a str,
    /// Names and values, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// The headers to sign, besides that of the time: names in lowercase, and values.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// The value of [`DATE_HEADER`].
pub fn date(now: DateTime<Utc>) -> String {
    now.format("%Y%m%dT%H%M%SZ").to_string()
}

/// The value of the header `authorization`.
pub fn authorization(
    access_key: &str,
    secret_key: &SecretString,
    request: &RequestToSign<'_>,
    now: DateTime<Utc>,
) -> String {
    let date = date(now);
    let mut headers = request.headers.to_vec();
    headers.push((DATE_HEADER, &date));
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let lines = lines.concat();
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        request.method,
        canonical_path(request.path),
        canonical_query(request.query),
        hex::encode(Sha256::digest(request.body))
    );
    let to_sign = format!("{ALGORITHM}\n{date}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret_key.expose_secret().as_bytes())
        .unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(to_sign.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    format!("{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}")
}

/// The query as it is signed; it may be sent in the same form.
pub fn canonical_query(query: &[(&str, &str)]) -> String {
    let mut sorted = query.to_vec();
    sorted.sort_unstable();
    let parts: Vec<String> = sorted.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    parts.join("&")
}

fn canonical_path(path: &str) -> String {
    let path: Vec<String> = path.split('/').map(encode).collect();
    let path = path.join("/");
    if path.ends_with('/') { path } else { path + "/" }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, &ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(access_key: &str, secret: &str, request: &RequestToSign<'_>, at: &str) -> String {
        let now = chrono::NaiveDateTime::parse_from_str(at, "%Y%m%dT%H%M%SZ").unwrap().and_utc();
        let header = authorization(access_key, &secret.into(), request, now);
        header.split("Signature=").last().unwrap().to_owned()
    }

    /// Of the provider's own libraries.
    #[test]
    fn it_signs_as_the_public_libraries_do() {
        let get = RequestToSign { method: "GET", path: "/", query: &[], headers: &[], body: b"" };
        let host = ("host", "service.endpoint.myhuaweicloud.com");
        let resources = RequestToSign { path: "/resources", query: &[("size", "1")], headers: &[host], ..get };
        let create = RequestToSign { method: "POST", body: br#"{"name":"test","id":1}"#, ..resources };
        let limited = RequestToSign { path: "/path", query: &[("limit", "1")], ..get };
        let posted = RequestToSign {
            method: "POST",
            path: "/path",
            query: &[("key", "value")],
            body: b"{\"Name\":\"test\",\"Id\":1}\n",
            ..get
        };
        for (request, at, expected) in [
            (resources, "20200608T023900Z", "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842"),
            (create, "20200608T023900Z", "436b1ac0a1ae03705934bb70ef2f2e09f7bfed2117d731a38235053199323a1f"),
            (limited, "20060102T150405Z", "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624"),
            (posted, "20060102T150405Z", "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59"),
        ] {
            assert_eq!(signature("AccessKey", "SecretKey", &request, at), expected, "{request:?}");
        }
        let query = [
            ("limit", "1"),
            ("enable", "true"),
            ("test", "一 (&=?!#%.*)"),
            ("path", "/tmp/123"),
            ("multi", "1"),
            ("multi", "2"),
            ("multi", "3"),
        ];
        let expected = "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&\
                        test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29";
        assert_eq!(canonical_query(&query), expected);
    }

    /// Computed by an independent implementation that reproduces those of the public libraries.
    #[test]
    fn it_signs_requests_for_lists_and_history() {
        const ACCESS_KEY: &str = "AKIDEXAMPLE0000000AK";
        const SECRET_KEY: &str = "SKEXAMPLE00000000000000000000000000000SK";
        const AT: &str = "20261127T031500Z";
        let headers =
            [("host", "live.cn-north-4.myhuaweicloud.com"), ("x-project-id", "0123456789abcdef0123456789abcdef")];
        let with_token = [headers[0], headers[1], ("x-security-token", "gQpzb3V0aC1leGFtcGxl")];
        let get = |path, query| RequestToSign { method: "GET", path, query, headers: &headers, body: b"" };
        let streams = "/v1/0123456789abcdef0123456789abcdef/realtime/streams";
        let history = "/v2/0123456789abcdef0123456789abcdef/stats/history/streams";
        let of_domain = [("publish_domain", "push.example.com"), ("offset", "0"), ("limit", "100")];
        let of_stream = [of_domain.as_slice(), &[("app", "live"), ("stream", "a/b*c d+e~会议")]].concat();
        let of_day = [
            ("domain", "push.example.com"),
            ("start_time", "2026-11-26T00:00:00Z"),
            ("end_time", "2026-11-27T00:00:00Z"),
            ("offset", "0"),
            ("limit", "100"),
        ];
        let of_two = [("domain", "a.example.com,b.example.com"), ("limit", "100"), ("offset", "1")];
        let body = br#"{"url":"https://streamtally.example.com/callbacks/huawei","auth_sign_key":"0123456789abcdef0123456789abcdef"}"#;
        let put = RequestToSign {
            method: "PUT",
            body,
            ..get("/v1/0123456789abcdef0123456789abcdef/notifications/publish", &[("domain", "push.example.com")])
        };
        let by_token =
            RequestToSign { headers: &with_token, ..get(streams, &[("publish_domain", "push.example.com")]) };
        for (request, expected) in [
            (get(streams, &of_domain), "ddbf38388c9229d0bad517de09e1f00981fb548363d4e1d3d1d6b1c19deedc92"),
            (get(streams, &of_stream), "29e48466d297061da1a46f367c14e83adf4814fa2453264ced1823b1502fe630"),
            (get(history, &of_day), "8b6c4d2ef8217ea2cfc68096245414200a00c172ec09619691e713b4b0f6d4f3"),
            (get(history, &of_two), "3b71e0580568b3c10a6962464b9874bfc5d3241d0a4341c36e9adc6aa2430b18"),
            (put, "bfb00e9ede61714669d29bf21f7db005a4acff5d673d0a130d48ed6e6258f311"),
            (by_token, "0eef2b2cc94a78f1c7c83305e5ae3407e3e6a4f618120ffda7ff87026b51c740"),
        ] {
            assert_eq!(signature(ACCESS_KEY, SECRET_KEY, &request, AT), expected, "{request:?}");
        }
    }
}
