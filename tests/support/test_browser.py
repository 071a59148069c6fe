"""The browser that tests use sees what a page does wrong."""

import pytest

pytestmark = pytest.mark.browser

PAGE = """<!doctype html><title>t</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<p>{text}</p><script>{script}</script>"""


@pytest.fixture
def page(tmp_path):
    def write(script):
        path = tmp_path / "page.html"
        path.write_text(PAGE.format(text="here", script=script))
        return path

    return write


def test_a_sound_page_opens_in_the_size_and_colours_asked_for(browser, page):
    browser.open(page(""), width=360, dark=True)
    ask = "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"
    assert browser.driver.execute_script(ask) == [360, True]
    assert browser.errors() == browser.strangers() == []
    assert [url.rpartition("/")[2] for url in browser.requests if "file" in url] == ["page.html"]


def test_errors_and_requests_to_strangers_are_seen(browser, page):
    browser.open(page("new Image().src = 'http://example.org/x.png'; wrong()"))
    browser.driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert any("wrong is not defined" in error for error in browser.errors())
    assert browser.strangers() == ["http://example.org/x.png"]
    browser.requests.clear()
    browser.expected_errors += ["wrong is not defined", "example.org"]
    assert browser.errors() == []
