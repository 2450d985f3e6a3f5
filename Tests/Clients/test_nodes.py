"""Two real processes on one database: what was ended on one is accepted by the other no longer than promised, also where
its listening connection is cut again and again, and where it stood still meanwhile.

No verdict hangs on how fast the machine is. What is wrong is a yes to a request that began later than the promise after
the end was answered; a slow machine only makes requests begin later, when a yes is wrong all the more.
"""
import contextlib
import datetime
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from development import START_LIMIT, Development

# Seconds. The design's promise for a node that did not make the change.
PROMISE = 0.25
# Seconds after an end for which it is asked on; and until which it has to be refused at last.
AFTERWARDS, LIMIT = 1.0, 60.0


class Node:
    """A `rollcall serve` beside the development server, on its database."""

    def __init__(self, development, name):
        self.name = name
        self.database = development.document["database_url"]
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = open(development.folder / f"{name}.log", "wb")
        home = pathlib.Path(development.folder) / "home"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")} | {
            "ROLLCALL_DATABASE_URL": self.database.replace("rollcall_owner", "rollcall_service"),
            "ROLLCALL_DATABASE_DIRECT_URL": self.with_name(self.database),
            "ROLLCALL_PUBLIC_URL": development.document["base_url"], "ROLLCALL_BIND": f"127.0.0.1:{self.port}",
            "ROLLCALL_KEYRING_FILE": str(home / "keyring"), "ROLLCALL_METRICS_BIND": "off", "ROLLCALL_ROLES": "web"}
        self.process = subprocess.Popen(
            [os.environ["ROLLCALL_PROGRAM"], "serve"], stdout=self.log, stderr=self.log, env=environment)
        deadline = time.monotonic() + START_LIMIT
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError((development.folder / f"{name}.log").read_text()[-2000:])
            time.sleep(0.05)

    def with_name(self, url):
        return url + ("&" if "?" in url else "?") + f"application_name={self.name}"

    def is_ready(self):
        try:
            return ask(self.port, None, "/readyz") == 200
        except OSError:
            return False

    def cut(self):
        """Ends its listening connection, as a failing network does; how many there were."""
        found = subprocess.run(
            ["psql", self.database, "-qAtX", "-c",
             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
             f"WHERE application_name = '{self.name}'"],
            capture_output=True, text=True, check=True)
        return int(found.stdout.strip())

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def ask(port, token, path="/v1/whoami"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status


class Asking:
    """Asks one node for one token over and over, and keeps when each question began and what was answered."""

    def __init__(self, port, token):
        self.answers = []
        self.stopping = threading.Event()
        self.fault = None
        self.thread = threading.Thread(target=self.run, args=(port, token))
        self.thread.start()

    def run(self, port, token):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                connection.request("GET", "/v1/whoami", headers={"authorization": f"Bearer {token}"})
                answer = connection.getresponse()
                answer.read()
                self.answers.append((began, answer.status))
        except Exception as error:
            self.fault = error
        finally:
            connection.close()

    def until(self, holds):
        deadline = time.monotonic() + LIMIT
        while not holds(self.answers) and self.fault is None and time.monotonic() < deadline:
            time.sleep(0.005)
        return holds(self.answers)

    def end(self):
        self.stopping.set()
        self.thread.join()
        return self.answers


class Nodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.development = cls.enterClassContext(Development())
        cls.mine = urllib.parse.urlsplit(cls.development.document["base_url"]).port
        cls.other = Node(cls.development, "other-node")
        cls.addClassCleanup(cls.other.stop)

    def token(self):
        expiry = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        made = self.development.api("POST", "/v1/tokens", {
            "name": "node", "scopes": ["people:read"], "expires_at": expiry.strftime("%Y-%m-%dT%H:%M:%SZ")})
        self.assertEqual(made.status, 201, made)
        return made.body["id"], made.body["token"]

    def end(self, token):
        """Ends it on the first node; when that was answered."""
        self.assertEqual(self.development.api("DELETE", f"/v1/tokens/{token}").status, 204)
        return time.monotonic()

    def judge(self, answers, ended, promise):
        late = [(round(began - ended, 4), status) for began, status in answers
                if status == 200 and began > ended + promise]
        self.assertEqual(late, [], "accepted after the promise")
        refused = next(place for place, (_, status) in enumerate(answers) if status == 401)
        self.assertEqual({status for _, status in answers[refused:]} - {401}, set(), "accepted after a refusal")
        self.assertLessEqual({status for _, status in answers}, {200, 401})

    def ended(self, during=lambda: None):
        """One token, asked for on both nodes while it is ended on the first."""
        identity, token = self.token()
        askings = {self.mine: Asking(self.mine, token), self.other.port: Asking(self.other.port, token)}
        try:
            for asking in askings.values():
                self.assertTrue(asking.until(lambda answers: len(answers) >= 20), asking.fault)
                self.assertEqual({status for _, status in asking.answers}, {200})
            during()
            ended = self.end(identity)
            during()
            for asking in askings.values():
                self.assertTrue(asking.until(lambda answers: answers[-1][1] == 401), asking.fault)
            time.sleep(max(0, ended + AFTERWARDS - time.monotonic()))
        finally:
            answers = {port: asking.end() for port, asking in askings.items()}
        # The node that made the change says no from that moment.
        self.judge(answers[self.mine], ended, 0)
        self.judge(answers[self.other.port], ended, PROMISE)

    def test_what_was_ended_on_one_node_is_refused_on_the_other(self):
        for _ in range(5):
            self.ended()

    def test_a_node_whose_listening_connection_is_cut_accepts_nothing_longer(self):
        cut = []
        for _ in range(3):
            self.ended(during=lambda: cut.append(self.other.cut()))
        self.assertGreater(sum(cut), 0)
        stopping = threading.Event()

        def keep_cutting():
            while not stopping.wait(0.03):
                self.other.cut()

        cutting = threading.Thread(target=keep_cutting)
        cutting.start()
        try:
            for _ in range(3):
                self.ended()
        finally:
            stopping.set()
            cutting.join()
        self.ended()

    def test_a_node_that_stood_still_does_not_answer_from_what_it_knew(self):
        for _ in range(5):
            identity, token = self.token()
            for _ in range(20):
                self.assertEqual(ask(self.other.port, token), 200)
            self.other.process.send_signal(signal.SIGSTOP)
            try:
                ended = self.end(identity)
                time.sleep(max(0, ended + 2 * PROMISE - time.monotonic()))
                # Waiting at its door when it wakes up: the first thing that it does is to answer them.
                statuses = []
                waiting = [threading.Thread(target=lambda: statuses.append(ask(self.other.port, token)))
                           for _ in range(8)]
                for thread in waiting:
                    thread.start()
                time.sleep(0.1)
            finally:
                self.other.process.send_signal(signal.SIGCONT)
            for thread in waiting:
                thread.join()
            self.assertEqual(statuses, [401] * 8)


if __name__ == "__main__":
    unittest.main()
