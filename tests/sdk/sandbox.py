"""A pytest plugin that points UQPAY's own tests at a simulator: `pytest -p sandbox`, with UQPAY_API_BASE set.

Their fixtures know the sandbox by its host's name and expect one card in SGD to exist there. Both is arranged here;
the tests themselves run as they are.
"""

import os
import time
import uuid

import uqpay.client
from uqpay.resources.simulator import SimulatorResource

BASE = os.environ["UQPAY_API_BASE"].rstrip("/")
PRODUCT = "6f0b2c44-8d1e-4a57-9c3b-2a7e5d90f1c8"

uqpay.client._BASE_URLS["sandbox"] = BASE
# Simulation calls are refused for any base without "sandbox" in it.
uqpay.client.SimulatorResource = lambda http, _base: SimulatorResource(http, "sandbox")


def active_card():
    """An active card in SGD, as the sandbox keeps one for its testers."""
    client = uqpay.client.UQPayClient("sdk-tests-setup", "key")
    card = client.issuing.cards.create(
        {
            "card_product_id": PRODUCT,
            "card_currency": "SGD",
            "card_limit": 500,
            "cardholder_required_fields": {
                "email": f"sdk-{uuid.uuid4().hex[:12]}@mail.example",
                "first_name": "Mina",
                "last_name": "Okafor",
                "country_code": "SG",
                "phone_number": "8" + str(uuid.uuid4().int % 10**7).zfill(7),
            },
        }
    )
    for _ in range(100):
        time.sleep(0.1)
        rows = client.issuing.cards.list({"page_size": 100, "page_number": 1, "cardholder_id": card["cardholder_id"]})
        if [row["card_status"] for row in rows["data"]] == ["ACTIVE"]:
            client.close()
            return card["card_id"]
    raise RuntimeError("the card never became active")


def pytest_sessionstart(session):
    os.environ.setdefault("UQPAY_CLIENT_ID", "sdk-tests")
    os.environ.setdefault("UQPAY_API_KEY", "key")
    if "UQPAY_SIMULATOR_CARD_ID" not in os.environ:
        os.environ["UQPAY_SIMULATOR_CARD_ID"] = active_card()
