"""The report: its numbers match the detector, and it is one small file that loads nothing."""

import base64
import io
import itertools
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from oddgan import PCAReconstruction, cli, decisions, reports
from oddgan.reports.report import words
from oddgan.reports.report.axis import Axis, histogram
from oddgan.reports.report.steps import Steps
from support.data import fitted, quick

NASTY = "<script>alert(1)</script>"


class Page(HTMLParser):
    """A parsed report: texts by id, tags, addresses and headings."""

    VOID = ("meta", "br", "img", "input", "source", "path", "link")

    def __init__(self, path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.open, self.ids, self.tags, self.addresses = [], {}, [], []
        self.headings, self.samples, self.body_text = [], [], ""
        self.feed(self.text)
        self.close()
        assert self.open == []
        self.scores = json.loads(self.ids["scores"])

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action")]
        if tag not in self.VOID:
            self.open.append((tag, attributes.get("id")))
        if "data-score" in attributes:
            self.samples.append(attributes)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for tag, element_id in self.open:
            if element_id:
                self.ids[element_id] = self.ids.get(element_id, "") + data
            if re.fullmatch("h[1-6]", tag):
                self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)
        if not any(tag in ("script", "style") for tag, _ in self.open):
            self.body_text += data

    def facts(self):
        return dict(re.findall(r"<dt>([^<]*)</dt><dd>(?:<code>)?([^<]*)", self.text))

    def attributes_of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def decoded(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


@pytest.fixture(scope="module")
def rows():
    """Correlated rows with text and a hostile name; the first 30 are anomalous in one column."""
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame({"kind": rng.choice(["a", NASTY], n), "amount": rng.normal(50, 5, n)})
    frame["tax"] = 0.2 * frame["amount"] + rng.normal(0, 0.1, n)
    frame[NASTY] = rng.normal(size=n)
    frame.loc[:29, "tax"] += rng.uniform(2, 9, 30)
    return frame


@pytest.fixture(scope="module")
def model(rows):
    return quick(PCAReconstruction, latent_dim=2, health=True).fit(rows.iloc[150:])


@pytest.fixture(scope="module")
def labels():
    return (np.arange(150) < 30).astype(int)


@pytest.fixture(scope="module")
def page(model, rows, labels, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    return Page(reports.write_report(model, rows.iloc[:150], path, labels))


# ---------------------------------------------------------------------- content of the page


def test_every_number_at_the_threshold_matches_the_detector(page, model, rows, labels):
    scores = model.anomaly_score(rows.iloc[:150])
    flagged, is_anomaly = scores > model.threshold_, labels == 1
    n_flagged, n_detected = int(flagged.sum()), int((flagged & is_anomaly).sum())
    assert 0 < n_detected < 30 or n_detected == 30
    assert page.ids["at"] == words.figure(model.threshold_)
    assert page.ids["flagged"] == str(n_flagged)
    assert page.ids["flagged-share"] == words.percent(n_flagged / 150)
    above = int((model.calibration_scores_ > model.threshold_).sum())
    assert page.ids["promised"] == words.percent((1 + above) / (len(model.calibration_scores_) + 1))
    assert page.ids["detected"] == str(n_detected)
    assert page.ids["recall"] == words.percent(n_detected / 30)
    assert page.ids["precision"] == words.percent(n_detected / n_flagged)
    assert page.ids["alarms"] == str(n_flagged - n_detected)
    assert page.ids["alarm-rate"] == words.percent((n_flagged - n_detected) / 120)
    assert page.ids["cost"] == words.amount(10 * (30 - n_detected) + n_flagged - n_detected)
    assert (
        f"{n_flagged} of 150 samples ({words.percent(n_flagged / 150)}) are flagged"
        in page.body_text
    )
    assert f"probability {words.figure(roc_auc_score(labels, scores))} (AUROC" in page.body_text


def test_the_most_anomalous_come_first_with_score_p_value_and_label(page, model, rows):
    scores, p_values = model.anomaly_score(rows.iloc[:150]), model.p_value(rows.iloc[:150])
    oddest = np.argsort(-scores)[:12]
    assert [float(sample["data-score"]) for sample in page.samples[:12]] == scores[oddest].tolist()
    names = [text for level, text in page.headings if level == 3]
    assert names[:12] == [f"row {i}" for i in oddest]
    first = oddest[0]
    assert (
        f"score {words.figure(scores[first])}, p-value {words.figure(p_values[first], 3)}, "
        "labelled anomalous"
    ) in " ".join(page.body_text.split())


def test_borderline_samples_are_nearest_to_the_threshold_on_both_sides(page, model, rows):
    scores = model.anomaly_score(rows.iloc[:150])
    rest = np.sort(scores)[::-1][12:]
    above = rest[rest > model.threshold_]
    below = rest[rest <= model.threshold_]
    n_above = min(3, len(above))
    expected = [*above[len(above) - n_above :], *below[: 6 - n_above]]
    assert [float(sample["data-score"]) for sample in page.samples[12:]] == expected


def test_columns_have_value_expected_value_and_share(page, model, rows):
    first = int(np.argmax(model.anomaly_score(rows.iloc[:150])))
    explanation = model.explain(rows.iloc[[first]])
    top = explanation.to_frame(5)
    shares = top["contribution"] / explanation.contributions.sum()
    table = page.text.split("<tbody>")[1].split("</tbody>")[0]
    cells = re.findall(r"<th scope=\"row\">(.*?)</th><td>(.*?)</td><td>(.*?)</td>.*?>(.*?)<", table)
    assert len(cells) == 4
    for (name, value, expected, share), line, expected_share in zip(
        cells, top.itertuples(), shares, strict=True
    ):
        escaped = {NASTY: "&lt;script&gt;alert(1)&lt;/script&gt;"}
        assert name == escaped.get(line.column, line.column)
        assert value == escaped.get(line.value, words.cell(line.value))
        assert expected == escaped.get(line.expected, words.cell(line.expected))
        assert share == words.percent(expected_share)


def test_the_end_lists_data_model_and_versions(page, model):
    facts = page.facts()
    assert facts["detector"].startswith("PCAReconstruction (")
    assert facts["samples"] == "150"
    assert facts["labels"] == "30 anomalous"
    assert re.fullmatch("sha256:[0-9a-f]{64}", facts["digest"])
    assert "latent_dim=2" in facts["parameters"]
    assert "epochs" not in facts["parameters"]
    assert facts["trained on"] == f"{model.n_train_} samples"
    assert float(facts["threshold"]) == model.threshold_
    assert "oddgan" in facts["fitted with"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", facts["date"])


def test_the_digest_is_of_the_samples(model, rows, tmp_path):
    path = tmp_path / "r.html"
    same = [Page(reports.write_report(model, rows.iloc[:9], path)).facts()["digest"] for _ in "ab"]
    changed = rows.iloc[:9].copy()
    changed.loc[0, "amount"] += 1e-9
    other = Page(reports.write_report(model, changed, path)).facts()["digest"]
    assert same[0] == same[1] != other


def test_without_labels_the_page_mentions_no_labels(model, rows, tmp_path):
    page = Page(reports.write_report(model, rows.iloc[:150], tmp_path / "r.html"))
    assert not {"detected", "recall", "precision", "cost", "cost-missed"} & page.ids.keys()
    assert "labelled" not in page.body_text
    assert page.scores["anomalous"] is None
    assert "If all 150 were normal, about 7.5 would be flagged" in page.body_text


def test_labels_of_one_class_are_accepted(model, rows, tmp_path):
    for label in (0, 1):
        path = reports.write_report(model, rows.iloc[:20], tmp_path / "r.html", [label] * 20)
        page = Page(path)
        assert ("detected" in page.ids) == bool(label)
        assert "Comparison with the labels" not in page.body_text


def test_an_unsound_fit_is_reported_first_with_the_remedy(rows, tmp_path):
    with pytest.warns(UserWarning, match="nothing will be flagged: .* there are 9"):
        small_fit = quick(PCAReconstruction, health=True).fit(rows.iloc[300:390])
    page = Page(reports.write_report(small_fit, rows.iloc[:150], tmp_path / "r.html"))
    failed = small_fit.health_[0]
    head = page.body_text[: page.body_text.index("Samples with scores above the threshold")]
    assert failed.name in head
    assert (
        "No sample is flagged: a promise of 5 % takes 19 held-out samples, and there are 9" in head
    )
    assert "would be flagged" not in head
    assert f"{failed.remedy}." in page.body_text


def test_the_page_says_if_training_samples_are_included(model, rows, tmp_path):
    origin = reports.Origin(data="mine", command="oddgan report <b>", trained=True)
    page = Page(reports.write_report(model, rows.iloc[:9], tmp_path / "r.html", origin=origin))
    assert "Some of these samples were used for training." in page.body_text
    assert page.facts()["data"] == "mine"
    assert "<code>oddgan report &lt;b&gt;</code>" in page.text


# ---------------------------------------------------------------------------- form of the page


def test_the_page_loads_nothing_and_escapes_everything(page):
    policy = next(a["content"] for a in page.attributes_of("meta") if "http-equiv" in a)
    assert policy == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    )
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {t for t, _ in page.tags}
    outside = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"data:[^\"]*", "", page.text))
    assert outside == []
    assert NASTY not in page.text
    assert [a.get("type") for a in page.attributes_of("script")] == ["application/json", None]
    for address in page.addresses:
        if address.startswith("data:image/svg"):
            svg = base64.b64decode(address.partition(",")[2]).decode()
            hosts = set(re.findall(r"//([\w.]+)", svg))
            assert hosts <= {"www.w3.org"}  # namespaces, which are never requested
            assert "DOCTYPE" not in svg


