"""Agents, a browser, and patience."""

import collections
import http.server
import json
import os
import re
import subprocess
import threading
import time
import unittest
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

# How long anything may take before a test gives up: far longer than on an idle machine.
PATIENCE = 60
SWIM = os.environ["SWIM"]
WEB = Path(__file__).resolve().parents[2] / "web"


def until(what, is_so):
    """Waits until something is so, and returns it."""
    end = time.monotonic() + PATIENCE
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.05)


class Agent:
    """A running `swim agent`, on free ports unless told otherwise."""

    def __init__(self, name, *args, bind="127.0.0.1:0", http="127.0.0.1:0"):
        self.name = name
        self.command = [SWIM, "agent", "--name", name, "--profile", "local", *args]
        self.bind, self.http = bind, http
        self.start()

    def start(self):
        """Starts it; where it was before, if it was. Waits for its banner."""
        command = [*self.command, "--bind", self.bind, "--http-addr", self.http]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            key, _, value = line.strip().partition(": ")
            if key == "advertise":
                self.bind = value
            if key == "http":
                self.http = value
            if line == "ready\n":
                return
        raise AssertionError(f"{self.name} did not start")

    @property
    def url(self):
        return f"http://{self.http}/"

    def run(self, *args):
        """Runs a command about it."""
        environment = {**os.environ, "SWIM_HTTP_ADDR": self.http}
        subprocess.run([SWIM, *args], env=environment, check=True, capture_output=True)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class FakeAgent:
    """Serves the page's own files, and answers of the test's making, or what they return; counts what is asked."""

    def __init__(self, policy, answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0]
                if path == "/v1/events":
                    return self.stay_silent()
                if path in answers:
                    asked[path] += 1
                    answer = answers[path]
                    body = answer() if callable(answer) else answer
                    return self.answer(200, "application/json", json.dumps(body).encode())
                file = WEB / ("index.html" if path == "/" else Path(path).name)
                if not file.is_file():
                    return self.answer(404, "application/json", b'{"error":"nothing is there"}')
                kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
                self.answer(200, kinds.get(file.suffix, "image/svg+xml"), file.read_bytes())

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("content-security-policy", policy)
                self.end_headers()
                self.wfile.write(body)

            def stay_silent(self):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                over.wait()

            def log_message(self, *args):
                pass

        asked = self.asked = collections.Counter()
        over = self.over = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d/" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kill(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def browser():
    """A headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for flag in ["headless=new", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars", "no-first-run",
                 "disable-background-networking", "no-proxy-server"]:
        options.add_argument(f"--{flag}")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


class PageTest(unittest.TestCase):
    """A test that has a browser, ends what it started, and bears no line in the console but those it expects."""

    @classmethod
    def setUpClass(cls):
        cls.driver = browser()

    @classmethod
    def tearDownClass(cls):
        cls.driver.quit()

    def setUp(self):
        self.agents = []
        # What the browser itself writes about answers that are no success.
        self.bearable = []
        self.emulate(1400, 1000)
        self.prefer(scheme="light")

    def tearDown(self):
        lines = [entry["message"] for entry in self.driver.get_log("browser")]
        self.driver.get("about:blank")
        for agent in self.agents:
            agent.kill()
        for line in lines:
            if not any(re.search(pattern, line) for pattern in self.bearable):
                self.fail(f"in the console: {line}")

    def agent(self, name, *args, **places):
        self.agents.append(Agent(name, *args, **places))
        return self.agents[-1]

    def cluster(self, *names):
        """Agents that know each other; the first is the seed of the others."""
        first = self.agent(names[0])
        return [first, *(self.agent(name, "--join", first.bind) for name in names[1:])]

    def open(self, agent):
        self.driver.get(agent.url)
        until("the page is live", lambda: self.link() == "live")

    def link(self):
        return self.text("#link-text")

    def emulate(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})

    def prefer(self, scheme="light", motion="no-preference"):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion}]})

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def text(self, selector):
        return self.js("return document.querySelector(arguments[0])?.textContent", selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def keys(self, *keys):
        chain = ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def rows(self):
        """Names and states of the rows on the screen, in their order."""
        return self.js("""return [...document.querySelectorAll('#rows tr')].map((row) =>
            `${row.querySelector('bdi').textContent}:${row.cells[1].textContent}`)""")

    def until_rows(self, *rows):
        until(f"the rows are {rows}", lambda: self.rows() == list(rows))

    def until_tagged(self, *names):
        """Waits until the rows of `names`, and no others, are seen to be this agent's own."""
        tagged = """return [...document.querySelectorAll('#rows .tag')].filter((tag) => tag.checkVisibility())
            .map((tag) => tag.closest('tr').querySelector('bdi').textContent)"""
        until(f"{names} are tagged", lambda: self.js(tagged) == list(names))

    def picture(self, name):
        """Keeps a picture, if somebody wants to see some."""
        if "SWIM_PICTURES" in os.environ:
            self.driver.save_screenshot(str(Path(os.environ["SWIM_PICTURES"]) / f"{name}.png"))
