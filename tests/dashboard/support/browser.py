"""A real headless Chromium that looks at the page."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

from tests.support import await_true

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # root, as in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """One window of Chromium; all of its questions are about the page that it shows."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def look_like(self, *, width: int, height: int, dark: bool) -> None:
        """Take a size in CSS pixels, and the colours that the system prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def run(self, script: str, *arguments: object) -> Any:
        """The value of a function's body in the page."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """The text of the first element; empty where there is none."""
        found = self.run("return document.querySelector(arguments[0])?.textContent", selector)
        return str(found or "").strip()

    def texts(self, selector: str) -> list[str]:
        """The texts of all elements, in the order of the document."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent.trim())"
        )
        return [str(text) for text in self.run(script, selector)]

    def attribute(self, selector: str, name: str) -> str | None:
        """An attribute of the first element."""
        script = "return document.querySelector(arguments[0]).getAttribute(arguments[1])"
        value = self.run(script, selector, name)
        return None if value is None else str(value)

    def focused(self, name: str) -> str | None:
        """An attribute of the element that has the keyboard."""
        value = self.run("return document.activeElement.getAttribute(arguments[0])", name)
        return None if value is None else str(value)

    def press(self, *keys: str) -> None:
        """Type on the keyboard."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self, selector: str) -> None:
        """Click as a person does: on what lies on top there."""
        self.driver.find_element("css selector", selector).click()

    def await_text(self, selector: str, text: str) -> None:
        """Wait until an element's text is as said."""
        await_true(
            lambda: self.text(selector) == text,
            f"{selector} to be {text!r}",
            timeout=30.0,
        )

    def await_pulse(self, state: str) -> None:
        """Wait until the page says how it is: live, stale, down, lost, empty."""
        await_true(
            lambda: self.attribute("#pulse", "data-state") == state,
            f"the page to be {state}",
            timeout=30.0,
        )

    def complaints(self) -> list[str]:
        """What the console has said since the last look: errors, warnings, refusals by the CSP."""
        lines = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(line["message"]) for line in lines]

    def hosts(self) -> set[str]:
        """The hosts that the page has asked for anything since the last look."""
        messages = [
            json.loads(line["message"])["message"]
            for line in self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        ]
        urls = [
            urlsplit(message["params"]["request"]["url"])
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return {url.netloc for url in urls if url.scheme in {"http", "https", "ws", "wss"}}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A fresh Chromium with a profile of its own, gone at the end."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in _FLAGS:
        options.add_argument(flag)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    service = Service(shutil.which("chromedriver") or "chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    try:
        browser = Browser(driver)
        browser.look_like(width=1440, height=1000, dark=False)
        yield browser
    finally:
        driver.quit()
