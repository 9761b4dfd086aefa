#!/usr/bin/env python3
"""Says what a stream or a push is, whether it is live, and why (not).

  support_lookup.py room1                                  by part of the stream's name; case matters
  support_lookup.py room1 --domain push.example.com        of one domain
  support_lookup.py 006b02de-614e-8b1b-aa37-49ddc9316417   by the id of a session or a stream

  STREAMTALLY_URL    where the service is; http://127.0.0.1:8080 when unset
  STREAMTALLY_TOKEN  a token with the scope `read`

Exit status: 0 when something was found, 1 when nothing was, or it could not be asked for; 2 for bad usage.
"""

import argparse
import json
import os
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

URL = os.environ.get("STREAMTALLY_URL", "http://127.0.0.1:8080").rstrip("/")
# At most this many streams are described (further ones are only named), with this many pushes and events of each.
STREAMS, SESSIONS, EVENTS = 5, 3, 20
WEEK = 7 * 24 * 60 * 60

ENDS = {
    "notification": "the provider reported it",
    "superseded": "no end was reported; it is inferred: when the next push of the stream started",
    "timed_out": "no end was reported; it is inferred: the push was live for too long",
    "unlisted": "no end was reported; it is inferred: when the provider's list last contained the push",
    "provider_history": "no end callback was received; the end is from the provider's history",
    "operator": "an operator set it; the push's OPERATOR_END has the reason",
}
FLAGS = {
    "start_listed": "neither its start nor its end was received: only the provider's history has it",
    "start_missing": "its end was received, its start never. Look for the start among the rejected callbacks",
    "end_before_start": "by our clock it ended before it began, so that it counts as zero seconds. Compare the clocks",
    "key_conflict": "two pushes of the stream began in the same second and cannot be told apart",
    "quarantined_messages": "authenticated callbacks about it were quarantined, and do not count; they are listed below",
}
REASONS = {
    "expired": "its signature had expired too long ago: it was very late, or was sent again",
    "start_outside_window": "the push began too long before or after its signature's expiry",
    "end_predates_session": "it ends a push that began after the signature had expired",
    "signature_of_another_stream": "the same signature came first with other names",
    "signature_of_another_push": "the same signature came first with another start of the push",
}


def ask(path, **parameters):
    """The answer to a GET; `None` where nothing is there. Waits when the service says that it cannot now."""
    request = urllib.request.Request(f"{URL}{path}?{urllib.parse.urlencode(parameters)}")
    # Where a redirect leads is not told the token.
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['STREAMTALLY_TOKEN']}")
    for attempts_left in reversed(range(5)):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            retry_after = error.headers.get("Retry-After", "")
            if error.code == 404:
                return None
            if error.code != 503 or not retry_after.isdecimal() or attempts_left == 0:
                sys.exit(f"{describe(error)} (status {error.code})")
            time.sleep(int(retry_after))
        except OSError as error:
            sys.exit(f"{URL} cannot be reached: {error}")


def describe(error):
    """What an error answer says, for people."""
    try:
        return json.load(error)["detail"]
    except (ValueError, KeyError, TypeError):
        # Not from the service itself, but from something before it.
        return str(error)


def pages(path, **parameters):
    """The rows of all pages of a list."""
    parameters["limit"] = 500
    while True:
        page = ask(path, **parameters)
        yield from page["data"]
        if page["next_cursor"] is None:
            return
        parameters["cursor"] = page["next_cursor"]


def say(indent, text):
    """Prints a text that a terminal takes for nothing else: names are made up by whoever pushes."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    print(textwrap.fill(text, 110, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
                        break_long_words=False, break_on_hyphens=False))


def name(thing):
    return f"{thing['domain']}/{thing['app']}/{thing['stream']}"


def tell_stream(stream):
    """A stream, its newest pushes, and what was rejected in its domain's name."""
    live = f"LIVE since {stream['live_since']}" if stream["status"] == "live" else "not live"
    say(0, f"{name(stream)} is {live} (stream {stream['stream_id']})")
    if stream["rendition_of"]:
        say(2, f"a rendition that the provider made of {stream['rendition_of']['stream']}: look there")
    sessions = ask("/v1/sessions", stream_id=stream["stream_id"], limit=SESSIONS)
    for session in sessions["data"]:
        tell_session(session)
    if sessions["next_cursor"]:
        say(2, "older pushes are left out")
    # A quarantined start belongs to no push that is known.
    told = {session["session_id"] for session in sessions["data"]}
    names = {word: stream[word] for word in ("domain", "app", "stream")}
    for event in ask("/v1/events", **names, disposition="quarantined", limit=EVENTS)["data"]:
        if event["session_id"] not in told:
            tell_event(event)
    tell_rejected(stream["domain"], stream["stream"])


