"""authlib against the authorization server: what a real client does, a browser between the two played by httpx."""
import html
import json
import re
import time
import unittest
import urllib.parse

import httpx
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import ECKey

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
                  re.findall(r'name="(form_token|request|shown)" value="([^"]*)"', page.text)}
        answer = self.http.post("/oauth/authorize", data=hidden | {"decision": "approve"})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def claim(self, address):
        """Client id and secret behind a claim link, as its custodian."""
        page = self.http.get(address).json()
        answer = self.http.post(address, data={"form_token": page["form_token"]})
        assert answer.status_code == 200, answer.text
        return answer.json()


    def register(self, grant, keys):
        """Public keys in place of a secret, in the custodian's profile."""
        page = self.http.get("/profile/grants")
        token = re.search(r'name="form_token" value="([^"]*)"', page.text).group(1)
        answer = self.http.post(f"/profile/grants/{grant}/keys", data={
            "form_token": html.unescape(token), "jwks": json.dumps(keys)})
        assert answer.status_code == 200, answer.text


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


class PayrollAPI(JWTBearerTokenValidator):
    """A resource server that asks nobody: it knows the issuer and the published keys."""

    def __init__(self, metadata, resource):
        super().__init__(metadata["issuer"], resource)
        self.jwks = httpx.get(metadata["jwks_uri"]).json()

    def get_jwks(self):
        return self.jwks

    def accept(self, token, scopes=None):
        claims = self.authenticate_token(token)
        self.validate_token(claims, scopes, None)
        return claims


class Machines(unittest.TestCase):
    """Grants of integration users: client_credentials in every way, and what resource servers find out."""

    RESOURCE = "https://payroll.example/api"
    SCOPES = ["people:read", "tokens:introspect"]

    @classmethod
    def setUpClass(cls):
        cls.development = cls.enterClassContext(Development())
        cls.base = cls.development.document["base_url"]
        cls.browser = Browser(cls.development)
        cls.metadata = httpx.get(cls.base + "/.well-known/oauth-authorization-server").json()
        cls.admin = cls.made("GET", "/v1/whoami")["user"]["id"]
        cls.integration = cls.made("POST", "/v1/integrations", {
            "slug": "batch", "name": "Batch", "contact_email": "tests@example.com", "workspace": "main",
            "scopes": cls.SCOPES, "rule": None, "grant_lifetime": "P90D", "ip_allow_list": None})["id"]
        cls.made("POST", "/v1/resources", {"identifier": cls.RESOURCE, "name": "Payroll", "token_format": "jwt"})
        cls.client_id, cls.secret = cls.grant("batch.one")

    @classmethod
    def made(cls, method, path, body=None):
        answer = cls.development.api(method, path, body)
        assert answer.status in (200, 201), answer
        return answer.body

    @classmethod
    def grant(cls, username):
        cls.made("POST", "/v1/users", {
            "kind": "integration", "integration": cls.integration, "username": username, "custodian": cls.admin})
        expires_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86_400))
        made = cls.made("POST", "/v1/grants", {
            "client_name": username, "workspace": "main", "username": username, "expires_at": expires_at,
            "scopes": cls.SCOPES, "ip_allow_list": None})
        link = cls.made("POST", f"/v1/grants/{made['id']}/claim-links", {})
        claimed = cls.browser.claim(link["url"])
        return claimed["client_id"], claimed["client_secret"]

    def client(self, method="client_secret_basic"):
        return OAuth2Client(
            self.client_id, self.secret, token_endpoint_auth_method=method,
            token_endpoint=self.metadata["token_endpoint"])

    def fetch(self, client, **more):
        return client.fetch_token(self.metadata["token_endpoint"], grant_type="client_credentials", **more)

    def test_client_credentials_by_basic_and_post(self):
        for method in ("client_secret_basic", "client_secret_post"):
            client = self.client(method)
            token = self.fetch(client)
            self.assertEqual(token["token_type"], "Bearer")
            self.assertEqual(sorted(token["scope"].split()), self.SCOPES)
            self.assertEqual(client.get(self.base + "/v1/people").status_code, 200)
            self.assertEqual(self.fetch(client, scope="people:read")["scope"], "people:read")

    def test_client_credentials_by_private_key_jwt(self):
        client_id, secret = self.grant("batch.keys")
        key = ECKey.generate_key("P-256", {"kid": "batch-1"})
        self.browser.register(client_id, {"keys": [key.as_dict(private=False)]})
        endpoint = self.metadata["token_endpoint"]
        claims = {"exp": int(time.time()) + 120}
        client = OAuth2Client(client_id, key, token_endpoint_auth_method="private_key_jwt", token_endpoint=endpoint)
        client.register_client_auth_method(
            PrivateKeyJWT(endpoint, claims=claims, headers={"kid": "batch-1"}, alg="ES256"))
        self.fetch(client)
        self.assertEqual(client.get(self.base + "/v1/people").status_code, 200)
        # The secret ended when the keys came.
        former = OAuth2Client(client_id, secret, token_endpoint=endpoint)
        with self.assertRaises(Exception) as refused:
            self.fetch(former)
        self.assertEqual(refused.exception.error, "invalid_client")

    def test_introspection_and_revocation(self):
        client = self.client()
        token = self.fetch(client)["access_token"]
        endpoint = self.metadata["introspection_endpoint"]
        seen = client.introspect_token(endpoint, token=token, token_type_hint="access_token").json()
        self.assertTrue(seen["active"])
        self.assertEqual(seen["client_id"], self.client_id)
        self.assertEqual(seen["iss"], self.metadata["issuer"])
        self.assertEqual(client.revoke_token(self.metadata["revocation_endpoint"], token=token).status_code, 200)
        self.assertEqual(client.introspect_token(endpoint, token=token).json(), {"active": False})

    def test_signed_token_by_the_published_keys(self):
        client = self.client()
        token = self.fetch(client, resource=self.RESOURCE)["access_token"]
        claims = PayrollAPI(self.metadata, self.RESOURCE).accept(token, ["people:read"])
        self.assertEqual(claims["client_id"], self.client_id)
        self.assertLessEqual(claims["exp"] - claims["iat"], 600)
        self.assertEqual(claims.header["typ"], "at+jwt")
        for wrong in (
            PayrollAPI(self.metadata, "https://payroll.example"),
            PayrollAPI(self.metadata | {"issuer": self.base + "/"}, self.RESOURCE),
        ):
            with self.assertRaises(InvalidTokenError):
                wrong.accept(token)
        header, body, signature = token.split(".")
        for forged in (f"{header}.{body}.{signature[::-1]}", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + body + "."):
            with self.assertRaises(InvalidTokenError):
                PayrollAPI(self.metadata, self.RESOURCE).accept(forged)
        # Good for that audience alone, and known here by its row.
        self.assertEqual(httpx.get(self.base + "/v1/people", headers={"authorization": "Bearer " + token}).status_code, 401)
        endpoint = self.metadata["introspection_endpoint"]
        self.assertEqual(client.introspect_token(endpoint, token=token).json()["jti"], claims["jti"])


if __name__ == "__main__":
    unittest.main()
