"""The page of the service in a real browser."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import uvicorn
from PIL import Image

from oddgan import VAE, service
from support.data import make_images, quick

pytestmark = pytest.mark.browser

TOKEN = "a token of this test"
EVIL = "<img src=x onerror=wrong()>"
FORMULA = "=1+1.png"


def make_rows(n=200):
    """Return normal rows; the name of one column must not become markup."""
    rng = np.random.default_rng(0)
    amount = rng.lognormal(3, 0.4, n)
    return pd.DataFrame({"amount": amount, "<b>size</b>": amount / 10 + rng.normal(0, 0.1, n)})


@pytest.fixture(scope="module")
def detectors():
    blobs, rows = quick(VAE).fit(make_images()), quick(VAE).fit(make_rows())
    other = quick(VAE, random_state=1).fit(make_images())
    condition = pd.DataFrame({"lamp": ["left", "right"] * 60, "hour": np.arange(120.0)})
    lit = quick(VAE).fit(make_images(), condition=condition)
    return {"blobs": blobs, "rows": rows, "other": other, "lit": lit}


@pytest.fixture(scope="module")
def serve(detectors):
    """Return a function that serves the detectors and returns the address."""
    running = []

    def start(**options):
        models = {name: service.Model(name, detector) for name, detector in detectors.items()}
        app = service.create_app(models, **options)
        listener = service.listen("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def address(serve):
    return serve(limits=service.Limits(explained=300))


@pytest.fixture(scope="module")
def files(tmp_path_factory, detectors):
    """Return the paths of images, one of them anomalous, with their scores and explanations."""
    folder = tmp_path_factory.mktemp("images")
    images = make_images()[:20]
    images[7] = 255 - images[7]
    names = [FORMULA, *(f"part {i}.png" for i in range(1, 20))]
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image).save(folder / name)
    return SimpleNamespace(
        paths=[folder / name for name in names],
        scores=dict(zip(names, detectors["blobs"].anomaly_score(images), strict=True)),
        explanation=detectors["blobs"].explain(images),
    )


class Page:
    """The page as a person uses it."""

    def __init__(self, browser):
        self.browser, self.driver = browser, browser.driver

    def all(self, css):
        return self.driver.find_elements("css selector", css)

    def one(self, css):
        return self.driver.find_element("css selector", css)

    def text(self, css):
        return self.one(css).text

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition):
        """Wait until a script is true."""
        script = "const [done] = arguments, ask = () => (%s) ? done() : setTimeout(ask, 20); ask()"
        self.driver.execute_async_script(script % condition)

    def choose(self, model):
        self.wait("document.querySelector('#model').options.length")
        self.one(f"#model option[value={model}]").click()

    def give(self, *paths):
        self.one("odd-drop input[type=file]").send_keys("\n".join(map(str, paths)))
        self.rest()

    def rest(self):
        """Wait until the page has nothing to do."""
        self.wait("document.querySelector('odd-progress').hidden")

    def press(self, css, *keys):
        self.one(css).send_keys(*keys)

    def saved(self, folder):
        """Download the CSV and read it."""
        self.one("odd-threshold .exact button:last-child").click()
        for _ in range(500):
            if paths := [path for path in folder.glob("*.csv") if path.stat().st_size]:
                return pd.read_csv(paths[0])
            time.sleep(0.02)
        raise AssertionError("nothing was downloaded")

    @property
    def status(self):
        return self.text("odd-threshold .flagged")


@pytest.fixture
def page(browser, address):
    browser.open(address)
    return Page(browser)


@pytest.fixture
def keys():
    return pytest.importorskip("selenium.webdriver").Keys


def test_images_are_scored_shown_decided_and_saved(page, keys, files, detectors, tmp_path):
    page.browser.expected_errors.append("422")  # of the garbage
    garbage = tmp_path / "garbage.png"
    garbage.write_bytes(b"\x89PNG no more")
    page.choose("blobs")
    page.give(*files.paths, garbage)
    threshold = detectors["blobs"].threshold_
    order = sorted(files.scores, key=files.scores.get, reverse=True)
    n_flagged = sum(score > threshold for score in files.scores.values())
    assert order[0] == "part 7.png"
    assert page.status == f"{n_flagged} of 20 samples flagged"
    assert "garbage.png: " in page.text("odd-problems li .message")
    assert page.text("odd-problems li strong") == "garbage.png"
    names = [row.text.split("\n")[0] for row in page.all("[role=option]")]
    assert names == order[: len(names)]
    assert page.text("odd-detail h2") == order[0]

    # The ends of the slider flag all and none; the model's threshold comes back.
    page.press("#slider", keys.HOME)
    assert page.status == "20 of 20 samples flagged"
    assert page.one("#slider").get_attribute("aria-valuetext").endswith("20 of 20 samples flagged")
    page.press("#slider", keys.END)
    assert page.status == "0 of 20 samples flagged"
    page.one("#only").click()
    assert page.text("odd-list .nothing").startswith("No sample scores above")
    third = files.scores[order[2]]
    page.run("document.querySelector('#threshold').value = ''")
    page.press("#threshold", repr(float(third)), keys.ENTER)
    assert page.status == "2 of 20 samples flagged"
    assert [row.text.split("\n")[0] for row in page.all("[role=option]")] == order[:2]

    saved = page.saved(tmp_path)
    assert list(saved["sample"][:20]) == ["'" + n if n == FORMULA else n for n in order]
    assert list(saved["anomaly_score"][:20]) == [files.scores[name] for name in order]
    assert list(saved["flagged"][:20]) == [True] * 2 + [False] * 18
    assert (saved["threshold"][:20] == third).all()
    assert saved["file"][20] == "garbage.png"
    assert "garbage.png" in saved["error"][20]
    assert len(saved) == 21

    page.one("odd-threshold .exact button").click()
    assert page.status == f"{n_flagged} of 20 samples flagged"


def test_maps_lie_over_the_images(page, keys, files):
    page.choose("blobs")
    page.give(files.paths[7])
    page.wait("document.querySelector('odd-detail canvas')")
    anomaly_map, mask = files.explanation.anomaly_map[7], files.explanation.anomaly_mask[7]
    pixels = """const c = document.querySelector('odd-detail canvas'), { width, height } = c;
        return [width, height, ...c.getContext('2d').getImageData(0, 0, width, height).data]"""
    width, height, *values = page.run(pixels)
    assert (height, width) == anomaly_map.shape
    alpha = np.reshape(values, (height, width, 4))[..., 3]
    order = np.argsort(anomaly_map, axis=None)
    assert (np.diff(alpha.flat[order]) >= 0).all()
    assert 0 < alpha.max() < 255  # the colours end at 1.5 pixel thresholds or more
    page.run("document.querySelector('odd-detail canvas').className = 'old'")
    page.one("#own").click()
    page.wait("document.querySelector('odd-detail canvas:not(.old)')")
    assert max(page.run(pixels)[5::4]) == 255  # now at the peak

    # The outline goes once around each masked pixel that has a neighbour outside.
    framed = np.pad(mask, 1).astype(int)
    length = sum(np.abs(np.diff(framed, axis=axis)).sum() for axis in (0, 1))
    total = "return document.querySelector('odd-detail .over').getTotalLength()"
    assert 0 < page.run(total) == pytest.approx(length)

    opacity = "return getComputedStyle(document.querySelector('odd-detail canvas')).opacity"
    assert float(page.run(opacity)) == 0.75
    page.press("#opacity", keys.HOME)
    assert float(page.run(opacity)) == 0
    page.one("#outline").click()
    assert not page.one("odd-detail .outline").is_displayed()
    assert [image.get_attribute("alt") for image in page.all("odd-detail img")] == [
        "The image part 7.png",
        "The nearest normal reconstruction",
    ]


def test_rows_are_explained_as_plain_text(page, detectors, tmp_path):
    rows = make_rows(30)
    rows.loc[4, "amount"] *= 50
    rows.to_csv(tmp_path / f"{EVIL}.csv", index=False)
    explanation = detectors["rows"].explain(rows)
    scores = detectors["rows"].anomaly_score(rows)
    page.choose("rows")
    page.give(next(tmp_path.glob("*.csv")))
    assert page.text("odd-detail h2") == f"Row {scores.argmax()}" == "Row 4"
    cells = [
        [c.text for c in row.find_elements("css selector", "th, td")]
        for row in page.all("tbody tr")
    ]
    names = np.array(explanation.columns)[np.argsort(-explanation.contributions[4])]
    assert [row[0] for row in cells] == list(names)
    for name, value, expected, contribution in cells:
        j = explanation.columns.index(name)
        assert float(value) == pytest.approx(rows.loc[4, name], rel=1e-3)
        assert float(expected) == pytest.approx(explanation.expected.iloc[4, j], rel=1e-3)
        assert float(contribution) == pytest.approx(explanation.contributions[4, j], rel=1e-3)
    assert not page.all("main tbody b, main .name *, main .why *, main img")


def test_many_rows_scroll_smoothly(page, keys, tmp_path):
    page.browser.expected_errors.append("413")  # too many to explain: sent again without
    make_rows(5000).to_parquet(tmp_path / "many.parquet")
    page.choose("rows")
    page.give(tmp_path / "many.parquet")
    assert page.status.endswith("of 5\u202f000 samples flagged")
    page.press("[role=listbox]", keys.END)
    options = page.all("[role=option]")
    assert 3 < len(options) < 60
    last = page.one("[role=option][aria-selected=true]")
    assert last.get_attribute("aria-posinset") == last.get_attribute("aria-setsize") == "5000"
    assert last.is_displayed()
    assert "too large for contributions" in page.text("odd-detail .notice")


def test_rows_of_a_long_csv_are_explained_when_selected(page, keys, detectors, tmp_path):
    rows = make_rows(400)
    rows.to_csv(tmp_path / "long.csv", index=False)
    page.choose("rows")
    page.give(tmp_path / "long.csv")
    order = np.argsort(-detectors["rows"].anomaly_score(rows), kind="stable")
    contributions = detectors["rows"].explain(rows).contributions
    for key, row in ((keys.HOME, order[0]), (keys.END, order[-1])):
        page.press("[role=listbox]", key)
        page.wait("document.querySelector('odd-detail tbody')")
        assert page.text("odd-detail h2") == f"Row {row}"
        contribution = float(page.text("tbody .contribution"))
        assert contribution == pytest.approx(contributions[row].max(), rel=1e-3)


def test_the_token_is_requested_and_stays_in_the_tab(browser, serve, keys, files):
    browser.expected_errors.append("401")
    browser.open(serve(token=TOKEN))
    page = Page(browser)
    page.wait("document.querySelector('dialog').open")
    page.press("#token", "something wrong", keys.ENTER)
    page.wait("document.querySelector('#token-why').textContent.includes('not accepted')")
    page.press("#token", TOKEN, keys.ENTER)
    page.choose("blobs")
    page.give(*files.paths[:2])
    assert page.status.endswith("of 2 samples flagged")
    browser.driver.refresh()
    page.choose("rows")
    assert not page.run("return document.querySelector('dialog').open")

    page.run("sessionStorage.clear(); location.reload()")
    page.wait("document.querySelector('dialog')?.open")
    page.press("#token", keys.ESCAPE)
    page.wait("!document.querySelector('odd-problems').hidden")
    assert "token" in page.text("odd-problems .message")


def test_unsent_files_can_be_sent_again(page, files):
    page.choose("blobs")
    cut = (
        "window.original = window.fetch; window.fetch = () => Promise.reject(new TypeError('cut'))"
    )
    page.run(cut)
    page.give(*files.paths)
    assert page.text("odd-problems h2") == "20 files could not be scored"
    assert "The service does not answer" in page.text("odd-problems .message")
    page.run("window.fetch = window.original")
    page.one("odd-problems li button").click()
    page.rest()
    assert page.status.endswith("of 20 samples flagged")
    assert not page.one("odd-problems").is_displayed()


def test_cancelling_keeps_the_scored_files(page, files):
    page.choose("blobs")
    # The second batch never gets a response.
    page.run("""const original = window.fetch; let n = 0;
        const never = ({ signal }) => new Promise((_, fail) =>
          signal.addEventListener('abort', () => fail(signal.reason)));
        window.fetch = (path, options) => (n++ ? never(options) : original(path, options))""")
    page.one("odd-drop input[type=file]").send_keys("\n".join(map(str, files.paths)))
    page.wait("document.querySelector('progress').value === 16")
    assert page.text("odd-progress p") == "Scored 16 of 20 files"
    page.one("odd-progress button").click()
    page.rest()
    assert page.status.endswith("of 16 samples flagged")
    assert page.text("odd-problems h2") == "4 files could not be scored"
    assert "You cancelled" in page.text("odd-problems .message")


def test_another_model_scores_the_same_files(page, files, detectors):
    page.choose("blobs")
    page.give(*files.paths[:3])
    page.choose("other")
    assert not page.one("#results").is_displayed()
    page.one("odd-drop .buttons button:nth-child(2)").click()
    page.rest()
    scores = detectors["other"].anomaly_score(make_images()[:3])
    page_scores = [float(score.text) for score in page.all("[role=option] .score")]
    assert page_scores == pytest.approx(sorted(scores, reverse=True), rel=1e-3)
    assert page.run("return document.querySelector('odd-drop .buttons button:nth-child(2)').hidden")


def test_the_page_has_fields_for_the_condition_of_images(page, files, detectors):
    page.choose("lit")
    page.press("odd-drop [name=lamp]", "right")
    page.press("odd-drop [name=hour]", "110.5")
    page.give(files.paths[7])
    condition = pd.DataFrame({"lamp": ["right"], "hour": [110.5]})
    image = 255 - make_images()[7:8]
    score = detectors["lit"].anomaly_score(image, condition=condition)[0]
    assert float(page.text("[role=option] .score")) == pytest.approx(score, rel=1e-3)
    other = condition.assign(lamp="left", hour=0.0)
    assert detectors["lit"].anomaly_score(image, condition=other)[0] != pytest.approx(
        score, rel=1e-2
    )


def test_all_controls_have_a_name_and_work_by_keyboard(page, keys, files):
    page.choose("blobs")
    page.give(*files.paths[:5])
    for control in page.all("main :is(button, input, select, [tabindex='0']), header select"):
        if control.is_displayed() and control.get_attribute("aria-hidden") != "true":
            assert control.accessible_name, control.get_attribute("outerHTML")
    names = [name.text for name in page.all("[role=option] .name")]
    listbox = "[role=listbox]"
    page.press(listbox, keys.ARROW_DOWN, keys.ARROW_DOWN)
    assert page.text("odd-detail h2") == names[2]
    active = page.one(listbox).get_attribute("aria-activedescendant")
    assert page.one(f"#{active}").text.startswith(names[2])
    page.press(listbox, keys.ENTER)
    assert page.driver.switch_to.active_element.text == names[2]
    page.wait("document.querySelector('#status').textContent.includes('of 5 samples flagged')")


def test_a_phone_shows_the_list_or_a_sample(browser, address, files):
    browser.open(address, width=360, height=740, dark=True)
    page = Page(browser)
    page.choose("blobs")
    page.give(*files.paths[:5])
    assert page.run("return document.documentElement.scrollWidth") == 360
    assert not page.one("odd-detail").is_displayed()
    page.one("[role=option]").click()
    assert page.one("odd-detail").is_displayed()
    assert not page.one("odd-list").is_displayed()
    assert page.run("return document.documentElement.scrollWidth") == 360
    page.one("odd-detail .back").click()
    assert page.driver.switch_to.active_element.aria_role == "listbox"


@pytest.fixture
def module(page):
    """Return a function that runs a script with a module of the page."""

    def ask(name, script, *arguments):
        load = (
            "const done = arguments[arguments.length - 1]; import(arguments[0]).then(async (m) => "
        )
        return page.driver.execute_async_script(
            f"{load}done({script}))", f"./{name}.js", *arguments
        )

    return ask


def test_a_bad_file_is_isolated(module):
    script = """await (async () => {
      const outcome = { scored: [], refused: [], sizes: [] };
      const files = [...Array(40).keys()].map((i) => ({ name: `${i}.png`, size: 2 ** 20 }));
      const send = async (part) => {
        outcome.sizes.push(part.length);
        if (part.some(({ name }) => ['3.png', '17.png'].includes(name))) throw { status: 422 };
      };
      const tell = {
        scored: (part) => outcome.scored.push(...part.map((f) => f.name)),
        refused: ([file]) => outcome.refused.push(file.name),
      };
      await m.upload(files, send, tell, new AbortController().signal);
      return outcome;
    })()"""
    outcome = module("upload", script)
    assert outcome["refused"] == ["3.png", "17.png"]
    assert outcome["scored"] == [f"{i}.png" for i in range(40) if i not in (3, 17)]
    assert max(outcome["sizes"]) == 8  # of a MiB each


def test_a_table_is_split_only_at_line_breaks_between_records(module):
    text = 'a,"b\n""c"""\r\n\n1,"2\n\n3"\n4,5'
    assert module("scoring", "m.records(arguments[1])", text) == [
        'a,"b\n""c"""\n',
        '1,"2\n\n3"\n',
        "4,5\n",
    ]


