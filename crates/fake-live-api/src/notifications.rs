//! `/v1/{project}/notifications/publish`: the callback configuration of a domain.

use serde_json::{Map, Value};

use crate::{
    message::{Answer, Request},
    respond::{Rejection, Responder},
    settings::UnknownDomain,
    world::{CallbackArea, CallbackConfiguration, World},
};

/// Answers a GET, a PUT, which replaces the whole configuration, or a DELETE.
///
/// # Errors
///
/// The request is invalid or its domain is unknown.
pub(crate) fn answer(
    world: &mut World,
    unknown_domain: UnknownDomain,
    request: &Request,
    responder: &Responder,
) -> Result<Answer, Rejection> {
    let domain = request.parameter("domain").filter(|domain| !domain.is_empty());
    let domain = domain.ok_or_else(|| Rejection::invalid("domain"))?;
    let is_empty_read = request.method == "GET" && unknown_domain == UnknownDomain::Empty;
    if !world.knows(&domain) && !is_empty_read {
        return Err(Rejection::unknown_domain());
    }
    match request.method.as_str() {
        "PUT" => {
            world.configure_callbacks(&domain, parse(&request.body)?);
            Ok(responder.empty(201))
        }
        "DELETE" => {
            world.remove_callbacks(&domain);
            Ok(responder.empty(204))
        }
        _ => Ok(responder.json(200, &show(world.callbacks(&domain)))),
    }
}

fn show(configuration: Option<&CallbackConfiguration>) -> Value {
    let mut body = Map::new();
    if let Some(configuration) = configuration {
        body.insert("url".to_owned(), configuration.url.as_str().into());
        if let Some(key) = &configuration.auth_sign_key {
            body.insert("auth_sign_key".to_owned(), key.as_str().into());
        }
        body.insert("call_back_area".to_owned(), configuration.call_back_area.as_str().into());
    }
    Value::Object(body)
}

fn parse(body: &[u8]) -> Result<CallbackConfiguration, Rejection> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| Rejection::invalid("body"))?;
    let text = |name| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Rejection::invalid(name)),
    };
    let url = text("url")?.filter(|url| url.starts_with("http://") || url.starts_with("https://"));
    let call_back_area = match text("call_back_area")? {
        None => CallbackArea::MainlandChina,
        Some(name) => CallbackArea::from_name(&name).ok_or_else(|| Rejection::invalid("call_back_area"))?,
    };
    Ok(CallbackConfiguration {
        url: url.ok_or_else(|| Rejection::invalid("url"))?,
        auth_sign_key: text("auth_sign_key")?,
        call_back_area,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        FakeApi, Settings,
        testing::{DOMAIN, PROJECT, at, fake, signed},
    };

    fn call(api: &mut FakeApi, method: &str, domain: &str, body: &[u8]) -> (u16, Option<Value>) {
        let target = format!("/v1/{PROJECT}/notifications/publish?domain={domain}");
        let reply = api.answer(&signed(method, &target, body, at(0)), at(0));
        let answer = reply.answer().unwrap();
        (answer.status, answer.json())
    }

    #[test]
    fn a_configuration_is_replaced_as_a_whole() {
        let mut api = fake(Settings::default());
        api.world.add_domain(DOMAIN);
        assert_eq!(call(&mut api, "GET", DOMAIN, b""), (200, Some(json!({}))));
        let full = json!({"url": "https://a.example.com/", "auth_sign_key": "key", "call_back_area": "outside_mainland_china"});
        assert_eq!(call(&mut api, "PUT", DOMAIN, full.to_string().as_bytes()), (201, None));
        assert_eq!(call(&mut api, "GET", DOMAIN, b""), (200, Some(full)));
        assert_eq!(call(&mut api, "PUT", DOMAIN, br#"{"url":"https://b.example.com/"}"#), (201, None));
        let without_key = json!({"url": "https://b.example.com/", "call_back_area": "mainland_china"});
        assert_eq!(call(&mut api, "GET", DOMAIN, b""), (200, Some(without_key)));
        assert_eq!(call(&mut api, "DELETE", DOMAIN, b""), (204, None));
        assert!(api.world.callbacks(DOMAIN).is_none());
    }

    #[test]
    fn invalid_configurations_and_unknown_domains_are_rejected() {
        let mut api = fake(Settings::default());
        api.world.add_domain(DOMAIN);
        for body in
            ["", "[]", "{}", r#"{"url":7}"#, r#"{"url":"ftp://a"}"#, r#"{"url":"http://a","call_back_area":"moon"}"#]
        {
            assert_eq!(call(&mut api, "PUT", DOMAIN, body.as_bytes()).0, 400, "{body}");
        }
        assert_eq!(call(&mut api, "GET", "", b"").0, 400);
        assert_eq!(call(&mut api, "GET", "unknown.example.com", b"").0, 404);
        api.settings.unknown_domain = UnknownDomain::Empty;
        assert_eq!(call(&mut api, "GET", "unknown.example.com", b""), (200, Some(json!({}))));
        assert_eq!(call(&mut api, "PUT", "unknown.example.com", br#"{"url":"http://a"}"#).0, 404);
    }
}
