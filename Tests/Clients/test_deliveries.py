"""Deliveries signed by published packages, at the real program. Run by Tests/Clients/run."""
import base64
import datetime
import json
import os
import pathlib
import sys
import unittest
import uuid

import standardwebhooks
import svix.webhooks

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from development import Development, request  # noqa: E402

SECRET = "whsec_" + base64.b64encode(os.urandom(24)).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(os.urandom(24)).decode()
development = Development()
sources = {}


def setUpModule():
    development.__enter__()
    unittest.addModuleCleanup(development.__exit__)
    for profile in ("standard-webhooks", "svix"):
        made = development.api("POST", "/v1/sources", {
            "slug": f"clients-{profile}", "profile": profile, "mapping": "canonical", "keys": [{"secret": SECRET}],
        })
        if made.status != 201:
            raise RuntimeError(f"no source of profile {profile}: {made}")
        sources[profile] = made.body


def now(seconds=0):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


class Delivery:
    """One request as a sender would make it, signed by a package."""

    def __init__(self, package, prefix, profile, secret=SECRET, at=None, kind="joiner"):
        self.prefix, self.source = prefix, sources[profile]
        self.person = f"e-{uuid.uuid4()}"
        # Spaces and an escape that a parser would not write again.
        self.body = ('{"type":  "%s", "person": {"externalId": "%s", "userName": "%s@acme.example", "title": "\\u00e9"}}'
                     % (kind, self.person, self.person))
        self.id = f"msg_{uuid.uuid4().hex}"
        self.at = at or now()
        self.signature = package.Webhook(secret).sign(self.id, self.at, self.body)

    def headers(self, **changed):
        values = {"id": self.id, "timestamp": str(int(self.at.timestamp())), "signature": self.signature} | changed
        return {f"{self.prefix}-{name}": value for name, value in values.items()} | {"content-type": "application/json"}

    def post(self, body=None, **changed):
        return request("POST", self.source["url"], (body or self.body).encode(), self.headers(**changed))


class Deliveries:
    """What every package's deliveries have to meet; each class below is one package and one set of header names."""

    def delivery(self, **more):
        return Delivery(self.package, self.prefix, self.profile, **more)

    def assertRefused(self, answer, reason):
        self.assertEqual(answer.status, 401, answer)
        self.assertEqual(answer.body["reason"], reason, answer)

    def test_what_the_package_signs_is_accepted_and_applied(self):
        delivery = self.delivery()
        answer = delivery.post()
        self.assertEqual(answer.status, 202, answer)
        kept = development.eventually(
            "/v1/deliveries/" + answer.body["delivery"],
            lambda found: found.status == 200 and [event["status"] for event in found.body["events"]] == ["applied"])
        self.assertEqual([event["kind"] for event in kept.body["events"]], ["joiner"], kept)
        people = development.api("GET", f"/v1/people?filter=externalId%20eq%20%22{delivery.person}%22")
        self.assertEqual([person["title"] for person in people.body["items"]], ["é"])

    def test_a_repetition_is_the_same_delivery(self):
        delivery = self.delivery()
        first, again = delivery.post(), delivery.post()
        self.assertEqual((first.status, again.status), (202, 202))
        self.assertEqual(first.body["delivery"], again.body["delivery"])

    def test_a_retry_that_is_signed_anew_is_the_same_delivery(self):
        delivery = self.delivery(at=now(-60))
        first = delivery.post()
        delivery.at = now()
        delivery.signature = self.package.Webhook(SECRET).sign(delivery.id, delivery.at, delivery.body)
        again = delivery.post()
        self.assertEqual((first.status, again.status), (202, 202))
        self.assertEqual(first.body["delivery"], again.body["delivery"])

    def test_a_replay_under_a_new_id_is_refused(self):
        delivery = self.delivery()
        self.assertEqual(delivery.post().status, 202)
        self.assertRefused(delivery.post(id=delivery.id + "x"), "signature-wrong")

    def test_a_replay_that_is_old_or_early_is_refused(self):
        self.assertRefused(self.delivery(at=now(-330)).post(), "timestamp-too-old")
        self.assertRefused(self.delivery(at=now(330)).post(), "timestamp-in-the-future")

    def test_what_was_changed_on_the_way_is_refused(self):
        delivery = self.delivery()
        self.assertRefused(delivery.post(body=delivery.body.replace("joiner", "leaver")), "signature-wrong")
        self.assertRefused(delivery.post(body=json.dumps(json.loads(delivery.body))), "signature-wrong")
        self.assertRefused(delivery.post(timestamp=str(int(delivery.at.timestamp()) - 1)), "signature-wrong")
        self.assertRefused(self.delivery(secret=OTHER_SECRET).post(), "signature-wrong")

    def test_one_good_signature_of_several_will_do(self):
        delivery, other = self.delivery(), self.delivery(secret=OTHER_SECRET)
        answer = delivery.post(signature=f"{other.signature} {delivery.signature}")
        self.assertEqual(answer.status, 202, answer)

    def test_no_signature_is_refused(self):
        self.assertRefused(self.delivery().post(signature="v2,AAAA"), "version-unknown")


class StandardWebhooks(Deliveries, unittest.TestCase):
    package, prefix, profile = standardwebhooks, "webhook", "standard-webhooks"


class SvixHeaders(Deliveries, unittest.TestCase):
    package, prefix, profile = svix.webhooks, "svix", "svix"


class SvixUnderStandardNames(Deliveries, unittest.TestCase):
    package, prefix, profile = svix.webhooks, "webhook", "standard-webhooks"
