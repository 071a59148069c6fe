"""Figures of scores: the drawing matches the data."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from oddgan import reports
from oddgan.reports._scale import ScoreScale
from oddgan.reports._style import THEMES
from support.figures import legend, notes

rng = np.random.default_rng(0)
LABELS = np.arange(400) % 8 == 0
SCORES = rng.normal(size=400) + 2 * LABELS


def shares(figure, i):
    """Return the heights and the edges of a histogram; each is drawn as an area and an outline."""
    heights, edges, _ = figure.axes[0].patches[2 * i].get_data()
    return heights, edges


# ------------------------------------------------------------------------------------ ROC and PR


def test_a_roc_curve_passes_through_its_points_and_shows_its_auroc():
    figure = reports.roc_curves(LABELS, {"A": SCORES, "B": -SCORES})
    line, other, chance = figure.axes[0].lines
    above = np.append(SCORES, np.inf)[:, None] <= SCORES
    points = {(a.sum(), b.sum()) for a, b in zip(above[:, ~LABELS], above[:, LABELS], strict=True)}
    counts = np.rint(line.get_xydata() * [np.sum(~LABELS), np.sum(LABELS)])
    assert {tuple(point) for point in counts} <= points
    area = auc(*line.get_data())
    assert area == pytest.approx(roc_auc_score(LABELS, SCORES))
    assert auc(*other.get_data()) == pytest.approx(1 - area)
    assert np.array_equal(chance.get_data(), [[0, 1], [0, 1]])
    label = f"AUROC {area:.3f}".replace("0.", ".")
    assert legend(figure)[0] == f"A, {label}"
    assert legend(figure)[-1] == "chance"


def test_precision_recall_curves_have_the_steps_of_the_average_precision():
    figure = reports.precision_recall_curves(LABELS, {"A": SCORES})
    line, chance = figure.axes[0].lines
    recall, precision = line.get_data()
    average = average_precision_score(LABELS, SCORES)
    # With "steps-pre" each point is the right end of its step.
    assert line.get_drawstyle() == "steps-pre"
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(average)
    assert set(precision) <= set(precision_recall_curve(LABELS, SCORES)[0])
    assert set(chance.get_ydata()) == {LABELS.mean()}
    assert legend(figure) == [
        f"A, average precision {average:.3f}".replace("0.", "."),
        "chance: the prevalence, .125",
    ]


def test_thresholds_are_marked_on_the_curves():
    figure = reports.roc_curves(LABELS, {"A": SCORES, "B": -SCORES}, thresholds={"A": 1.0})
    (mark,) = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    flagged = SCORES > 1
    assert mark.get_xydata().tolist() == [[flagged[~LABELS].mean(), flagged[LABELS].mean()]]
    figure = reports.precision_recall_curves(LABELS, {"A": SCORES}, thresholds={"A": 1.0})
    (mark,) = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    assert mark.get_xydata().tolist() == [[flagged[LABELS].mean(), LABELS[flagged].mean()]]
    with pytest.raises(ValueError, match="thresholds: there are no scores of 'C'"):
        reports.roc_curves(LABELS, {"A": SCORES}, thresholds={"C": 1.0})


def test_ties_are_one_point():
    figure = reports.roc_curves(LABELS, np.zeros(400))
    assert figure.axes[0].lines[0].get_xydata().tolist() == [[0, 0], [1, 1]]
    assert legend(figure)[0] == "AUROC .500"


@pytest.mark.parametrize("draw", [reports.roc_curves, reports.precision_recall_curves])
def test_long_curves_are_thinned_and_end_where_they_should(draw):
    n = 20_000
    labels = np.arange(n) % 2
    figure = draw(labels, {"A": rng.normal(size=n) + labels})
    x, y = figure.axes[0].lines[0].get_data()
    assert len(x) == 2000
    assert (x[0], x[-1]) == (0, 1)
    assert y[-1] == (1 if draw is reports.roc_curves else 0.5)


def test_names_are_drawn_literally():
    name = "_$a$ and a name so long that its middle has to be left out"
    figure = reports.roc_curves(LABELS, {name: SCORES})
    figure.savefig("/dev/null", format="svg")
    text = figure.legends[0].get_texts()[0]
    assert text.get_text().startswith("_$a$ and a name")
    assert not text.get_parse_math()


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        (np.zeros(3), {"A": [1, 2, 3]}, "labels have 0 anomalous and 3 normal samples"),
        ([0, 1, 2], {"A": [1, 2, 3]}, "labels must be 0 .normal. or 1"),
        ([0, 1, 1], {"A": [1, 2, np.nan]}, "scores of A: 1 of 3 values are NaN or infinite"),
        ([0, 1, 1], [1, np.inf, np.inf], "scores: 2 of 3 values are NaN or infinite"),
        ([0, 1, 1], {"A": [1, 2]}, "scores of A: 2 values for 3 samples"),
        ([0, 1, 1], {"A": ["x", "y", "z"]}, "scores of A must be numbers"),
        ([0, 1, 1], {}, "scores_by_name is empty"),
    ],
)
def test_invalid_labels_and_scores_raise_errors(labels, scores, message):
    for draw in (reports.roc_curves, reports.precision_recall_curves, reports.comparison):
        with pytest.raises(ValueError, match=message):
            draw(labels, scores)


# --------------------------------------------------------------------------------- distributions


def test_bars_count_every_score_of_their_class():
    normal, anomalous = SCORES[~LABELS], SCORES[LABELS]
    figure = reports.score_distributions(normal, anomalous, 1.5)
    for i, values in enumerate((normal, anomalous)):
        heights, edges = shares(figure, i)
        counts = [np.sum((values >= a) & (values < b)) for a, b in pairwise(edges)]
        counts[-1] += np.sum(values == edges[-1])
        np.testing.assert_allclose(heights * len(values), counts)
        assert heights.sum() == pytest.approx(1)
    assert set(figure.axes[0].lines[0].get_xdata()) == {1.5}
    share = [f"{100 * np.mean(values > 1.5):.1f} %" for values in (normal, anomalous)]
    assert legend(figure) == [
        "normal, 350",
        "anomalous, 50",
        f"threshold 1.5: above it {share[0]} of normal and {share[1]} of anomalous",
    ]


def test_a_tail_is_drawn_on_a_logarithmic_axis():
    skewed = np.exp(rng.normal(size=500))
    figure = reports.score_distributions(skewed, np.array([5e4, 8e4]))
    assert figure.axes[0].get_xscale() == "log"
    heights, edges = shares(figure, 1)
    np.testing.assert_allclose(np.diff(np.log(edges)), np.log(edges[1] / edges[0]))
    assert heights[-1] + heights[-2] == 1
    figure = reports.score_distributions(SCORES, [30.0])
    assert figure.axes[0].get_xscale() == "linear"
    figure = reports.score_distributions(SCORES, [1e4])  # some are negative
    assert figure.axes[0].get_xscale() == "function"
    figure.savefig("/dev/null", format="png")
    ticks = figure.axes[0].get_xticks()
    assert len(ticks) >= 4
    assert ticks.max() > 5000
    assert np.median(np.abs(ticks)) < 500  # and not all of them in the tail


def test_a_huge_score_does_not_hide_the_others():
    largest = float(np.finfo(np.float32).max)
    figure = reports.score_distributions(SCORES, [2.0, largest])
    heights, edges = shares(figure, 1)
    assert edges[-1] < 1e8
    assert heights[-1] == 0.5
    assert "Scores outside the axis, counted in its outermost bars: 1." in notes(figure)


@pytest.mark.parametrize("value", [0.0, 7.0, -1e300])
def test_equal_scores_are_one_bar(value):
    heights, edges = shares(reports.score_distributions(np.full(9, value)), 0)
    assert sorted(heights)[-2:] == [0, 1]
    assert edges[0] < value < edges[-1]


def test_axis_positions_are_invertible():
    for scores in (np.exp(rng.normal(size=99)) * 100, np.append(SCORES, 1e5)):
        scale = ScoreScale.of(SCORES, scores)
        np.testing.assert_allclose(
            scale.inverse(scale.forward(scores)), scores, rtol=1e-9, atol=1e-9
        )


def test_invalid_scores_of_distributions_raise_errors():
    with pytest.raises(ValueError, match="anomalous scores: 1 of 2 values are NaN"):
        reports.score_distributions([1, 2], [1, np.nan])
    with pytest.raises(ValueError, match=r"normal scores must be one number for each sample, .*0"):
        reports.score_distributions([])
    with pytest.raises(ValueError, match="threshold is NaN"):
        reports.score_distributions([1, 2], None, np.nan)
    assert legend(reports.score_distributions([1, 2], None, np.inf)) == ["normal, 2"]


# -------------------------------------------------------------------------------------- over time


def test_flagged_points_and_their_share_over_time():
    scores = np.array([1.0, 5, 1, 5, 5, 1])
    times = pd.to_datetime(["2024-01-0" + d for d in "215634"])
    figure = reports.scores_over_time(times, scores, 3, window=2, target_fpr=0.25)
    normal, flagged, threshold = figure.axes[0].lines
    assert normal.get_ydata().tolist() == [1, 1, 1]
    assert flagged.get_ydata().tolist() == [5, 5, 5]
    assert set(threshold.get_ydata()) == {3}
    days = (flagged.get_xdata() - flagged.get_xdata()[0]).tolist()
    assert days == [0, 2, 5]  # the 1st, the 3rd and the 6th
    share, promised = figure.axes[1].lines
    # In order of time: 5, 1, 5, 1, 1, 5.
    assert share.get_ydata().tolist() == [0.5, 0.5, 0.5, 0, 0.5]
    assert set(promised.get_ydata()) == {0.25}
    assert legend(figure)[1] == "flagged, 3: 50.0 %"


def test_times_may_be_numbers_texts_or_none():
    for times in (None, [3, 1, 2], ["2024-01-01", "2024-01-02", "2024-02-01"]):
        figure = reports.scores_over_time(times, [1, 2, 3])
        figure.savefig("/dev/null", format="png")
        assert len(figure.axes) == 1  # nothing is flagged without a threshold
    summer = pd.to_datetime(["2024-10-27 00:30", "2024-10-27 01:30"], utc=True)
    line = reports.scores_over_time(summer.tz_convert("Europe/Oslo"), [1, 2]).axes[0].lines[0]
    assert np.diff(line.get_xdata()) * 24 == pytest.approx(1)
    assert reports.scores_over_time([3, 1, 2], [1, 2, 3]).axes[0].lines[0].get_ydata().tolist() == [
        2, 3, 1,
    ]  # fmt: skip


def test_many_points_are_thinned_and_the_highest_is_drawn():
    scores = rng.normal(size=100_000)
    figure = reports.scores_over_time(None, scores, 1.0)
    normal, flagged, _ = figure.axes[0].lines
    assert len(normal.get_xdata()) == len(flagged.get_xdata()) == 3000
    assert flagged.get_ydata().max() == scores.max()
    assert f"flagged, {np.sum(scores > 1):,}" in legend(figure)[1]
    assert "6,000 of 100,000 points are drawn" in notes(figure)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([1, np.nan, 2], "times: 1 of 3 values are NaN"),
        ([1, 2], "times: 2 values for 3 samples"),
        (["2024-01-01", None, "2024-01-02"], "times: 1 of 3 are missing"),
        (["soon", "later", "never"], "times must be dates or numbers"),
        (["2024-01-01"], "times: 1 values for 3 samples"),
    ],
)
def test_invalid_times_raise_errors(times, message):
    with pytest.raises(ValueError, match=message):
        reports.scores_over_time(times, [1, 2, 3])


def test_a_window_longer_than_the_data_raises_an_error():
    with pytest.raises(
        ValueError, match="window must be from 1 to 3, the number of samples, not 4"
    ):
        reports.scores_over_time(None, [1, 2, 3], 2, window=4)


# ------------------------------------------------------------------------------------- comparison


def test_bars_are_the_metrics_of_each_detector():
    figure = reports.comparison(LABELS, {"A": SCORES, "B": -SCORES}, n_resamples=50)
    of_roc, of_average, *small = figure.axes
    widths = [bar.get_width() for bar in of_roc.patches]
    assert widths == pytest.approx([roc_auc_score(LABELS, s) for s in (SCORES, -SCORES)])
    widths = [bar.get_width() for bar in of_average.patches]
    assert widths[0] == pytest.approx(average_precision_score(LABELS, SCORES))
    (low, _), (high, _) = of_roc.collections[0].get_segments()[0]
    assert low < roc_auc_score(LABELS, SCORES) < high
    assert set(of_roc.lines[0].get_xdata()) == {0.5}
    assert set(of_average.lines[0].get_xdata()) == {LABELS.mean()}
    assert len(small) == 4
    assert [ax.get_title(loc="left") for ax in small] == ["A", "B", "A", "B"]
    assert "400 samples, 50 anomalous" in notes(figure)
    assert len(reports.comparison(LABELS, SCORES, n_resamples=9, curves=False).axes) == 2


def test_metrics_that_need_a_threshold_are_refused_in_a_comparison():
    with pytest.raises(ValueError, match="unknown metric 'auc'; the metrics are "):
        reports.comparison(LABELS, {"A": SCORES}, metrics=["auc"])
    with pytest.raises(ValueError, match="metric 'f1' needs a threshold"):
        reports.comparison(LABELS, {"A": SCORES}, metrics=["f1"], n_resamples=9)


# ------------------------------------------------------------------------------------------- look


def luminance(colour):
    """Relative luminance of WCAG 2.2."""
    channels = np.array([int(to_hex(colour)[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(a, b):
    high, low = sorted([luminance(a), luminance(b)], reverse=True)
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira and Fernandes, 2009: vision without the long or the middle cones.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip


@pytest.mark.parametrize("name", THEMES)
def test_text_and_lines_have_contrast_with_the_background(name):
    theme = THEMES[name]
    for colour in (theme.text, theme.muted, theme.alarm):
        assert contrast(colour, theme.background) >= 4.5, colour
    for colour in (*theme.colours, theme.normal, theme.anomalous):
        assert contrast(colour, theme.background) >= 3, colour


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("kind", BLIND)
def test_colours_are_distinct_with_colour_blindness(name, kind):
    theme = THEMES[name]
    perceived = []
    for colour in theme.colours:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        perceived.append(lab(np.clip(np.array(BLIND[kind]) @ linear, 0, 1)))
    distances = [np.linalg.norm(a - b) for i, a in enumerate(perceived) for b in perceived[:i]]
    assert min(distances) > 10, distances


def lab(linear):
    """CIELAB of linear sRGB, under D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ linear / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_figures_have_the_requested_look():
    figure = reports.roc_curves(LABELS, SCORES, theme="dark", width=120)
    assert to_hex(figure.get_facecolor()) == THEMES["dark"].background
    assert figure.get_figwidth() == pytest.approx(120 / 25.4)
    figure = reports.roc_curves(LABELS, SCORES, background="none")
    assert figure.get_facecolor()[3] == 0
    for look, message in (
        ({"theme": "blue"}, "theme must be 'light' or 'dark', not 'blue'"),
        ({"background": "bleu"}, "background 'bleu' is not a colour"),
        ({"width": 20}, "width is 60 to 400 millimetres, not 20"),
    ):
        with pytest.raises(ValueError, match=message):
            reports.roc_curves(LABELS, SCORES, **look)


def test_a_notebook_shows_a_figure_without_pyplot():
    assert reports.roc_curves(LABELS, SCORES)._repr_png_().startswith(b"\x89PNG")
