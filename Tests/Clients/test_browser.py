"""A real browser on every page: by keyboard alone, with scripts and without, in a narrow window; the policy complains of
nothing, and nobody else's page frames ours."""
import http.server
import json
import threading
import time
import unittest
import urllib.parse
from datetime import datetime, timezone

from selenium.webdriver.common.keys import Keys
from standardwebhooks.webhooks import Webhook

from browser import Browser, time_code
from development import Development, request

PASSWORD = "a sentence that only Ada knows"


class Site:
    """Somebody else's site: frames what it is told to, and is where an app gets its codes."""

    def __init__(self, framed):
        site = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                body = f'<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,"><iframe src="{framed}"></iframe>' \
                    if self.path == "/" else '<!doctype html><title>App</title><link rel="icon" href="data:,"><p>Back at the app'
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Story:
    """A member with a grant in their keeping, who has no password yet."""

    def __init__(self, development, person):
        self.development = development
        self.username = f"{person}@acme.example"
        source = development.organization["sources"][0]
        event = json.dumps({"type": "joiner", "person": {
            "externalId": person, "userName": self.username, "name": {"givenName": person, "familyName": "Lovelace"},
            "title": "Analyst", "active": True,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Finance"}}})
        now = datetime.now(tz=timezone.utc)
        headers = {
            "webhook-id": f"msg_{person}", "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(source["secret"]).sign(f"msg_{person}", now, event),
            "content-type": "application/json"}
        answer = request("POST", source["url"], event.encode(), headers)
        assert answer.status == 202, answer
        grants = development.eventually(
            "/v1/grants?filter=" + urllib.parse.quote(f'username eq "payroll.{self.username}"'),
            lambda answer: answer.body["items"])
        self.grant = grants.body["items"][0]
        users = development.api(
            "GET", "/v1/users?filter=" + urllib.parse.quote(f'username eq "{self.username}"'))
        self.user = users.body["items"][0]["id"]

    def link(self, path):
        answer = self.development.api("POST", path, {})
        assert answer.status == 201, answer
        return answer.body["url"]

    @property
    def claim_link(self):
        return self.link(f"/v1/grants/{self.grant['id']}/claim-links")

    @property
    def password_link(self):
        return self.link(f"/v1/users/{self.user}/password-links")


class Chromium(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.development = cls.enterClassContext(Development())
        cls.base = cls.development.document["base_url"]

    def sign_in(self, browser, username, password, organization=None):
        if organization:
            browser.fill("#organization", organization)
        browser.fill("#username", username)
        browser.fill("#password", password)
        browser.choose("main form button")

    def claims(self, browser, story):
        """From a link in a mail to the secret, with everything that has to happen before."""
        link = story.claim_link
        browser.open(link)
        self.assertIn("no password yet", browser.text)
        browser.look("claim-no-password")
        browser.open(story.password_link)
        browser.fill("#password", "short")
        browser.fill("#again", "short")
        browser.choose("main form button")
        self.assertTrue(browser.all("[role=alert]"))
        browser.look("password-refused")
        browser.fill("#password", PASSWORD)
        browser.fill("#again", PASSWORD)
        browser.choose("main form button")
        browser.look("password-set")
        browser.choose("main a")
        browser.look("signin")
        self.sign_in(browser, story.username, "not the one")
        self.assertTrue(browser.all("[role=alert]"))
        browser.look("signin-refused")
        self.sign_in(browser, story.username, PASSWORD)
        self.assertEqual(browser.address, link, "led back to where it began")
        browser.look("claim")
        browser.choose("main form button")
        secret = [code.text for code in browser.all("code") if code.text.startswith("rcs_")]
        self.assertEqual(len(secret), 1)
        browser.look("claimed")
        form = urllib.parse.urlencode({
            "grant_type": "client_credentials", "client_id": story.grant["id"], "client_secret": secret[0]})
        answer = request("POST", self.base + "/oauth/token", form.encode(),
                         {"content-type": "application/x-www-form-urlencoded"})
        self.assertEqual(answer.status, 200)
        browser.open(link)
        self.assertIn("no longer good", browser.text)
        browser.look("claim-gone")

    def makes_token(self, browser):
        browser.open(self.base + "/profile")
        browser.look("profile")
        browser.choose("main a[href='/profile/tokens']")
        browser.look("tokens-none")
        browser.fill("#name", "Laptop")
        browser.choose("main form button.primary")
        self.assertIn("Tick at least one", browser.text)
        browser.look("tokens-refused")
        browser.go_to("input[name='scope:people:read.self']")
        browser.press(Keys.SPACE)
        browser.choose("main form button.primary")
        token = browser.one("code.secret").text
        self.assertTrue(token.startswith("rcp_"))
        browser.look("token")
        who = request("GET", self.base + "/v1/whoami", None, {"authorization": f"Bearer {token}"})
        self.assertEqual(who.status, 200)
        browser.choose("main a[href='/profile/tokens']")
        browser.look("tokens")
        browser.choose("section form[action$='/again'] button")
        again = browser.one("code.secret").text
        self.assertNotEqual(again, token)
        browser.choose("main a[href='/profile/tokens']")
        browser.choose("section form[action$='/revoke'] button")
        for gone in (token, again):
            self.assertEqual(
                request("GET", self.base + "/v1/whoami", None, {"authorization": f"Bearer {gone}"}).status, 401)
        browser.open(self.base + "/profile/grants")
        browser.go_to("details summary")
        browser.press(Keys.ENTER)
        browser.look("grants")

    def adds_second_factor(self, browser):
        browser.open(self.base + "/profile")
        browser.choose("main a[href='/profile/second-factor']")
        browser.look("second-factor")
        secret = browser.one("code").text.replace(" ", "")
        browser.fill("#code", time_code(secret))
        browser.choose("main form button")
        codes = [code.text for code in browser.all("ul.codes code")]
        self.assertEqual(len(codes), 10)
        browser.look("recovery-codes")
        browser.choose("main a.button")
        browser.look("profile-second-factor")
        return codes

    def signs_in_with_recovery_code(self, browser, story, code):
        browser.choose("form[action='/signout'] button")
        browser.open(self.base + "/signin?organization=acme")
        self.sign_in(browser, story.username, PASSWORD)
        browser.look("code")
        browser.fill("#code", "000000")
        browser.choose("main form button.primary")
        self.assertTrue(browser.all("[role=alert]"))
        browser.go_to("details summary")
        browser.press(Keys.ENTER)
        browser.look("code-refused")
        browser.fill("#recovery", code)
        browser.choose("details form button")
        self.assertIn("9 recovery codes left", browser.text)

    def consents(self, browser, site):
        made = self.development.api("POST", "/v1/apps", {
            "name": "Org chart", "description": "Draws who works with whom", "contact_email": "charts@example.com",
            "redirect_uris": [site.address + "/callback"], "scopes": ["people:read.self"]})
        self.assertEqual(made.status, 201)
        query = urllib.parse.urlencode({
            "response_type": "code", "client_id": made.body["client_id"], "redirect_uri": site.address + "/callback",
            "scope": "people:read.self", "state": "s", "code_challenge_method": "S256",
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"})
        browser.open(f"{self.base}/oauth/authorize?{query}")
        browser.look("consent")
        browser.choose("button[value=approve]")
        self.assertTrue(browser.address.startswith(site.address + "/callback?code=rco_"))
        browser.look("app")
        browser.open(self.base + "/profile")
        self.assertIn("Org chart", browser.text)
        browser.look("profile-apps")
        browser.choose("form[action^='/profile/apps/'] button")
        self.assertNotIn("Org chart", browser.text)
        browser.open(f"{self.base}/oauth/authorize?client_id=nobody")
        browser.look("app-unknown")

    def everything(self, script):
        story = Story(self.development, "ada" if script else "bea")
        site = Site(self.base + "/profile")
        self.addCleanup(site.close)
        with Browser(script=script) as browser:
            self.claims(browser, story)
            self.makes_token(browser)
            codes = self.adds_second_factor(browser)
            self.signs_in_with_recovery_code(browser, story, codes[0])
            self.consents(browser, site)
            browser.open(self.base + "/profile")
            browser.choose("form[action='/signout'] button")
            self.assertTrue(browser.address.startswith(self.base + "/signin"))
            browser.open(self.base + "/profile")
            self.assertTrue(browser.address.startswith(self.base + "/signin"), "signed out")
            browser.look("signed-out")
            # A page that answers 4xx is a complaint of the console's, and nothing else may be.
            complaints = [text for text in browser.complaints if "the server responded with a status of 4" not in text]
            self.assertEqual(complaints, [])

    def test_everything_by_keyboard(self):
        self.everything(script=True)

    def test_everything_without_scripts(self):
        self.everything(script=False)

    def test_nobody_frames_a_page(self):
        organization = self.development.organization
        with Browser() as browser:
            browser.open(self.base + "/signin")
            self.sign_in(browser, organization["admin_username"], organization["admin_password"], "acme")
            self.assertIn("Your account", browser.text)
            for path in ("/profile", "/signin", "/profile/tokens", "/claim/x", "/password/x", "/oauth/authorize?client_id=x"):
                site = Site(self.base + path)
                browser.open(site.address + "/")
                browser.driver.switch_to.frame(browser.one("iframe"))
                self.assertNotIn("Rollcall", browser.driver.page_source, path)
                browser.driver.switch_to.default_content()
                deadline = time.monotonic() + 5
                said = ""
                while "frame" not in said.lower() and time.monotonic() < deadline:
                    said += " ".join(entry["message"] for entry in browser.driver.get_log("browser"))
                self.assertRegex(said, "frame-ancestors|X-Frame-Options", path)
                site.close()


if __name__ == "__main__":
    unittest.main()
