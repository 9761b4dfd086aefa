#!/usr/bin/env python3
"""Receives webhooks: verifies each event, and keeps the newest state of each session.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_... python3 receiver.py 9000
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
newest = {}  # session_id: revision


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.send_response(401)
        else:
            self.receive(event["type"], event["data"])
            self.send_response(204)
        self.end_headers()

    def receive(self, event_type, data):
        session = data.get("session")
        if session and newest.get(session["session_id"], 0) < data["revision"]:
            newest[session["session_id"]] = data["revision"]
            print(event_type, session["domain"], session["app"], session["stream"], session["status"], flush=True)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
