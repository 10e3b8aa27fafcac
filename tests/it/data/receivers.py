"""Receivers of messages for the tests: what they are given, they print as a line of JSON.

    receivers.py webhook SECRET CERTIFICATE KEY
    receivers.py mail plain|starttls|implicit CERTIFICATE KEY

The first line is the port. Webhooks are verified by the published library of Standard Webhooks; mail is taken by
aiosmtpd, and read by Python's own parser.
"""

import asyncio
import email
import email.policy
import http.server
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def say(what):
    print(json.dumps(what), flush=True)


def tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[3], sys.argv[4])
    return context


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            payload = Webhook(sys.argv[2]).verify(body, dict(self.headers))
            status, found = 204, {"verified": True, "payload": payload, "headers": dict(self.headers)}
        except WebhookVerificationError as e:
            status, found = 401, {"verified": False, "why": str(e)}
        self.send_response(status)
        self.end_headers()
        say(found)

    def log_message(self, *_):
        pass


def webhook():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.socket = tls().wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()


class Mailbox:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 SECRET-OF-THE-SERVER"
        if address.startswith("later@"):
            return "451 4.7.1 SECRET-OF-THE-SERVER"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: mail.get_body(preferencelist=(kind,)).get_content()
        say({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None or sys.argv[2] == "implicit",
            "user": getattr(session, "login_name", None),
            "names": list(mail.keys()),
            "headers": {name: str(mail[name]) for name in mail.keys()},
            "text": part("plain"),
            "html": part("html"),
            "files": [[file.get_filename(), file.get_content()] for file in mail.iter_attachments()],
        })
        return "250 OK"


def allow(server, session, envelope, mechanism, data):
    session.login_name = data.login.decode()
    right = data.login == b"alt" and data.password == b"correct horse"
    return AuthResult(success=right, handled=right)


async def mail():
    mode = sys.argv[2]
    options = {"authenticator": allow}
    if mode == "starttls":
        options |= {"tls_context": tls(), "require_starttls": True, "auth_required": True}
    elif mode == "implicit":
        options |= {"auth_require_tls": False, "auth_required": True}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Mailbox(), loop=loop, hostname="mail.test", **options),
        "127.0.0.1", 0, ssl=tls() if mode == "implicit" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    webhook() if sys.argv[1] == "webhook" else asyncio.run(mail())
