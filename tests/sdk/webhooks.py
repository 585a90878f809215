"""Drives the webhook endpoint of a running server as a stranger would: signed by the provider's published rule, with
Python's standard library only, over raw sockets where a client would tidy up.

usage: webhooks.py ISSUANCE_BINARY

Starts a simulator that sends no webhooks and a server in front of it, places orders, and speaks for the provider. Exits
with 1 if anything is not as it should be.
"""

import concurrent.futures
import gzip
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

CURRENT, BEFORE, LONG_AGO = "whsec_current_7Q2mX0kPzr4", "whsec_before_1Bv9sWc3LkQ", "whsec_long_ago_5Ty8uIo2Pa"
ADMIN = "0123456789abcdef0123456789abcdef"
# The one before is good for this long after the start.
OVERLAP = 15
failures, cases = [], 0


def check(holds, what):
    global cases
    cases += 1
    print(("ok: " if holds else "FAILED: ") + what, flush=True)
    if not holds:
        failures.append(what)


def start(binary, *args):
    secrets = {"HOOK_CURRENT": CURRENT, "HOOK_BEFORE": BEFORE, "HOOK_LONG_AGO": LONG_AGO, "OPERATOR": ADMIN}
    keys = {"UQPAY_CLIENT_ID": "tests", "UQPAY_API_KEY": "tests-key", "ISSUANCE_VAULT_KEY": "a5" * 32}
    child = subprocess.Popen(
        [binary, "--json", *args], env={**os.environ, **secrets, **keys}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return child, json.loads(child.stdout.readline())


def config(directory, provider):
    until = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    path = pathlib.Path(directory) / "issuance.toml"
    # Look-ups come too late to matter: what changes an order here is a webhook.
    path.write_text(
        f"""environment = "local"
[provider]
base_url = "{provider}"
[store]
data_dir = "{directory}/data"
[policy]
look_up_first = "30m"
look_up_cap = "30m"
[webhooks]
tolerance = "5m"
secrets = [
  {{ env = "HOOK_CURRENT" }},
  {{ env = "HOOK_BEFORE", valid_until = "{until(OVERLAP)}" }},
  {{ env = "HOOK_LONG_AGO", valid_until = "{until(-3600)}" }},
]
[server]
listen = "127.0.0.1:0"
allow_anonymous_loopback = true
[admin]
listen = "127.0.0.1:0"
tokens = [{{ name = "stranger", role = "viewer", env = "OPERATOR" }}]
"""
    )
    return str(path)


def sign(body, stamp, secret=CURRENT):
    return hmac.new(secret.encode(), body + stamp.encode(), hashlib.sha512).hexdigest()


def seconds(ahead=0):
    return str(int(time.time()) + ahead)


class Server:
    def __init__(self, url, admin, simulator):
        self.url, self.admin, self.simulator = url, admin, simulator
        host, port = url.removeprefix("http://").split(":")
        self.address = (host, int(port))

    def get(self, path, base=None, token=None):
        request = urllib.request.Request((base or self.url) + path)
        if token:
            request.add_header("authorization", f"Bearer {token}")
        return json.loads(urllib.request.urlopen(request, timeout=10).read())

    def place(self, number):
        order = {
            "reference": f"stranger-{number}",
            "product_id": "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8",
            "currency": "USD",
            "cardholder": {
                "type": "new",
                "fields": {
                    "email": f"stranger{number}@mail.example",
                    "first_name": "Mina",
                    "last_name": "Okafor",
                    "country_code": "SG",
                    "phone_number": f"8{number:07}",
                },
            },
        }
        request = urllib.request.Request(self.url + "/v1/orders", json.dumps(order).encode())
        request.add_header("content-type", "application/json")
        request.add_header("idempotency-key", order["reference"])
        return json.loads(urllib.request.urlopen(request, timeout=10).read())["id"]

    def simulate(self, path, body):
        request = urllib.request.Request(self.simulator + path, json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        urllib.request.urlopen(request, timeout=10).read()

    def order(self, id):
        return self.get(f"/v1/orders/{id}")

    def until(self, id, *states):
        for _ in range(100):
            order = self.order(id)
            if order["state"] in states:
                return order
            time.sleep(0.05)
        return order

    def made(self, order):
        """Waits until the provider has made its card."""
        for _ in range(100):
            cards = self.get("/_sim/ledger?requests=false", self.simulator)["cards"]
            if [card["status"] for card in cards if card["card_id"] == order["card_id"]] == ["ACTIVE"]:
                return
            time.sleep(0.05)

    def inbox(self):
        return self.get("/admin/v1/inbox", self.admin, ADMIN)["messages"]

    def raw(self, head, body=b""):
        """The bytes as they are; the status of the answer."""
        with socket.create_connection(self.address, timeout=10) as stream:
            stream.sendall(head + b"\r\n")
            try:
                stream.sendall(body)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return int(stream.recv(4096).split(b" ", 2)[1])

    def send(self, body, *headers, method="POST", path="/webhooks/uqpay", framed=True):
        lines = [f"{method} {path} HTTP/1.1", "host: door", "connection: close", *headers]
        if framed:
            lines.append(f"content-length: {len(body)}")
        return self.raw(("\r\n".join(lines) + "\r\n").encode("latin-1"), body)

    def deliver(self, body, stamp=None, secret=CURRENT, signature=None, headers=("content-type: application/json",)):
        stamp = seconds() if stamp is None else stamp
        signature = sign(body, stamp, secret) if signature is None else signature
        return self.send(body, f"x-wk-timestamp: {stamp}", f"x-wk-signature: {signature}", *headers)


def event(order=None, name="card.create.succeeded", status="ACTIVE", **members):
    """As the provider writes it."""
    order = order or {"card_id": str(uuid.uuid4()), "card_order_id": str(uuid.uuid4())}
    written = {
        "version": "V1.6.0",
        "event_name": "ISSUING",
        "event_type": name,
        "event_id": str(uuid.uuid4()),
        "source_id": order["card_order_id"],
        "data": {"card_id": order["card_id"], "card_status": status, "card_bin": "40963608", "form_factor": "VIRTUAL"},
        **members,
    }
    return json.dumps({key: value for key, value in written.items() if value is not ...}, separators=(",", ":")).encode()


def good(server, order):
    """Deliveries that must be taken, and what becomes of the order each is about."""

    def active(what, answers, before=None):
        before = before or order()
        status = answers(before)
        after = server.until(before["id"], "active")
        check((status, after["state"]) == (200, "active"), f"{what}: {status}, {after['state']}")
        return after

    active("the previous secret, while it is valid", lambda o: server.deliver(event(o), secret=BEFORE))
    first = active("signed in seconds", lambda o: server.deliver(event(o)))
    active("signed in milliseconds", lambda o: server.deliver(event(o), str(time.time_ns() // 10**6)))
    active("signature in upper case", lambda o: server.deliver(b := event(o), s := seconds(), signature=sign(b, s).upper()))

    def shouted(o):
        body, stamp = event(o), seconds()
        return server.send(body, f"X-WK-TIMESTAMP: {stamp}", f"X-Wk-Signature: {sign(body, stamp)}")

    active("header names in any case", shouted)

    def padded(o):
        body, stamp = event(o), seconds()
        return server.send(body, f"x-wk-timestamp:   {stamp}  ", f"x-wk-signature:\t{sign(body, stamp)} ")

    active("white space around header values", padded)
    active("white space after the body, signed", lambda o: server.deliver(event(o) + b" \r\n"))
    active("without a content type", lambda o: server.deliver(event(o), headers=()))
    active("with a wrong content type", lambda o: server.deliver(event(o), headers=("content-type: text/plain",)))

    def chunked(o):
        body, stamp = event(o), seconds()
        pieces = [body[:7], body[7:]]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        headers = (f"x-wk-timestamp: {stamp}", f"x-wk-signature: {sign(body, stamp)}", "transfer-encoding: chunked")
        return server.send(framed, *headers, framed=False)

    active("in chunks", chunked)
    swapped = {"version": "V1.5.1", "event_name": "card.create.succeeded", "event_type": "ISSUING"}
    active("names the other way round, as V1.5 has them", lambda o: server.deliver(event(o, **swapped)))
    active("no source_id, as V1.5.2 has it", lambda o: server.deliver(event(o, version="V1.5.2", source_id=...)))
    active("members and versions of tomorrow", lambda o: server.deliver(event(o, version="V9.0.0", more={"a": [1, None]})))
    active("a status in lower case", lambda o: server.deliver(event(o, status="active")))
    active("ids in upper case", lambda o: server.deliver(event({key: o[key].upper() for key in ("card_id", "card_order_id")})))
    active("290 s old", lambda o: server.deliver(event(o), seconds(-290)))
    active("290 s ahead", lambda o: server.deliver(event(o), seconds(290)))

    def at_once(o):
        body = event(o)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.deliver(body), range(8)))
        return 200 if answers == [200] * 8 else answers

    many = active("the same one eight times at once", at_once)
    activations = [row for row in server.get(f"/v1/orders/{many['id']}/events")["events"] if "activated" in json.dumps(row)]
    check(len(activations) == 1, f"and the card is activated once: {len(activations)}")

    order_of_old = order()
    server.made(order_of_old)
    old = event(order_of_old)
    status = server.deliver(old, seconds(-1_000))
    after = server.until(order_of_old["id"], "active")
    check((status, after["state"]) == (401, "active"), f"an old one is refused and makes us look: {status}, {after['state']}")

    stays = server.order(first["id"])["version"]
    check(server.deliver(event(first)) == 200, "the same news under another id is taken")
    check(server.deliver(event(first, "cardholder.updated", data={"cardholder_id": "x-1"})) == 200, "earlier news come late")
    time.sleep(0.5)
    check(server.order(first["id"])["version"] == stays, "and neither changes the order")


def refused(server, order):
    """Deliveries that must be answered 401 and tell nothing."""
    server.simulate("/_sim/faults", {"fault": {"kind": "never_activates"}})
    one = order()
    body, stamp = event(one), seconds()
    signature = sign(body, stamp)
    pretty = json.dumps(json.loads(body), indent=2).encode()
    both = (f"x-wk-timestamp: {stamp}", f"x-wk-signature: {signature}")
    digest = lambda message, hash: hmac.new(CURRENT.encode(), message, hash).hexdigest()
    attempts = [
        ("a wrong secret", lambda: server.deliver(body, secret="whsec_somebody_elses_secret")),
        ("a secret that expired long ago", lambda: server.deliver(body, secret=LONG_AGO)),
        ("no secret at all", lambda: server.deliver(body, secret="")),
        ("the body alone signed", lambda: server.deliver(body, signature=digest(body, hashlib.sha512))),
        ("SHA-256", lambda: server.deliver(body, stamp, signature=digest(body + stamp.encode(), hashlib.sha256))),
        ("the old SDK's form", lambda: server.deliver(body, stamp, signature=digest(stamp.encode() + b"." + body, hashlib.sha256))),
        ("the JSON signed, written otherwise", lambda: server.deliver(pretty, stamp, signature=signature)),
        ("no signature", lambda: server.send(body, both[0])),
        ("no timestamp", lambda: server.send(body, both[1])),
        ("neither", lambda: server.send(body)),
        ("an empty signature", lambda: server.deliver(body, signature="")),
        ("a short signature", lambda: server.deliver(body, stamp, signature=signature[:-2])),
        ("a long signature", lambda: server.deliver(body, stamp, signature=signature + "00")),
        ("not hexadecimal", lambda: server.deliver(body, signature="g" * 128)),
        ("not ASCII", lambda: server.deliver(body, signature="\u00e9" * 128)),
        ("with its algorithm in front", lambda: server.deliver(body, stamp, signature="sha512=" + signature)),
        ("two signatures, one good", lambda: server.send(body, *both, "x-wk-signature: " + "0" * 128)),
        ("two timestamps, both good", lambda: server.send(body, *both, both[0])),
        ("one byte changed", lambda: server.deliver(body.replace(b"ACTIVE", b"ACTIVF"), stamp, signature=signature)),
        ("one byte more", lambda: server.deliver(body + b" ", stamp, signature=signature)),
        ("one byte less", lambda: server.deliver(body[:-1], stamp, signature=signature)),
        ("a digit moved into the body", lambda: server.deliver(body + stamp[:1].encode(), stamp[1:], signature=signature)),
        ("another's signature", lambda: server.deliver(body, stamp, signature=sign(event(), stamp))),
        ("310 s ahead", lambda: server.deliver(body, seconds(310))),
        ("seconds written as 13 digits", lambda: server.deliver(body, "000" + stamp)),
    ]
    for odd in ("", "0", "-1", "+" + stamp, stamp + ".0", "0x6553f100", "0" + stamp, stamp + "00", stamp + "0000", "1e9", "٣" * 10):
        header = odd.encode().decode("latin-1")
        signed = hmac.new(CURRENT.encode(), body + odd.encode(), hashlib.sha512).hexdigest()
        attempts.append((f"timestamp {ascii(odd)}", lambda h=header, s=signed: server.deliver(body, h, signature=s)))
    for what, attempt in attempts:
        status = attempt()
        # Bytes no header may have are refused by HTTP itself.
        check(status in ((400, 401) if what == "not ASCII" else (401,)), f"{what}: {status}")
    wait = server.expires - time.time()
    if wait > 0:
        time.sleep(wait + 1)
    check((status := server.deliver(body, secret=BEFORE)) == 401, f"the previous secret, after its end: {status}")
    after = server.order(one["id"])
    check(after["state"] == "accepted", f"none of them changed the order: {after['state']}")
    check((status := server.deliver(body)) == 200, f"and the genuine one is taken after all that: {status}")


def unreadable(server):
    """Signed by the provider, and nobody can read it: acknowledged, and kept for a person."""
    before = len(server.inbox())
    bodies = {
        "empty": b"",
        "not JSON": b"hello",
        "no object": b"[" + event() + b"]",
        "two values": event() + event(),
        "bytes behind it": event() + b"7",
        "cut off": event()[:-1],
        "a member twice": event().replace(b'"version"', b'"version":"V1","version"', 1),
        "no UTF-8": event().replace(b"VIRTUAL", b"VIRT\xff"),
        "a byte order mark": b"\xef\xbb\xbf" + event(),
        "too deep": event(more=json.loads("[" * 40 + "]" * 40)),
        "no event id": event(event_id=...),
    }
    for what, body in bodies.items():
        check((status := server.deliver(body)) == 200, f"{what}: {status}")
    packed = gzip.compress(event())
    status = server.deliver(packed, headers=("content-encoding: gzip",))
    check(status == 200, f"compressed: {status}")
    for _ in range(100):
        kept = len(server.inbox()) - before
        if kept >= len(bodies) + 1:
            break
        time.sleep(0.05)
    check(kept == len(bodies) + 1, f"all are kept for a person: {kept}")


def unknown(server, order):
    """Readable, and of no meaning or of nobody's order."""
    one = order()
    for what, body in {
        "an event of tomorrow": event(one, "card.create.teleported"),
        "an event that is no business of an order's": event(one, "issuing.fee.card"),
        "no data": event(one, "card.create.failed", data=...).replace(one["card_order_id"].encode(), b"nobody-1"),
        "data null": event(one, "card.create.failed", data=None).replace(one["card_order_id"].encode(), b"nobody-2"),
        "a card nobody knows": event(),
        "a status of tomorrow": event(one, status="NEW_THING"),
    }.items():
        check((status := server.deliver(body)) == 200, f"{what}: {status}")
    time.sleep(0.5)
    check(server.order(one["id"])["state"] != "failed", "and none of them ends an order")


def http_itself(server, order):
    one = order()
    body = event(one)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        check((status := server.send(b"", method=method)) == 405, f"{method}: {status}")
    stamp = seconds()
    signed = (f"x-wk-timestamp: {stamp}", f"x-wk-signature: {sign(body, stamp)}")
    check((status := server.send(body, *signed, path="/webhooks/uqpay/")) == 404, f"another path: {status}")
    large = event(more="x" * (256 << 10))
    check((status := server.deliver(large)) == 413, f"larger than any: {status}")
    head = b"POST /webhooks/uqpay HTTP/1.1\r\nhost: door\r\ncontent-length: 1000000000\r\n"
    check((status := server.raw(head)) == 413, f"said to be a gigabyte: {status}")
    both = b"POST /webhooks/uqpay HTTP/1.1\r\nhost: door\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n"
    check((status := server.raw(both, b"0\r\n\r\n")) == 400, f"two lengths: {status}")
    most = event()[:-1] + b" " * ((256 << 10) - len(event())) + b"}"
    check((status := server.deliver(most)) == 200, f"as large as may be: {status}")
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    statuses = []
    for signature in ("0" * 128, sign(body, stamp)):
        connection.request("POST", "/webhooks/uqpay", body, {"x-wk-timestamp": stamp, "x-wk-signature": signature})
        answer = connection.getresponse()
        statuses.append(answer.status)
        check(answer.read() == b"", "the answer is a status and nothing else")
    check(statuses == [401, 200], f"a good one after a bad one, on one connection: {statuses}")


def main(binary):
    with tempfile.TemporaryDirectory() as directory:
        simulator, simulated = start(binary, "simulate", "--listen", "127.0.0.1:0")
        children = [simulator]
        try:
            begun = time.time()
            child, serving = start(binary, "serve", "--config", config(directory, simulated["api_base"]))
            children.append(child)
            server = Server(serving["server"], serving["admin"], simulated["api_base"].removesuffix("/api"))
            server.expires = begun + OVERLAP
            numbers = iter(range(1, 1000))
            # The provider's card order is known to us by its answer.
            order = lambda: server.until(server.place(next(numbers)), "accepted")
            control = order()
            good(server, order)
            refused(server, order)
            unreadable(server)
            unknown(server, order)
            http_itself(server, order)
            check(server.order(control["id"])["state"] == "accepted", "an order nobody spoke of is where it was")
        finally:
            for child in reversed(children):
                child.terminate()
                child.wait(30)
        verified = subprocess.run([binary, "audit", "verify", f"{directory}/data"], capture_output=True)
        check(verified.returncode == 0, "its log is whole")
    print(f"{cases - len(failures)} of {cases} as they should be")
    return 1 if failures else 0


sys.exit(main(sys.argv[1]))