def test_the_page_is_accessible_to_screen_readers(page):
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert {"header", "nav", "main"} <= {tag for tag, _ in page.tags}
    assert all(image["alt"] for image in page.attributes_of("img"))
    assert all(cell["scope"] in ("row", "col") for cell in page.attributes_of("th"))
    assert page.text.count("<table") == page.text.count("<caption")
    assert [a for _, a in page.tags if a.get("aria-live") == "polite"]
    assert page.attributes_of("html")[0]["lang"] == "en"
    jumps = {a["href"][1:] for a in page.attributes_of("a")}
    assert jumps <= {a.get("id") for _, a in page.tags}


def luminance(colour):
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_text_has_contrast_in_light_in_dark_and_on_paper(page):
    themes = re.findall(r":root \{([^}]*)\}", page.text.split("</style>")[0])
    light, dark, paper = ({}, {}, {})
    for block, theme in zip(themes, (light, dark, paper, light, dark, paper), strict=True):
        theme.update(re.findall(r"--(\w+): (#\w+)", block))
    for theme in (light, dark, paper):
        for ink in ("ink", "soft", "accent"):
            for ground in {"paper", "band", "tint"} & theme.keys():
                if (ink, ground) in {("soft", "tint"), ("accent", "tint")}:
                    continue  # no such text there
                bright, dim = sorted(luminance(theme[k]) for k in (ink, ground))[::-1]
                assert (bright + 0.05) / (dim + 0.05) >= 4.5, (ink, ground, theme)


