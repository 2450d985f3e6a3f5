"""The program held against its own /v1/openapi.json by schemathesis, with the tokens of each role: no 5xx, no undocumented
status, no answer off its schema, no accepted invalid input, no operation open without a token.

    ROLLCALL_FUZZ_EXAMPLES   cases an operation in the search phases; the default keeps the whole to about two minutes
    ROLLCALL_FUZZ_SEED       another seed finds other things
    ROLLCALL_FUZZ_ROLES      names of roles, separated by commas; all by default
"""
import base64
import datetime
import hashlib
import html
import json
import os
import pathlib
import re
import secrets
import subprocess
import sys
import time
import unittest
import urllib.parse

import httpx
import standardwebhooks

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from development import Development, request

HERE = pathlib.Path(__file__).parent
EXAMPLES = int(os.environ.get("ROLLCALL_FUZZ_EXAMPLES", "4"))
SEED = os.environ.get("ROLLCALL_FUZZ_SEED", "20261121")
CHOSEN = [name for name in os.environ.get("ROLLCALL_FUZZ_ROLES", "").split(",") if name]
REDIRECT = "http://127.0.0.1:9/callback"
PASSWORD = "a sentence of some length"
# Everything that the document can be held against. What is seeded is one organization's, so that nobody's objects can be
# told apart by it: StrangerTests do that.
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "positive_data_acceptance", "missing_required_header",
    "unsupported_method", "allow_header_conformance", "use_after_free", "ignored_auth",
]


class Browser:
    """Somebody's browser: keeps the session, and says where its forms come from."""

    def __init__(self, base, organization, username, password):
        self.http = httpx.Client(base_url=base, headers={"origin": base, "accept": "text/html"}, timeout=30)
        answer = self.http.post("/signin", data={
            "organization": organization, "username": username, "password": password, "return_to": "/profile"})
        assert answer.status_code == 303, answer.text

    def submit(self, address, path=None, **members):
        """The form of a page, sent with its hidden members and these."""
        page = self.http.get(address)
        assert page.status_code == 200, page.text
        hidden = {name: html.unescape(value)
                  for name, value in re.findall(r'name="([a-z_]+)" value="([^"]*)"', page.text)}
        return self.http.post(path or address, data=hidden | members)


