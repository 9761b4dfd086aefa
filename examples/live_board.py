#!/usr/bin/env python3
"""Shows which streams are live, and follows every change as it happens.

On a terminal the board is drawn anew with each change; elsewhere each change is a line. Broken connections are taken up
where they were left, so that nothing is missed. Runs until interrupted.

  STREAMTALLY_URL    where the service is; http://127.0.0.1:8080 when unset
  STREAMTALLY_TOKEN  a token with the scope `read`
"""

import argparse
import heapq
import http.client
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ.get("STREAMTALLY_URL", "http://127.0.0.1:8080").rstrip("/")
# The service says something every 15 seconds. Who hears nothing for longer has lost it without a word.
SILENCE = 40
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30


def ask(path, parameters, headers=None):
    """The answer to a GET, to be read and closed; an error answer is raised as `HTTPError`."""
    request = urllib.request.Request(f"{URL}{path}?{urllib.parse.urlencode(parameters)}", headers=headers or {})
    # Where a redirect leads is not told the token.
    request.add_unredirected_header("Authorization", f"Bearer {os.environ['STREAMTALLY_TOKEN']}")
    return urllib.request.urlopen(request, timeout=SILENCE)


def live_sessions(wanted):
    """All sessions that are live: every page of the list, which is of one moment."""
    parameters = {**wanted, "status": "live", "limit": 500}
    while True:
        with ask("/v1/sessions", parameters) as answer:
            page = json.load(answer)
        yield from page["data"]
        if page["next_cursor"] is None:
            return
        parameters["cursor"] = page["next_cursor"]


def events(lines):
    """Each event of a stream of server-sent events, as its name, its id and its data."""
    event, event_id, data = "message", None, []
    for line in lines:
        line = line.decode("utf-8").rstrip("\r\n")
        if line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("id:"):
            event_id = line[3:].strip()
        elif line.startswith("data:"):
            data.append(line[5:])
        # An empty line ends an event. What broke off before it is told again.
        elif not line and event_id is not None:
            yield event, event_id, "\n".join(data)
            event, data = "message", []


def follow(board, wanted):
    """Keeps the board as the service has it, for ever."""
    seen, filled, pause = None, False, FIRST_PAUSE
    while True:
        try:
            with ask("/v1/live/changes", wanted, {"Last-Event-ID": seen} if seen else {}) as changes:
                for event, event_id, data in events(changes):
                    if not filled:
                        # Only now, when whatever changes after it will be told.
                        board.fill(live_sessions(wanted))
                        filled = True
                    # A `position` moves the id alone.
                    if event == "session":
                        board.change(json.loads(data))
                    seen, pause = event_id, FIRST_PAUSE
            problem, wait = "the connection ended", pause
        except urllib.error.HTTPError as error:
            problem, code, names = read_problem(error)
            if "Last-Event-ID" in names:
                # The log does not reach back to it any more.
                seen, filled, wait = None, False, 0
            elif code < 500 and code != 429:
                # The token is wrong, or may not do this: asking again does not help.
                sys.exit(f"{problem} (status {code})")
            else:
                wait = max(pause, seconds(error.headers.get("Retry-After")))
        except BrokenPipeError:
            # Nobody reads what is printed any more.
            raise
        except (OSError, http.client.HTTPException) as error:
            problem, wait = f"{error}", pause
        print(f"{plain(problem)}; going on in {wait} s", file=sys.stderr, flush=True)
        time.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)


def read_problem(error):
    """What an error answer says: for people, its status, and the names of what cannot be used."""
    try:
        problem = json.load(error)
        invalid = problem.get("invalid_parameters", [])
        reasons = [f"{one['name']} {one['reason']}" for one in invalid]
        return ": ".join([problem["detail"], *reasons]), error.code, [one["name"] for one in invalid]
    except (ValueError, AttributeError, KeyError, TypeError):
        # Not from the service itself, but from something before it.
        return str(error), error.code, []


def seconds(retry_after):
    return int(retry_after) if retry_after and retry_after.isdecimal() else 0


def plain(text):
    """A text that a terminal takes for nothing else: names are made up by whoever pushes."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def name(session):
    return plain(f"{session['domain']}/{session['app']}/{session['stream']}")


class Board:
    """What is live, by session id."""

    def __init__(self):
        self.live = {}

    def fill(self, sessions):
        before, self.live = self.live, {session["session_id"]: session for session in sessions}
        # After a break that was too long to be taken up.
        for session_id in before.keys() - self.live.keys():
            self.say(f"gone   {name(before[session_id])}")
        for session_id in self.live.keys() - before.keys():
            self.say(f"live   {name(self.live[session_id])} since {self.live[session_id]['started_at']}")
        self.draw()

    def change(self, session):
        before = self.live.pop(session["session_id"], None)
        if session["status"] == "live":
            self.live[session["session_id"]] = session
            if before is None:
                self.say(f"live   {name(session)} since {session['started_at']}")
        else:
            # Also when it was not on the board: it began and ended in between, its end was corrected, or it is told twice.
            self.say(f"ended  {name(session)} after {session['duration_seconds']} s")
        self.draw()

    def say(self, line):
        if not sys.stdout.isatty():
            print(line, flush=True)

    def draw(self):
        if not sys.stdout.isatty():
            return
        width, height = shutil.get_terminal_size()
        newest = heapq.nlargest(max(height - 3, 1), self.live.values(), key=lambda session: session["started_at"])
        lines = [f"{len(self.live)} live sessions, newest first", ""]
        lines += [f"{session['started_at']}  {'?' if session['unconfirmed'] else ' '} {name(session)}" for session in newest]
        print("\x1b[H\x1b[J" + "\n".join(line[:width] for line in lines), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", help="this ingest domain alone")
    parser.add_argument("--app", help="only this app")
    arguments = parser.parse_args()
    if not os.environ.get("STREAMTALLY_TOKEN"):
        parser.error("STREAMTALLY_TOKEN is not set")
    sys.stdout.reconfigure(errors="backslashreplace")
    wanted = {word: value for word, value in vars(arguments).items() if value is not None}
    # Of a push that is transcoded, only itself.
    follow(Board(), {**wanted, "renditions": "exclude"})


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
