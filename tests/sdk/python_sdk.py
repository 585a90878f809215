"""Drives the simulator with UQPAY's own Python SDK (package uqpay, version 3.2.0).

usage: python_sdk.py API_BASE CAPTURE_PORT

API_BASE is what the simulator prints (http://127.0.0.1:PORT/api). The script listens on 127.0.0.1:CAPTURE_PORT,
tells the simulator to send its webhooks there, and exits with 1 at the first thing that is not as it should be.
"""

import http.server
import queue
import sys
import threading
import urllib.request
import json
import uuid

import uqpay.client
from uqpay import UQPayClient
from uqpay.error import UQPayError, UQPayWebhookError

SECRET = "whsec_python_sdk"
PRODUCT = "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8"
ENHANCED = "b81d94e7-03fa-4c6d-8e25-71c0a9f3d562"

received = queue.Queue()


class Capture(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        received.put((body, dict(self.headers)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def control(base, path, body):
    request = urllib.request.Request(
        base.removesuffix("/api") + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    return urllib.request.urlopen(request, timeout=10).read()


def check(holds, what):
    if not holds:
        print(f"FAILED: {what}", file=sys.stderr)
        sys.exit(1)
    print(f"ok: {what}")


def refused(call, code, what):
    try:
        call()
    except UQPayError as error:
        check(error.code == code, f"{what}: {error.code}")
    else:
        check(False, f"{what}: was not refused")


def event(verifier, name, card_id=None):
    """The next delivery of that name, verified by the SDK."""
    while True:
        try:
            body, headers = received.get(timeout=15)
        except queue.Empty:
            check(False, f"webhook {name} arrives")
        parsed = verifier.construct_event(body, headers)
        if parsed["event_type"] == name and card_id in (None, parsed["data"].get("card_id")):
            return parsed, body, headers


def person(tag):
    # Singapore numbers have eight digits and begin with 8 or 9; a random one keeps runs apart.
    return {
        "email": f"sdk-{tag}-{uuid.uuid4().hex[:8]}@mail.example",
        "first_name": "Mina",
        "last_name": "Okafor",
        "country_code": "SG",
        "phone_number": "8" + str(uuid.uuid4().int % 10**7).zfill(7),
    }


def main():
    base, port = sys.argv[1].rstrip("/"), int(sys.argv[2])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Capture)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    control(base, "/_sim/webhook", {"url": f"http://127.0.0.1:{server.server_port}/hook", "secret": SECRET})

    uqpay.client._BASE_URLS["sandbox"] = base
    client = UQPayClient("sdk-client", "sdk-key", webhook_secret=SECRET)
    # The SDK knows the sandbox by the name of its host.
    client.simulator.issuing._is_production = False

    products = client.issuing.products.list({"page_size": 10, "page_number": 1})
    check(products["total_items"] >= 6, "products are listed")
    check(PRODUCT in [row["product_id"] for row in products["data"]], "the known product is among them")
    check(bool(client.account_id), "the token's claims can be read")

    request = {
        "card_product_id": PRODUCT,
        "card_currency": "USD",
        "card_limit": 120.5,
        "metadata": {"order": "sdk-1"},
        "cardholder_required_fields": person("one"),
    }
    options = {"idempotency_key": str(uuid.uuid4())}
    card = client.issuing.cards.create(request, options)
    check(card["card_status"] == "PENDING" and card["cardholder_created"] is True, "a one-step card is accepted")
    again = client.issuing.cards.create(request, options)
    check(again == card, "the same key gives the same answer")
    refused(
        lambda: client.issuing.cards.create({**request, "card_limit": 1}, options),
        "idempotency_error",
        "the same key with another body",
    )

    parsed, body, headers = event(client.webhooks, "card.create.succeeded", card["card_id"])
    check(parsed["source_id"] == card["card_order_id"], "the webhook names the card order")
    check(parsed["data"]["metadata"] == {"order": "sdk-1"}, "the webhook echoes the metadata")
    try:
        client.webhooks.construct_event(body + b" ", headers)
        check(False, "a changed body is refused")
    except UQPayWebhookError:
        check(True, "a changed body is refused")

    check(client.issuing.cards.retrieve(card["card_id"])["card_status"] == "ACTIVE", "the card is active")
    order = client.issuing.cards.retrieve_order(card["card_order_id"])
    check((order["order_type"], order["order_status"]) == ("CREATE_CARD", "SUCCESS"), "its order succeeded")
    row = client.issuing.cards.list({"page_size": 10, "page_number": 1, "cardholder_id": card["cardholder_id"]})
    check(row["total_items"] == 1 and isinstance(row["data"][0]["metadata"], str), "the card is listed")

    refused(
        lambda: client.issuing.cards.create(request, {"idempotency_key": str(uuid.uuid4())}),
        "email_duplicated",
        "a new key with the same person",
    )
    refused(
        lambda: client.issuing.cards.create({**request, "cardholder_required_fields": {"email": "a@b.example"}}),
        "cardholder_incomplete_fields",
        "a request with gaps",
    )

    holder = client.issuing.cardholders.create(person("two"))
    check(holder["cardholder_status"] == "SUCCESS", "a cardholder is created")
    two_step = client.issuing.cards.create(
        {"card_product_id": PRODUCT, "card_currency": "SGD", "cardholder_id": holder["cardholder_id"]}
    )
    event(client.webhooks, "card.create.succeeded", two_step["card_id"])
    check(True, "a two-step card becomes active")

    enhanced = client.issuing.cards.create(
        {
            "card_product_id": ENHANCED,
            "card_currency": "USD",
            "metadata": {"order": "sdk-idv"},
            "cardholder_required_fields": {
                **person("idv"),
                "residential_address": {"country": "SG", "city": "Singapore", "line1": "1 Example Road"},
                "kyc_verification": {"method": "SUMSUB_REDIRECT"},
            },
        }
    )
    check("idv_verification_url" in enhanced and "card_order_id" not in enhanced, "IDV gives the short answer")
    control(base, f"/_sim/idv/{enhanced['cardholder_id']}", {"outcome": "pass"})
    kyc, _, _ = event(client.webhooks, "cardholder.kyc.status_changed")
    check(kyc["data"]["cardholder_status"] == "SUCCESS", "the person passed")
    event(client.webhooks, "card.create.succeeded", enhanced["card_id"])

    payment = client.simulator.issuing.authorize(
        {
            "card_id": card["card_id"],
            "transaction_amount": 10,
            "transaction_currency": "USD",
            "merchant_name": "Example",
            "merchant_category_code": "5734",
        }
    )
    client.simulator.issuing.reverse({"transaction_id": payment["transaction_id"]})
    check(True, "an authorization and its reversal")

    frozen = client.issuing.cards.update_status(card["card_id"], {"card_status": "FROZEN"})
    check(frozen["order_status"] == "PENDING", "a card is frozen")
    cancelled = client.issuing.cards.update_status(
        card["card_id"], {"card_status": "CANCELLED", "update_reason": "rolled back"}
    )
    check(cancelled["card_order_id"] != card["card_order_id"], "a cancel is an order of its own")
    check(client.issuing.cards.retrieve(card["card_id"])["card_status"] == "PRE_CANCEL", "the cancel waits")

    stranger = UQPayClient("sdk-client", "sdk-key", webhook_secret=SECRET)
    stranger.issuing.products.list({"page_size": 10, "page_number": 1})
    check(
        client.issuing.products.list({"page_size": 10, "page_number": 1})["total_items"] >= 6,
        "an evicted client refreshes its token by itself",
    )
    refused(
        lambda: UQPayClient("bad", "bad", webhook_secret=SECRET).issuing.products.list(),
        "authentication_error",
        "bad credentials",
    )


main()