def test_a_report_on_many_large_images_is_small(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (70, 240, 240, 3), dtype=np.uint8)
    model = quick(PCAReconstruction, image_size=16).fit(noise[:40])
    path = reports.write_report(
        model, noise, tmp_path / "r.html", np.arange(70) % 2, n_oddest=40, n_borderline=20
    )
    page = Page(path)
    assert path.stat().st_size < 5_000_000
    assert len(page.samples) == 60
    assert len(page.attributes_of("img")) >= 180
    with pytest.raises(
        ValueError, match="0 to 60 samples in all, not n_oddest=61 and n_borderline=6"
    ):
        reports.write_report(model, noise, tmp_path / "no.html", n_oddest=61)
    assert not (tmp_path / "no.html").exists()


def test_images_have_a_reconstruction_and_a_map(images, tmp_path):
    model = fitted(PCAReconstruction, "image")
    new = images.copy()
    new[7, 2:5, 6:9] = 255
    page = Page(reports.write_report(model, new, tmp_path / "r.html", n_oddest=1, n_borderline=0))
    oddest = int(np.argmax(model.anomaly_score(new)))
    assert oddest == 7
    pictures = {
        a["alt"]: np.asarray(Image.open(io.BytesIO(base64.b64decode(a["src"].partition(",")[2]))))
        for a in page.attributes_of("img")
        if a["src"].startswith("data:image/png") and a["alt"].endswith("row 7")
    }
    np.testing.assert_array_equal(pictures["Input of row 7"], new[7])
    expected = model.reconstruct(new[[7]])[0]
    np.testing.assert_array_equal(pictures["Reconstruction of row 7"], expected)
    colours = pictures["Anomaly map of row 7"].astype(int).sum(-1)
    assert colours.shape == (8, 10)
    assert colours.argmax() == model.explain(new[[7]]).anomaly_map[0].argmax()


