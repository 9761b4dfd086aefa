"""What schemathesis has to know about this service beside its document, and a check of our own."""

import hashlib
import hmac
import json
import os
import re
import time

import schemathesis
from schemathesis import GenerationMode

# `positive_data_acceptance` takes a request for good that fits the schema, and its refusal for a defect. But there are
# rules that JSON Schema cannot say: how the values of a request relate to each other, to the clock, to a session, or to
# an answer that was given before. Breaking them is answered 400 by contract, and for these reasons alone. A 400 for any
# reason beside them still is a failure.
BEYOND_SCHEMAS = (
    ("cursor", "is not a cursor of this list with these filters"),
    ("Last-Event-ID", "is not an ID of an event of this stream"),
    ("stream_id", "is required unless domain, app and stream are given"),
    ("to", "must be later than from"),
    ("as_of", "must not lie in the future"),
    ("step", "makes [0-9]+ points of this period, more than 11000: choose a longer step"),
    ("from", "is missing"),
    ("from", "must be omitted with month"),
    ("to", "is missing"),
    ("to", "must be omitted with month"),
    ("format", "(csv|xlsx) has no pages: omit limit and cursor"),
    ("bom", "needs format=csv"),
    ("include_total", "needs format=json"),
    ("expires_at", "must lie in the future"),
    ("domains", "must be null for a token with scope admin, which may do everything"),
    ("apps", r".* begins with .*: a callback signed for one could be turned into one for the other"),
    ("url", "must .*|.* is not a public address; .*"),
    ("endpoint", "must .*|.* is not a public address; .*"),
    ("access_key", "must be given (together with secret_key|again, with its secret key, for another endpoint)"),
    ("secret_key", "must be given together with access_key"),
    ("close_unconfirmed_after", "must be off, or a duration such as 12h: .*"),
    ("provider_account", "must be the ID of a provider account|must be set unless poll_mode is off"),
    ("headers", "must be at most 20 headers .*|.* is not the name of a header|.* is set by the service"),
    ("headers", "the value of .* must be one line of visible ASCII characters"),
    ("kind", "cannot be changed: .*|a relay has no .*"),
    ("domains", "must name the domains whose callbacks are relayed"),
    ("begin_at", "must be now or a time: nothing was sent before|of a relay must not be a time: .*"),
    ("from", "give either a period, or session_id, or delivery_ids"),
    ("to", "from and to must be given together"),
    ("ended_at", "must not lie before the session's start|must not lie in the future"),
)

# For JSON Schema, 60.0 is an integer.
INTEGER_WITH_A_POINT = r"invalid type: floating point `-?[0-9]+\.0`, expected [iu][0-9]+ at .*"


def breaks_a_rule_beyond_schemas(invalid):
    name, reason = invalid["name"], invalid["reason"]
    if re.fullmatch(INTEGER_WITH_A_POINT, reason):
        return True
    return any(name == known and re.fullmatch(rule, reason) for known, rule in BEYOND_SCHEMAS)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # The document has a stream of events as the text that it is; schemathesis holds each event against that.
    if failure.code == "ST108":
        return False
    if failure.code != "ST202" or response.status_code != 400:
        return True
    return not all(breaks_a_rule_beyond_schemas(invalid) for invalid in response.json()["invalid_parameters"])


@schemathesis.hook
def map_case(context, case):
    """Lets requests that are meant to be good be so beyond what the schema says, as far as that is simple."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return case
    query = case.query or {}
    query.pop("cursor", None)
    if case.operation.label == "GET /v1/broadcasts" and "stream_id" in query:
        for name in ("domain", "app", "stream"):
            query.pop(name, None)
    is_report = case.path.startswith("/v1/reports/") or case.path == "/v1/sealed-reports"
    asked = case.body if case.operation.label == "POST /v1/sealed-reports" and isinstance(case.body, dict) else query
    if isinstance(asked.get("from"), str) and isinstance(asked.get("to"), str) and asked["from"] >= asked["to"]:
        if is_report:
            asked["from"], asked["to"] = asked["to"], asked["from"]
        else:
            asked.pop("to")
    if is_report:
        if isinstance(asked.get("from"), str) and isinstance(asked.get("to"), str):
            asked.pop("month", None)
        if isinstance(asked.get("as_of"), str) and asked["as_of"] >= "2026":
            asked.pop("as_of")
    if case.operation.label == "POST /callbacks/huawei" and isinstance(case.body, dict):
        sign(case.body)
    return case


def sign(message):
    """Makes a message one of the domain that there is: what is not verified is refused whatever it holds."""
    now = int(time.time())
    message.update(domain=os.environ["STREAMTALLY_DOMAIN"], publish_timestamp=str(now), auth_timestamp=now + 60)
    signed = "".join(str(message[name]) for name in ("event", "domain", "app", "stream", "auth_timestamp"))
    key = os.environ["STREAMTALLY_KEY"].encode()
    message["auth_sign"] = hmac.new(key, signed.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@schemathesis.check
def errors_have_one_shape(ctx, response, case):
    """Every error is a problem that says so itself, whoever makes it."""
    # Readiness is not an error of the request.
    if response.status_code < 400 or case.operation.label == "GET /readyz":
        return
    kind = response.headers.get("content-type", [None])[0]
    assert kind == "application/problem+json", f"an error of type {kind}"
    problem = json.loads(response.content)
    assert problem["status"] == response.status_code, problem
    assert problem["type"] == f"urn:streamtally:problem:{problem['code']}", problem
    assert (response.status_code == 400) == bool(problem.get("invalid_parameters")), problem
