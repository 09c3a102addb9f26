"""A headless Chromium that is spoken to through a pipe: what a page does in a real browser."""

import base64
import io
import json
import os
import subprocess
import time
from itertools import count
from shutil import which

import numpy as np
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 60.0


def found() -> str | None:
    """Where Chromium is, if it is."""
    return next(filter(None, map(which, NAMES)), None)


class Chromium:
    """One page of a browser with a profile of its own.

    Attributes
    ----------
    requests : list of str
        Addresses that the page asked for; what is in the page itself, as a data: address, is none.
    complaints : list of str
        Whatever it logged, at any level, and exceptions that nobody caught.
    """

    def __init__(self, profile):
        # Chromium speaks through the files 3 and 4: both are taken here, so that no pipe of subprocess gets a number
        # that is overwritten in the child.
        kept = [os.open(os.devnull, os.O_RDONLY)]
        while kept[-1] < 4:
            kept.append(os.open(os.devnull, os.O_RDONLY))
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()

        def to_three_and_four():
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        self._process = subprocess.Popen(
            [
                found(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--window-size=1200,700",
                f"--user-data-dir={profile}",
                "--remote-debugging-pipe",
                "about:blank",
            ],
            preexec_fn=to_three_and_four,
            # Files of Python close by themselves, all but these two.
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for file in (commands, answers, *kept):
            os.close(file)
        self._received = b""
        self._numbers = count(1)
        self._session = None
        self.requests: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """The result of a command of Chromium's debugging protocol."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address):
        """Open a page and wait until it is loaded and has drawn."""
        self.call("Page.navigate", url=address)
        end = time.monotonic() + _SECONDS
        while self.value("document.readyState") != "complete":
            assert time.monotonic() < end
        self.settle()

    def settle(self):
        """Wait for two frames: what was asked for has been drawn then."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def value(self, expression):
        """Value of a JavaScript expression, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def resize(self, width, height):
        """Give the page a window of this size, in pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.settle()

    def prefer(self, scheme):
        """Tell pages that their reader prefers a "light" or a "dark" scheme."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def press(self, key):
        """Press and release a key, named as in KeyboardEvent.key."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def point_at(self, x, y):
        """Move the mouse to a place in the window, in pixels."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, selector):
        """Click the middle of an element, as the mouse does."""
        self.value(f"document.querySelector({selector!r}).scrollIntoView({{ block: 'nearest' }}), true")
        box = "(({ x, y, width, height }) => [x + width / 2, y + height / 2])"
        x, y = self.value(f"{box}(document.querySelector({selector!r}).getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.settle()

    def pixels(self):
        """What is seen in the window, (height, width, 3)."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            return np.array(image.convert("RGB"))

    def wait_for(self, condition):
        """Wait until a JavaScript condition holds."""
        waiting = f"(done => {{ const wait = () => {condition} ? done(true) : setTimeout(wait, 5); wait(); }})"
        self.value(f"new Promise({waiting})")

    def close(self):
        """End the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def _receive(self):
        while b"\0" not in self._received:
            piece = os.read(self._answers, 1 << 20)
            assert piece, "Chromium has ended"
            self._received += piece
        line, self._received = self._received.split(b"\0", 1)
        message = json.loads(line)
        kind, params = message.get("method"), message.get("params", {})
        if kind == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.requests.append(params["request"]["url"])
        elif kind == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif kind == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif kind == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        return message
