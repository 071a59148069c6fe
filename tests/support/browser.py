"""A real browser for tests of pages: headless Chromium, driven by Selenium.

The fixture ``browser`` is a fresh page for each test. When the test ends it fails the test if the
page wrote an error to the console that is not in ``expected_errors``, or asked any host but this
machine for anything.
"""

import json
import os
import shutil
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--force-prefers-reduced-motion",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no name leads out of here
    "--no-first-run",
)


class Browser:
    """A page in Chromium.

    Attributes
    ----------
    driver : selenium.webdriver.Chrome
        What drives it: ``find_element``, ``execute_script`` and so on.
    expected_errors : list of str
        Parts of console errors that the test provokes, such as ``"401"``.
    requests : list of str
        Addresses that the page has asked for, files and ``data:`` addresses included.
    """

    def __init__(self, driver):
        self.driver = driver
        self.expected_errors = []
        self.requests = []
        self._errors = []

    def open(self, address, *, width=1280, height=900, dark=False):
        """Open an address, or a file, in a window of this many CSS pixels, light or dark."""
        self.show_as(width=width, height=height, dark=dark)
        self.driver.get(address if "://" in str(address) else address.absolute().as_uri())

    def show_as(self, *, width=1280, height=900, dark=False):
        """Change the window's size, and whether the person prefers dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wish]})

    def errors(self):
        """Return the errors that the console has shown so far and no one expected."""
        self._errors += [e for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]
        messages = [error["message"] for error in self._errors]
        return [m for m in messages if not any(part in m for part in self.expected_errors)]

    def strangers(self):
        """Return the addresses on other hosts that the page has asked for so far."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
        hosts = {None, "127.0.0.1"}  # files and data: addresses have none
        return [url for url in self.requests if urlsplit(url).hostname not in hosts]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """Start Chromium once for all tests of a process."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="no browser: Selenium is missing")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    chauffeur = shutil.which("chromedriver")
    if program is None or chauffeur is None:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in OPTIONS:
        options.add_argument(option)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses to run as root with one
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    downloads = str(tmp_path_factory.mktemp("downloads"))
    options.add_experimental_option("prefs", {"download.default_directory": downloads})
    driver = webdriver.Chrome(options, webdriver.ChromeService(chauffeur))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium, tmp_path):
    """Return a fresh page; its downloads go to ``tmp_path``."""
    chromium.switch_to.new_window("tab")
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chromium.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    for log in ("browser", "performance"):
        chromium.get_log(log)  # what an earlier test left
    page = Browser(chromium)
    yield page
    errors, strangers = page.errors(), page.strangers()
    chromium.close()  # with it its sessionStorage
    chromium.switch_to.window(chromium.window_handles[0])
    assert not errors
    assert not strangers
