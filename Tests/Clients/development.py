"""A `rollcall dev` on a home of its own, and the few requests that the tests of clients make."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

# Seconds. A start makes a cluster; on a busy machine that takes a while.
START_LIMIT = 120
# Seconds until what was accepted is applied.
APPLY_LIMIT = 20


class Answer:
    """Status and JSON body of a response."""

    def __init__(self, status, body):
        self.status = status
        self.body = json.loads(body) if body else None

    def __repr__(self):
        return f"{self.status} {self.body}"


class Development:
    """Starts with `with`, and leaves nothing behind."""

    def __enter__(self):
        # The cluster runs as another user where this is root, so the way to the home has to be open.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rc-clients-", dir="/tmp"))
        self.folder.chmod(0o755)
        home = self.folder / "home"
        self.log = open(self.folder / "log", "wb")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
        self.process = subprocess.Popen(
            [os.environ["ROLLCALL_PROGRAM"], "dev", "--home", str(home), "--port", "0"],
            stdout=self.log, stderr=self.log, env=environment)
        try:
            deadline = time.monotonic() + START_LIMIT
            while not (home / "dev.json").exists():
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:])
                time.sleep(0.05)
            self.document = json.loads((home / "dev.json").read_text())
        except BaseException:
            self.__exit__()
            raise
        self.organization = self.document["organizations"][0]
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def api(self, method, path, body=None):
        """A request of the first organization's admin."""
        headers = {"authorization": f"Bearer {self.organization['admin_token']}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return request(method, self.document["base_url"] + path, data, headers)

    def eventually(self, path, holds):
        """The answer of a GET once it is as it should be."""
        deadline = time.monotonic() + APPLY_LIMIT
        while True:
            answer = self.api("GET", path)
            if holds(answer) or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)


def request(method, url, data, headers):
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data=data, headers=headers, method=method), timeout=30
        ) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read())