class Seeds:
    """An organization in which there is one of everything, and a token of each role."""

    def __init__(self, development):
        self.development = development
        self.base = development.document["base_url"]
        self.organization = development.organization
        self.admin = Browser(self.base, self.organization["slug"], self.organization["admin_username"],
                             self.organization["admin_password"])
        self.known = {"profile": ["canonical", "standard-webhooks"], "mapping": ["canonical"]}
        self.hire()
        self.me = self.made("GET", "/v1/whoami")["user"]["id"]
        self.integration = self.integrate()
        self.grants = [item["id"] for item in self.made("GET", "/v1/grants")["items"]]
        self.app = self.make("/v1/apps", {
            "name": "Fuzz", "contact_email": "tests@example.com", "redirect_uris": [REDIRECT],
            "scopes": ["people:read.self", "tokens:read", "tokens:write"]})
        self.member = self.approve(self.member_browser())
        self.workspace = self.make(f"/v1/workspaces/{self.workspace_id}/tokens", {
            "name": "Fuzz", "scopes": ["people:read", "users:read", "audit:append"]})
        self.make("/v1/tokens", {"name": "Seed", "scopes": ["people:read"], "expires_at": later(30)})
        self.make("/v1/audit/queries", {"name": "Refusals", "mode": "range", "filter": "outcome eq \"refused\""})
        self.make("/v1/scopes", {"scope": "ledger:read", "opens": "Reads the ledger"})
        self.collect()

    def made(self, method, path, body=None):
        answer = self.development.api(method, path, body)
        assert answer.status in (200, 201), (path, answer)
        return answer.body

    def make(self, path, body):
        return self.made("POST", path, body)

    def hire(self):
        source = self.organization["sources"][0]
        hook = standardwebhooks.Webhook(source["secret"])
        for number in (1, 2):
            now = datetime.datetime.now(datetime.timezone.utc)
            body = json.dumps({"type": "joiner", "person": {
                "externalId": f"e-{number}", "userName": f"person{number}@acme.example", "active": True,
                "name": {"givenName": "Ada", "familyName": "Lovelace"}, "title": "Analyst",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Finance"}}})
            sent = request("POST", source["url"], body.encode(), {
                "content-type": "application/json", "webhook-id": f"msg_{number}",
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": hook.sign(f"msg_{number}", now, body)})
            assert sent.status == 202, sent
        # One that is signed with another key, for the rejected.
        request("POST", source["url"], b"{}", {
            "content-type": "application/json", "webhook-id": "msg_3",
            "webhook-timestamp": str(int(time.time())),
            "webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()})
        applied = self.development.eventually(
            "/v1/people", lambda answer: len(answer.body["items"]) == 2)
        assert len(applied.body["items"]) == 2, applied

    def integrate(self):
        """An integration user with every scope, and its access token."""
        workspaces = self.made("GET", "/v1/workspaces")["items"]
        self.workspace_id = workspaces[0]["id"]
        self.known["workspace"] = [workspaces[0]["slug"], self.workspace_id]
        scopes = [item["scope"] for item in self.made("GET", "/v1/scopes")["items"]]
        integration = self.make("/v1/integrations", {
            "slug": "fuzz", "name": "Fuzz", "contact_email": "tests@example.com", "workspace": "main",
            "scopes": scopes, "rule": None, "grant_lifetime": "P30D", "ip_allow_list": None})
        self.make("/v1/users", {
            "kind": "integration", "integration": integration["id"], "username": "fuzz", "custodian": self.me})
        grant = self.make("/v1/grants", {
            "client_name": "Fuzz", "workspace": "main", "username": "fuzz", "expires_at": later(30), "scopes": scopes,
            "ip_allow_list": None})
        link = self.make(f"/v1/grants/{grant['id']}/claim-links", {})
        self.make("/v1/grants", {
            "client_name": "Seed", "workspace": "main", "username": "fuzz", "expires_at": later(30),
            "scopes": ["people:read"], "ip_allow_list": None})
        self.known["username"] = ["fuzz"]
        page = self.admin.submit(urllib.parse.urlsplit(link["url"]).path)
        secret = re.search(r"rcs_[0-9A-Za-z]+", page.text)[0]
        token = httpx.post(self.base + "/oauth/token", auth=(grant["id"], secret),
                           data={"grant_type": "client_credentials"}, timeout=30)
        assert token.status_code == 200, token.text
        return token.json()["access_token"]

    def member_browser(self):
        member = next(user for user in self.made("GET", "/v1/users")["items"]
                      if user["username"] == "person1@acme.example")
        link = self.make(f"/v1/users/{member['id']}/password-links", {})
        path = urllib.parse.urlsplit(link["url"]).path
        setting = httpx.Client(base_url=self.base, headers={"origin": self.base, "accept": "text/html"}, timeout=30)
        setting.get(path)
        answer = setting.post(path, data={"username": member["username"], "password": PASSWORD, "again": PASSWORD})
        assert answer.status_code in (200, 303), answer.text
        return Browser(self.base, self.organization["slug"], member["username"], PASSWORD)

    def approve(self, browser):
        """An access token of the app for whoever is signed in there."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        question = urllib.parse.urlencode({
            "response_type": "code", "client_id": self.app["client_id"], "redirect_uri": REDIRECT, "state": "s",
            "code_challenge": challenge, "code_challenge_method": "S256"})
        answer = browser.submit("/oauth/authorize?" + question, "/oauth/authorize", decision="approve")
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["location"]).query)["code"][0]
        token = httpx.post(
            self.base + "/oauth/token", auth=(self.app["client_id"], self.app["client_secret"]), timeout=30, data={
                "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": verifier})
        assert token.status_code == 200, token.text
        return token.json()["access_token"]

    def collect(self):
        """Ids of everything that is there, by prefix; and what no request may end."""
        for noun in ("workspaces", "tokens", "sources", "deliveries", "rejected-requests", "events", "people", "users",
                     "integrations", "grants", "apps", "authorizations", "sessions", "approvals", "audit/queries"):
            for item in self.made("GET", f"/v1/{noun}")["items"]:
                self.known.setdefault(item["id"][:3], []).append(item["id"])
        self.known["custodian"] = [self.me]
        self.known["subject_token"] = [self.integration]
        self.known["scope"] = ["ledger:read"]
        self.known["organization"] = [self.organization["id"]]
        self.known["file"] = ["checkpoint", "tile/0/000"]
        tokens = {self.organization["admin_token"], self.organization["auditor_token"], self.integration, self.member,
                  self.workspace["token"]}
        self.spared = [self.workspace["id"], self.app["id"]]
        for token in tokens:
            who = request("GET", self.base + "/v1/whoami", None, {"authorization": f"Bearer {token}"}).body
            self.spared += [value for value in flattened(who) if re.match(r"^[a-z]{3}_", value)]
        self.spared += [item["id"] for item in self.made("GET", "/v1/tokens")["items"] if item["name"] != "Seed"]
        self.spared += [item["id"] for item in self.made("GET", "/v1/authorizations")["items"]]
        self.spared += [item["id"] for item in self.made("GET", "/v1/integrations")["items"] if item["slug"] == "fuzz"]


def later(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def flattened(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in flattened(item)]
    return [value] if isinstance(value, str) else []


class OpenAPI(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.development = cls.enterClassContext(Development())
        cls.seeds = Seeds(cls.development)

    def fuzz(self, role, token, phases, succeeding):
        """One run; `succeeding` operations at least have to answer 2xx, since a run that was let in nowhere shows
        nothing."""
        if CHOSEN and role not in CHOSEN:
            self.skipTest("not chosen")
        folder = self.development.folder
        tally = folder / f"{role}.json"
        # Most of what the others ask for is refused alike.
        examples = EXAMPLES if role == "admin" else max(1, EXAMPLES // 2)
        environment = os.environ | {
            "PYTHONPATH": str(HERE), "ROLLCALL_TALLY": str(tally),
            "ROLLCALL_SEEDED": json.dumps({"known": self.seeds.known, "spared": self.seeds.spared})}
        run = subprocess.run(
            [str(pathlib.Path(sys.executable).parent / "st"), "--config-file", str(HERE / "openapi.toml"), "run",
             self.seeds.base + "/v1/openapi.json", "--header", f"Authorization: Bearer {token}",
             "--checks", ",".join(CHECKS), "--phases", phases, "--max-examples", str(examples), "--seed", SEED,
             "--no-color"],
            cwd=folder, env=environment, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        answered = {operation for operation, statuses in json.loads(tally.read_text()).items()
                    if any(status.startswith("2") for status in statuses)}
        self.assertGreaterEqual(len(answered), succeeding, sorted(answered))

    def test_member(self):
        self.fuzz("member", self.seeds.member, "fuzzing", 4)

    def test_integration_user(self):
        self.fuzz("integration", self.seeds.integration, "fuzzing", 20)

    def test_auditor(self):
        self.fuzz("auditor", self.organization_token("auditor_token"), "fuzzing", 20)

    def test_workspace_token(self):
        self.fuzz("workspace", self.seeds.workspace["token"], "fuzzing", 2)

    def test_zz_security_admin(self):
        # The last by its name: it changes what the others would be asked about. A source has no token, so that this and
        # the others are all roles that there are.
        self.fuzz("admin", self.organization_token("admin_token"), "examples,coverage,fuzzing,stateful", 50)

    def organization_token(self, name):
        return self.development.organization[name]


if __name__ == "__main__":
    unittest.main()
