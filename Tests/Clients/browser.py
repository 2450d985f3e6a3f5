"""Debian's Chromium, driven by the keyboard alone, and what it complained about meanwhile."""
import base64
import hashlib
import hmac
import os
import pathlib
import struct
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

# Seconds until a page is there.
PAGE_LIMIT = 20
# Stops of the Tab key on one page at most.
MOST_STOPS = 80
WIDTHS = {"wide": 1000, "narrow": 320}


def time_code(secret, at=None):
    """RFC 6238, as the authenticator app would show it."""
    step = struct.pack(">Q", int(at or time.time()) // 30)
    mac = hmac.new(base64.b32decode(secret), step, hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[start:start + 4])[0] & 0x7fffffff) % 1_000_000:06}"


class Browser:
    """Starts with `with`. `script` False: pages may run none."""

    def __init__(self, script=True):
        options = Options()
        options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        # A page of ours is read in a second; who runs this may be root, where there is no sandbox.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1000,900"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(PAGE_LIMIT)
        self.complaints = []
        if not script:
            self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        self.shots = pathlib.Path(os.environ["ROLLCALL_SCREENSHOTS"]) if "ROLLCALL_SCREENSHOTS" in os.environ else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    # What is seen

    @property
    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def address(self):
        return self.driver.current_url

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def look(self, name, most_wide=True):
        """Keeps what the console says; the page fits a narrow window, and is kept as pictures where somebody wants them."""
        self.complaints += [f"{name}: {entry['message']}" for entry in self.driver.get_log("browser")]
        for width_name, width in WIDTHS.items():
            self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
            content = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
            if content["width"] > width:
                self.complaints.append(f"{name}: {content['width']} wide in a window of {width}")
            if self.shots:
                for scheme in ("light", "dark"):
                    self.cdp("Emulation.setEmulatedMedia",
                             features=[{"name": "prefers-color-scheme", "value": scheme}])
                    clip = {"x": 0, "y": 0, "width": width, "height": content["height"], "scale": 1}
                    picture = self.cdp("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
                    (self.shots / f"{name}-{scheme}-{width_name}.png").write_bytes(base64.b64decode(picture))
                self.cdp("Emulation.setEmulatedMedia", features=[])
        self.cdp("Emulation.clearDeviceMetricsOverride")

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    # What is done

    def open(self, address):
        self.driver.get(address)

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def go_to(self, selector):
        """Tab until that is focused, as somebody without a mouse would."""
        wanted = self.one(selector)
        for _ in range(MOST_STOPS):
            if self.driver.switch_to.active_element == wanted:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"the keyboard does not reach {selector} of {self.address}")

    def fill(self, selector, text):
        self.go_to(selector)
        # What stands there is typed over.
        ActionChains(self.driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
        self.press(text)

    def choose(self, selector):
        """Enter on a button or link, once the next page is there."""
        self.go_to(selector)
        before = self.one("html")
        self.press(Keys.ENTER)
        deadline = time.monotonic() + PAGE_LIMIT
        while time.monotonic() < deadline:
            try:
                before.is_enabled()
            except Exception:  # The old page is gone.
                return
            time.sleep(0.02)
        raise AssertionError(f"nothing came of {selector} on {self.address}")