def tell_session(session):
    """A push: how long it lasted, why it is (not) live, what is odd, and every event about it, newest first."""
    lasted = f"began at {session['started_at']}, {session['duration_seconds']} s"
    if session["status"] == "live":
        say(2, f"push {session['session_id']} {lasted}, is LIVE: no end was reported yet")
    else:
        say(2, f"push {session['session_id']} {lasted}, ended at {session['ended_at']}: {ENDS[session['ended_at_source']]}")
    if session["unconfirmed"]:
        say(4, "! it has been live for so long that its end may have been lost. Ask the owner of the encoder; an operator can set "
               f"the end: POST /v1/sessions/{session['session_id']}/end")
    for flag in session["flags"]:
        say(4, f"! {flag}: {FLAGS.get(flag, 'not known to this program')}")
    events = ask(f"/v1/sessions/{session['session_id']}/events", limit=EVENTS)
    for event in events["data"]:
        tell_event(event)
    if events["next_cursor"]:
        say(4, "older events are left out")


def tell_event(event):
    note = f", by {event['actor']}: {event['note']}" if event["actor"] else ""
    say(4, f"{event['received_at']}  {event['event']}  {event['disposition']}{note}")
    if event["disposition"] == "quarantined" and event["released_at"] is None:
        say(6, f"{event['reason']}: {REASONS.get(event['reason'], 'not known to this program')}. It does not count until an "
               f"operator releases it: POST /v1/events/{event['event_id']}/release")


def tell_quarantined(domain, text):
    """The quarantined callbacks of the last week about streams with this in their names; whether there are any."""
    week_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - WEEK))
    wanted = {"disposition": "quarantined", "from": week_ago, **({"domain": domain} if domain else {})}
    quarantined = [event for event in pages("/v1/events", **wanted) if text in event["stream"]]
    for event in quarantined[:EVENTS]:
        say(2, name(event))
        tell_event(event)
    return bool(quarantined)


def tell_rejected(domain, stream):
    """What was rejected in a domain's name by cause, or without a domain in any name, with what to do; whether anything was.

    Rejected callbacks are counted by the minute, with the first as a sample: other streams may be among them.
    """
    counts = {}
    for row in pages("/v1/rejections", **({"domain": domain} if domain else {})):
        named = stream in ((row["sample"] or {}).get("stream") or "")
        # Without a domain to go by, only what names the stream.
        if domain or named:
            # The newest come first.
            count = counts.setdefault((row["domain"], row["cause"]), {**row, "count": 0, "named": 0})
            count["count"] += row["count"]
            count["named"] += named
    for (claimed, cause), count in counts.items():
        say(2, f"! {cause}: {count['count']} rejected in the name of {claimed or 'no domain'} in 7 days, the last at "
               f"{count['last_at']}; samples that name this stream: {count['named']}")
        say(6, count["advice"])
    return bool(counts)


def look_up_id(text):
    session = ask(f"/v1/sessions/{text}")
    if session:
        say(0, name(session))
        tell_session(session)
        return True
    stream = ask(f"/v1/streams/{text}")
    if stream:
        tell_stream(stream)
    return bool(stream)


def look_up_name(text, domain):
    page = ask("/v1/streams", search=text, limit=STREAMS + 1, **({"domain": domain} if domain else {}))
    if not page["data"]:
        say(0, f"No push of a stream with {text} in its name is known, or this token may not see it.")
        quarantined = tell_quarantined(domain, text)
        return tell_rejected(domain, text) or quarantined
    if len(page["data"]) <= STREAMS:
        for stream in page["data"]:
            tell_stream(stream)
        return True
    say(0, f"Many streams have {text} in their names. Say more of it, or --domain, or give the id of one:")
    for stream in pages("/v1/streams", search=text, **({"domain": domain} if domain else {})):
        say(2, f"{stream['stream_id']}  {stream['status']:7}  {name(stream)}")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="part of a stream's name, or the id of a session or a stream")
    parser.add_argument("--domain", help="only this ingest domain")
    arguments = parser.parse_args()
    if not os.environ.get("STREAMTALLY_TOKEN"):
        parser.error("STREAMTALLY_TOKEN is not set")
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        found = look_up_id(uuid.UUID(arguments.what))
    except ValueError:
        found = look_up_name(arguments.what, arguments.domain)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