def test_requests_to_a_busy_service_are_repeated(module):
    script = """await (async () => {
      let n = 0;
      const send = async () => { if (n++ < 2) throw { status: 503, wait: 0.01 }; };
      const scored = [];
      const tell = { scored: (part) => scored.push(part.length), refused: () => scored.push(null) };
      await m.upload([{ name: 'a.png', size: 1 }], send, tell, new AbortController().signal);
      return [n, scored];
    })()"""
    assert module("upload", script) == [3, [1]]


def test_cells_are_not_formulas(module):
    values = ["=1+1", " @x", "\t-2", "+", "plain", 'a "b", c', -1.5, None, "-2"]
    expected = ["'=1+1", "' @x", "'\t-2", "'+", "plain", '"a ""b"", c"', "-1.5", "", "'-2"]
    cells = module("csv", "arguments[1].map(m.cell)", values)
    assert [cell if cell.startswith('"a') else cell.strip('"') for cell in cells] == expected


def test_the_axis_has_a_position_for_every_score(module):
    scores = [1e9, 40.0, 3.0, 2.5, 2.0, 2.0, 1.0, -7.0]
    script = """(({ at, value }) => arguments[1].map((s) => [at(s), value(at(s))]))
        (m.axis(arguments[1], [5e9]))"""
    positions, values = np.transpose(module("scale", script, scores))
    assert (np.diff(positions) <= 0).all()
    assert ((positions > 0) & (positions < 1)).all()
    np.testing.assert_allclose(values, scores, rtol=1e-6)
    above = module("scale", "[1e9, 3, 2, -7, -8].map((t) => m.above(arguments[1], t))", scores)
    assert above == [0, 2, 4, 7, 8]