def test_files_of_several_sizes_and_hostile_names_are_shown(images, tmp_path):
    folder = tmp_path / "tiles"
    folder.mkdir()
    name = "<img src=x onerror=alert(1)>.png"
    for i, image in enumerate(images[:12]):
        big = np.kron(image, np.ones((2, 2 + i % 2), np.uint8))
        Image.fromarray(big).save(folder / (name if i == 0 else f"{i}.png"))
    (folder / "broken.png").write_bytes(b"not an image")
    model = quick(PCAReconstruction, image_size=(8, 10)).fit(images)
    source = model.source(folder, skip_bad=True)
    page = Page(reports.write_report(model, source, tmp_path / "r.html", n_oddest=12))
    names = [text for level, text in page.headings if level == 3]
    assert set(names[:12]) == {name, *(f"{i}.png" for i in range(1, 12))}
    assert not [image for image in page.attributes_of("img") if image.get("src") == "x"]
    assert page.facts()["left out"] == "1 unreadable file: broken.png"
    maps = [image for image in page.attributes_of("img") if image["alt"].startswith("Anomaly map")]
    assert len(maps) == 12


# ------------------------------------------------------------------------ table of thresholds


def test_few_scores_are_all_stored_and_counted():
    scores, held_out = np.array([1.0, 2.0, 2.0, 5.0]), np.array([0.5, 2.0, 3.0])
    steps = Steps.of(scores, np.array([False, True, False, True]), held_out, 4.0)
    assert steps.exact
    assert steps.thresholds.tolist() == [0.5, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert steps.flagged.tolist() == [4, 3, 1, 1, 1, 0]
    assert steps.anomalous.tolist() == [2, 2, 1, 1, 1, 0]
    assert steps.held_out.tolist() == [2, 2, 1, 0, 0, 0]
    assert steps.at(2.0) == (1, 1, 1)
    assert steps.widest == 0
    packed = steps.packed()
    np.testing.assert_array_equal(decoded(packed["thresholds"], "<f8"), steps.thresholds)
    np.testing.assert_array_equal(decoded(packed["flagged"], "<u4"), steps.flagged)


def test_many_scores_give_few_steps_with_exact_counts():
    rng = np.random.default_rng(0)
    scores, labels = rng.lognormal(size=500_000), rng.random(500_000) < 0.001
    held_out = rng.lognormal(size=1000)
    steps = Steps.of(scores, labels, held_out, 3.5)
    assert not steps.exact
    assert len(json.dumps(steps.packed())) < 400_000
    assert 3.5 in steps.thresholds
    for i in (0, 17, len(steps.thresholds) // 2, -1):
        at = steps.thresholds[i]
        assert steps.flagged[i] == (scores > at).sum()
        assert steps.anomalous[i] == (scores[labels] > at).sum()
        assert steps.held_out[i] == (held_out > at).sum()
    ordered = np.sort(scores)
    below = np.searchsorted(ordered, steps.thresholds[1:], side="left")
    above = np.searchsorted(ordered, steps.thresholds[:-1], side="right")
    assert 0 < steps.widest == (below - above).max() <= 500_000 / 3000 + 2


@pytest.mark.parametrize(
    ("middle", "far", "kind"), [(5, 3, "linear"), (5, 1e5, "log"), (500, 1e5, "arsinh")]
)
def test_positions_of_scores_match_the_bins_of_the_histogram(middle, far, kind):
    rng = np.random.default_rng(0)
    held_out = rng.normal(middle, 1, 300)
    scores = np.r_[rng.normal(middle, 1, 500), middle + far]
    axis = Axis.of(scores, held_out)
    assert axis.kind == kind
    at = axis.positions(np.sort(scores))
    assert (np.diff(at) >= 0).all()
    assert 0 < at[0] < 0.05
    assert 0.95 < at[-1] < 1
    ticks = axis.ticks()
    assert len(ticks) >= 3
    for position, text in ticks:
        assert position == pytest.approx(float(axis.positions(np.array([float(text)]))[0]))
    (outline,), highest = histogram(axis, {"all": scores})
    tops = [100 - float(y) for y in re.findall(r"V([\d.]+)H", outline.path)]
    assert sum(tops) / 100 * highest == pytest.approx(1, abs=1e-3)


def test_numbers_have_a_short_format():
    texts = [words.figure(x) for x in (0, 0.5, 35.24922, 123456.7, 1e6, 1.5e-5, -2.0, 1e100)]
    assert texts == ["0", "0.5", "35.25", "123500", "1.00e6", "1.50e-5", "-2", "1.00e100"]
    assert [words.percent(x) for x in (0.5, 0.99977, 1, 0.99999, 0, 1 / 3)] == [
        "50 %", "99.98 %", "100 %", "99.999 %", "0 %", "33.3 %",
    ]  # fmt: skip
    assert [words.amount(x) for x in (10462, 0.25, 1234567)] == ["10,462", "0.25", "1,234,570"]
    assert [words.cell(x) for x in (None, float("nan"), 0.25, "x" * 99)] == [
        "missing", "missing", "0.25", "x" * 59 + "…",
    ]  # fmt: skip


# ------------------------------------------------------------------------------ invalid input


def test_invalid_labels_and_empty_data_raise_errors(model, rows, tmp_path):
    path = tmp_path / "r.html"
    with pytest.raises(ValueError, match=r"labels must be 0 .* for each of the 9 samples"):
        reports.write_report(model, rows.iloc[:9], path, [0] * 8)
    with pytest.raises(ValueError, match="labels must be 0"):
        reports.write_report(model, rows.iloc[:9], path, [2] * 9)
    with pytest.raises(ValueError, match="there are no samples"):
        reports.write_report(model, rows.iloc[:0], path)
    assert not path.exists()


# ------------------------------------------------------------------------------- in the browser


@pytest.mark.browser
def test_the_slider_updates_all_counts(browser, model, rows, labels, tmp_path):
    path = reports.write_report(model, rows.iloc[:150], tmp_path / "r.html", labels)
    static_page = Page(path)
    browser.open(path)
    scores, is_anomaly = model.anomaly_score(rows.iloc[:150]), labels == 1

    def text(name):
        return browser.driver.execute_script(
            "return document.getElementById(arguments[0]).textContent", name
        )

    def move(name, value):
        browser.driver.execute_script(
            "const e = document.getElementById(arguments[0]); e.value = arguments[1];"
            "e.dispatchEvent(new Event('input'))",
            name,
            value,
        )

    numbers = ("at", "flagged", "flagged-share", "promised", "detected", "recall", "precision",
             "alarms", "alarm-rate", "cost")  # fmt: skip
    assert {name: text(name) for name in numbers} == {
        name: static_page.ids[name] for name in numbers
    }
    ordered = np.sort(scores)
    for threshold in (ordered[0] - 1, ordered[75], (ordered[120] + ordered[121]) / 2, ordered[-1]):
        move("number", repr(float(threshold)))
        flagged = scores > threshold
        n_detected, n_flagged = int((flagged & is_anomaly).sum()), int(flagged.sum())
        next_score = np.nextafter(threshold, np.inf)
        p_value = decisions.conformal_p_values([next_score], model.calibration_scores_)[0]
        assert text("flagged") == str(n_flagged)
        assert text("promised") == words.percent(p_value)
        assert text("recall") == words.percent(n_detected / 30)
        assert text("cost") == words.amount(10 * (30 - n_detected) + n_flagged - n_detected)
        badges = browser.driver.execute_script(
            "return [...document.querySelectorAll('.sample')].map(s => "
            "[Number(s.dataset.score), s.querySelector('.badge').textContent])"
        )
        assert all((badge == "flagged") == (score > threshold) for score, badge in badges)
    assert text("precision") == "none flagged"
    move("cost-missed", 3)
    move("cost-false", 2)
    browser.driver.execute_script("document.getElementById('least').click()")
    best = decisions.cost_threshold(labels, scores, cost_missed=3, cost_false_alarm=2)
    assert text("cost") == words.amount(best.expected_cost * 150)
    assert int(text("flagged")) == round(best.flagged_share * 150)
    browser.driver.execute_script("document.getElementById('reset').click()")
    assert text("flagged") == static_page.ids["flagged"]
    slider = browser.driver.find_element("id", "slider")
    before = int(text("flagged"))
    slider.send_keys(*["\ue012"] * 200)  # the left arrow: lower, so more are flagged
    assert int(text("flagged")) > before
    marker = browser.driver.execute_script("return document.getElementById('marker').style.left")
    axis = Axis.of(scores, model.calibration_scores_)
    at = browser.driver.execute_script("return document.getElementById('number').valueAsNumber")
    expected = 100 * float(axis.positions(np.array([at]))[0])
    assert float(marker.rstrip("%")) == pytest.approx(expected)


@pytest.mark.browser
def test_a_page_with_few_steps_moves_from_one_to_the_next(browser, tmp_path):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(40_000, 2)) @ np.ones((2, 3)) + rng.normal(size=(40_000, 3))
    model = quick(PCAReconstruction, latent_dim=1).fit(data[:2000])
    browser.open(reports.write_report(model, data, tmp_path / "r.html"))
    scores = model.anomaly_score(data)
    for slider_value in (60, 90, 120, 150):
        at, flagged = browser.driver.execute_script(
            "const e = document.getElementById('slider'); e.value = arguments[0];"
            "e.dispatchEvent(new Event('input'));"
            "return [document.getElementById('number').valueAsNumber, "
            "document.getElementById('flagged').textContent]",
            slider_value,
        )
        assert flagged == f"{(scores > at).sum():,}"
        assert at in scores
    assert 0 < (scores > at).sum() < 40_000


@pytest.mark.browser
def test_the_page_never_scrolls_sideways(browser, model, rows, labels, tmp_path):
    origin = reports.Origin(data="x" * 200, command="oddgan report " + "y" * 200)
    path = reports.write_report(
        model, rows.iloc[:50], tmp_path / "r.html", labels[:50], origin=origin, title="z" * 120
    )
    for width in (360, 1280):
        browser.open(path, width=width, dark=True)
        wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
        assert wide == width


# -------------------------------------------------------------------------- the command line


@pytest.fixture
def run_command(monkeypatch, tmp_path):
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_command(*words):
        monkeypatch.setattr("sys.argv", ["oddgan", *words])
        return CliRunner().invoke(cli.app, words)

    return run_command


def test_command_line_reports_use_rows_outside_the_training_set(run_command, rows, tmp_path):
    labelled = rows[["amount", "tax"]].assign(bad=(np.arange(400) < 30).astype(int))
    labelled.to_csv("rows.csv", index=False)
    small = ("--set", "latent_dim=1", "--set", "health=false", "--quiet")
    fit = ("fit", "pcareconstruction", "rows.csv", "--out", "m", "--label", "bad", *small)
    assert run_command(*fit, "--report", "fit.html").exit_code == 0
    assert (
        run_command("report", "m", "rows.csv", "--out", "requested.html", "--quiet").exit_code == 0
    )
    evaluated = run_command("evaluate", "m", "rows.csv", "--report", "evaluated.html", "--json")
    assert evaluated.exit_code == 0
    measured = json.loads(evaluated.stdout)["results"]
    pages = {name: Page(tmp_path / f"{name}.html") for name in ("fit", "requested", "evaluated")}
    for page in pages.values():
        assert page.scores["n"] == 30 + 370 - round(0.7 * 370)
        assert page.scores["nAnomalous"] == 30
        assert "used for training" not in page.body_text
        assert page.facts()["digest"].startswith("sha256:")
    assert (
        pages["requested"].facts()["command"]
        == "oddgan report m rows.csv --out requested.html --quiet"
    )
    assert "Isolation Forest" in pages["evaluated"].body_text
    ((metrics,),) = [
        values for name, values in measured.items() if name.startswith("PCAReconstruction ")
    ]
    assert f"probability {words.figure(metrics['auroc'])} (AUROC" in pages["requested"].body_text
    assert pages["requested"].ids["recall"] == words.percent(metrics["recall"])


def test_a_report_on_training_rows_says_so(run_command, rows, tmp_path):
    rows[["amount", "tax"]].to_csv("rows.csv", index=False)
    rows[["amount", "tax"]].iloc[:9].to_csv("new.csv", index=False)
    small = ("--set", "latent_dim=1", "--set", "health=false", "--quiet")
    run_command(
        "fit", "pcareconstruction", "rows.csv", "--out", "m", *small, "--report", "fit.html"
    )
    run_command("report", "m", "new.csv", "--out", "new.html", "--quiet")
    assert "Some of these samples were used for training" in Page(tmp_path / "fit.html").body_text
    assert "used for training" not in Page(tmp_path / "new.html").body_text


def test_a_report_cannot_overwrite_an_input_or_cover_several_models(run_command, rows):
    rows[["amount", "tax"]].to_csv("rows.csv", index=False)
    result = run_command("report", "m", "rows.csv", "--out", "report.pdf")
    assert "must end in .html or .htm" in str(result.exception)
    result = run_command("report", "m.html", "rows.csv", "--out", "m.html")
    assert "would be overwritten" in str(result.exception)
    result = run_command("evaluate", "a", "b", "rows.csv", "--report", "r.html")
    assert "--report is on one model" in str(result.exception)
