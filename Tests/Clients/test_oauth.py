"""authlib against the authorization server: what a real client does, a browser between the two played by httpx."""
import html
import re
import unittest
import urllib.parse

import httpx
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from development import Development

REDIRECT = "http://127.0.0.1:9/callback"


class Browser:
    """Somebody's browser, signed in as the organization's admin."""

    def __init__(self, development):
        self.base = development.document["base_url"]
        self.http = httpx.Client(base_url=self.base, headers={"origin": self.base})
        organization = development.organization
        answer = self.http.post("/signin", data={
            "organization": organization["slug"], "username": organization["admin_username"],
            "password": organization["admin_password"], "return_to": "/profile"})
        assert answer.status_code == 303, answer.text

    def consent(self, address):
        """The address that the browser is led to once everything was allowed."""
        page = self.http.get(address)
        assert page.status_code == 200, page.text
        hidden = {name: html.unescape(value) for name, value in
                  re.findall(r'name="(form_token|request)" value="([^"]*)"', page.text)}
        answer = self.http.post("/oauth/authorize", data=hidden | {"decision": "approve"})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]


class Authlib(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.development = cls.enterClassContext(Development())
        cls.base = cls.development.document["base_url"]
        cls.browser = Browser(cls.development)
        cls.metadata = httpx.get(cls.base + "/.well-known/oauth-authorization-server").json()
        made = cls.development.api("POST", "/v1/apps", {
            "name": "authlib", "contact_email": "tests@example.com", "redirect_uris": [REDIRECT],
            "scopes": ["people:read", "users:read"]})
        assert made.status == 201, made
        cls.app = made.body

    def client(self, method="client_secret_basic"):
        return OAuth2Client(
            self.app["client_id"], self.app["client_secret"], token_endpoint_auth_method=method,
            redirect_uri=REDIRECT, scope="people:read users:read", code_challenge_method="S256",
            token_endpoint=self.metadata["token_endpoint"])

    def tokens(self, client):
        verifier = "v" * 64
        address, state = client.create_authorization_url(
            self.metadata["authorization_endpoint"], code_verifier=verifier)
        answer = self.browser.consent(address)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer).query)
        self.assertEqual(query["iss"], [self.metadata["issuer"]])
        self.assertEqual(query["state"], [state])
        return client.fetch_token(
            self.metadata["token_endpoint"], authorization_response=answer, code_verifier=verifier, state=state)

    def test_metadata_is_valid(self):
        # The rule about https is for the world outside; this server is on loopback.
        metadata = {name: value.replace("http://", "https://") if isinstance(value, str) else value
                    for name, value in self.metadata.items()}
        AuthorizationServerMetadata(metadata).validate()
        self.assertEqual(self.metadata["issuer"], self.base)

    def test_code_with_pkce_refresh_and_userinfo(self):
        for method in ("client_secret_basic", "client_secret_post"):
            client = self.client(method)
            token = self.tokens(client)
            self.assertEqual(token["scope"], "people:read users:read")
            info = client.get(self.metadata["userinfo_endpoint"])
            self.assertEqual(info.status_code, 200)
            self.assertEqual(info.json()["username"], self.development.organization["admin_username"])
            self.assertEqual(client.get(self.base + "/v1/users").status_code, 200)
            again = client.refresh_token(self.metadata["token_endpoint"], refresh_token=token["refresh_token"])
            self.assertNotEqual(again["refresh_token"], token["refresh_token"])
            self.assertEqual(client.get(self.base + "/v1/users").status_code, 200)

    def test_revocation_ends_the_family(self):
        client = self.client()
        token = self.tokens(client)
        answer = client.revoke_token(
            self.metadata["revocation_endpoint"], token=token["refresh_token"], token_type_hint="refresh_token")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(client.get(self.base + "/v1/users").status_code, 401)


if __name__ == "__main__":
    unittest.main()
