"""Figures of models and of single samples: the drawing matches the data."""

import json
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from oddgan import VAE, PCAReconstruction, cli, datasets, load, reports
from oddgan.health import HealthCheck
from oddgan.reports._style import THEMES
from support.figures import legend, notes

FAILED = HealthCheck("collapsed generator", False, "severe", 0.01, 0.03, "it is 0.01", "Train on")
PASSED = HealthCheck("dead encoder", True, "severe", 0.5, 0.03, "it varies", "Train on")


def history(n, **losses):
    return [{"step": 10 * (i + 1), **{k: f(i) for k, f in losses.items()}} for i in range(n)]


# --------------------------------------------------------------------------------------- training


def test_each_loss_has_a_panel_and_its_values():
    run = history(30, generator=lambda i: 5 - i / 10, discriminator=lambda i: 1.0)
    figure = reports.training_curves(run, [PASSED])
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "generator loss",
        "discriminator loss",
    ]
    x, y = figure.axes[0].lines[0].get_data()
    assert x.tolist() == [entry["step"] for entry in run]
    assert y.tolist() == [entry["generator"] for entry in run]
    assert not figure.legends
    assert notes(figure) == "Checks of the fit: 1, all passed."


def test_a_saturated_discriminator_and_failed_checks_are_marked():
    run = history(20, generator=lambda i: i + 1.0, discriminator=lambda i: 0.5 if i < 15 else 1e-5)
    figure = reports.training_curves(run, [PASSED, FAILED], theme="dark")
    marks = figure.axes[1].lines[1]
    assert marks.get_xdata().tolist() == [160, 170, 180, 190, 200]
    assert legend(figure) == ["discriminator loss below 0.001: nothing left to learn"]
    assert notes(figure) == "severe: collapsed generator: it is 0.01. Train on."
    assert to_hex(figure.texts[0].get_color()) == THEMES["dark"].alarm
    assert figure.axes[1].get_yscale() == "log"
    # The loss of a critic is a distance, and may be 0.
    assert not reports.training_curves(history(5, critic=lambda i: 0.0)).legends


def test_nan_losses_are_marked():
    run = history(5, discriminator=lambda i: np.nan if i == 3 else 1.0)
    figure = reports.training_curves(run)
    assert legend(figure) == ["loss is NaN or infinite"]
    assert set(figure.axes[0].lines[1].get_xdata()) == {40}


@pytest.mark.parametrize("mixed", [False, True])
def test_ends_of_stages_are_marked(mixed):
    run = history(4, critic=lambda i: 1.0) + [
        {**entry, "step": entry["step"] + 40} for entry in history(4, encoder=lambda i: 1.0)
    ]
    if mixed:  # one report spans the end of the first stage
        run[4]["critic"] = 1.0
    figure = reports.training_curves(run)
    for ax in figure.axes:
        assert set(ax.lines[1].get_xdata()) == {40}
        assert len(ax.lines) == 2
    assert legend(figure) == ["end of a stage"]
    run = history(4, generators=lambda i: 1.0, discriminator=lambda i: 1.0)
    run += [{"step": 40 + 10 * i, "discriminator": 1.0} for i in (1, 2)]
    assert set(reports.training_curves(run).axes[1].lines[1].get_xdata()) == {40}


def test_members_are_thin_and_their_mean_is_thick():
    runs = [history(4, elbo=lambda i, k=k: i + k) for k in (1.0, 3.0)]
    for histories in (runs, {"a": runs[0], "b": runs[1]}):
        figure = reports.training_curves(histories)
        first, second, mean = figure.axes[0].lines
        assert mean.get_ydata().tolist() == [2, 3, 4, 5]
        assert first.get_linewidth() < mean.get_linewidth() > second.get_linewidth()
        assert legend(figure) == ["one member", "mean over the members"]


def test_an_ensemble_has_the_losses_of_each_member(table, tmp_path):
    settings = {"max_steps": 4, "width": 8, "latent_dim": 2, "health": False, "random_state": 0}
    ensemble = VAE(n_members=3, **settings).fit(table)
    path = tmp_path / "m"
    ensemble.save(path)
    for model in (ensemble, load(path)):
        losses_by_member = [
            [entry["elbo"] for entry in member.history_] for member in model.members_
        ]
        assert np.mean(losses_by_member, axis=0) == pytest.approx(
            [entry["elbo"] for entry in model.history_]
        )
        assert len({losses[0] for losses in losses_by_member}) == 3
        assert [entry["step"] for entry in model.members_[2].history_] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ([], "history is empty: the fit has a closed form"),
        ([[], []], "history is empty"),
        ([{"loss": 1.0}], 'each with its training step, "step"'),
        ([{"step": 1}], "history has training steps but no losses"),
    ],
)
def test_without_losses_there_are_no_curves(losses, message):
    with pytest.raises(ValueError, match=message):
        reports.training_curves(losses)


# ---------------------------------------------------------------------------------------- latents


def clusters(n, k=6):
    rng = np.random.default_rng(0)
    groups = np.arange(n) % 3
    return rng.normal(size=(n, k)) + 30 * np.eye(k)[groups], groups


def test_a_map_keeps_clusters_together():
    latents, labels = clusters(60)
    figure = reports.latent_map(latents, labels)
    groups = [points.get_offsets().data for points in figure.axes[0].collections]
    assert [len(points) for points in groups] == [20, 20, 20]
    centres = [points.mean(0) for points in groups]
    within = max(np.linalg.norm(p - c, axis=1).max() for p, c in zip(groups, centres, strict=True))
    between = min(np.linalg.norm(centres[i] - centres[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert between > within
    assert legend(figure) == ["0, 20", "1, 20", "2, 20"]
    again = reports.latent_map(latents, labels).axes[0].collections[1].get_offsets()
    assert np.array_equal(again, groups[1])


def test_spaces_are_side_by_side_and_points_are_limited():
    latents, _ = clusters(200)
    rare = np.where(np.arange(200) < 8, "rare", "common")
    groups = pd.Categorical(rare, ["rare", "common"])
    figure = reports.latent_map(
        {"latent": latents, "feature": np.tanh(latents)}, groups, max_points=40
    )
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["latent", "feature"]
    assert legend(figure) == ["rare, 8", "common, 32"]
    assert "40 of 200 samples are drawn" in notes(figure)


def test_scores_are_drawn_as_their_ranks():
    latents, _ = clusters(20)
    scores = np.exp(np.arange(20.0))
    points = reports.latent_map(latents, scores).axes[0].collections[0]
    assert np.allclose(np.sort(points.get_array()), np.arange(1, 21) / 20)


def test_the_rarest_of_many_groups_share_an_entry():
    latents, _ = clusters(60)
    names = legend(reports.latent_map(latents, np.arange(60) // 4))
    assert names[0] == "0, 4"
    assert len(names) == 10
    assert names[-1] == "all others, 24"


@pytest.mark.parametrize("latents", [np.zeros((8, 3)), np.arange(8.0)[:, None], np.eye(4)])
def test_latents_may_be_equal_or_one_dimensional(latents):
    points = reports.latent_map(latents).axes[0].collections[0].get_offsets()
    assert np.isfinite(points).all()


def test_invalid_latents_raise_errors():
    with pytest.raises(ValueError, match="latents must be vectors of at least 4 samples"):
        reports.latent_map(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="latents 'a': 1 of 4 vectors contain NaN"):
        reports.latent_map({"a": np.diag([1, 1, 1, np.inf])})
    with pytest.raises(ValueError, match="not of the same samples"):
        reports.latent_map({"a": np.eye(4), "b": np.eye(5)})
    with pytest.raises(ValueError, match=r"groups: shape \(3,\) for 4 samples"):
        reports.latent_map(np.eye(4), [1, 2, 3])


# ---------------------------------------------------------------------------------------- gallery


def test_the_most_anomalous_the_borderline_and_the_most_normal_are_chosen():
    scores = np.array([5.0, 1, 9, 3, 2, 8, 4, 7, 6, 0])
    picked = reports.pick(scores, 4.6, n_each=2)
    assert {kind: scores[rows].tolist() for kind, rows in picked.items()} == {
        "oddest": [9, 8],
        "borderline": [5, 4],
        "most normal": [1, 0],
    }
    assert list(reports.pick(scores)) == ["oddest", "most normal"]
    for n in range(1, 9):
        rows = np.concatenate(list(reports.pick(np.arange(n), 2.0).values()))
        assert len(set(rows)) == len(rows) == min(n, 9)


def test_a_gallery_draws_each_image_with_reconstruction_residual_and_map():
    images = np.stack([np.full((4, 6), 20 * i, np.uint8) for i in range(10)])
    reconstructions, maps = images + 10.0, images / 100
    masks = np.zeros((10, 4, 6), bool)
    masks[9, 1, 2] = True
    figure = reports.gallery(
        images,
        reconstructions,
        maps,
        np.arange(10),
        threshold=7.5,
        names=list("abcdefghij"),
        masks=masks,
    )
    drawn_images = [ax.images[0] for ax in figure.axes if ax.images]
    inputs = [image.get_array()[0, 0] for image in drawn_images[0::4]]
    assert np.allclose(inputs, np.array([9, 8, 7, 6, 5, 4, 2, 1, 0]) * 20 / 255)
    assert np.allclose(
        [image.get_array()[0, 0] for image in drawn_images[2::4]], 10
    )  # the residual
    assert np.allclose(drawn_images[3].get_array(), maps[9])
    assert {image.get_clim()[1] for image in drawn_images[3::4]} == {maps[9].max()}  # one scale
    texts = [text.get_text() for text in figure.texts]
    assert {"oddest", "borderline", "most normal", "j", "9", "map", "residual"} <= set(texts)
    assert "Frames mark flagged images: the score is above the threshold 7.5" in notes(figure)
    with_frame = [
        ax
        for ax in figure.axes
        if ax.images and to_hex(ax.spines["top"].get_edgecolor()) == "#d55e00"
    ]
    assert len(with_frame) == 2
    (outline,) = [ax.collections[0] for ax in figure.axes if ax.images and ax.collections]
    ends = outline.get_paths()[0].get_extents().extents
    assert np.allclose(ends, [1.5, 0.5, 2.5, 1.5], atol=0.2)  # column 2, row 1


def test_channels_colours_and_sizes_of_images():
    rng = np.random.default_rng(0)
    first = rng.random((3, 3, 8, 9))
    pixels = reports.gallery(first).axes[0].images[0].get_array()
    assert np.allclose(pixels, np.moveaxis(first[0], 0, 2))
    files = [rng.integers(0, 255, (h, 7, 3), dtype=np.uint8) for h in (5, 9)]
    small = [image[::2, ::2].astype(float) for image in files]
    figure = reports.gallery(files, small, scores=[1, 0], width=90)
    assert [ax.images[0].get_array().shape for ax in figure.axes[:3]] == [
        (5, 7, 3), (3, 4, 3), (3, 4),
    ]  # fmt: skip
    mixed = reports.gallery(files[:1], [np.full((5, 7), 99.0)]).axes[2].images[0].get_array()
    assert np.allclose(mixed, np.abs(files[0].mean(2) - 99))
    grey = reports.gallery(rng.random((2, 6, 6, 1))).axes[0].images[0].get_array()
    assert grey.shape == (6, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"images": np.zeros((2, 5, 5, 5))},
            r"images must be grey .h, w. .* not of shape \(5, 5, 5",
        ),
        ({"images": np.full((1, 4, 4), np.nan)}, "images: image 0 contains NaN or infinity"),
        ({"images": np.zeros((2, 4, 4)), "maps": np.zeros((3, 4, 4))}, "maps: 3 for 2 images"),
        ({"images": []}, "images is empty"),
        ({"images": np.zeros((2, 4, 4)), "threshold": 1}, "a threshold needs scores"),
        ({"images": np.zeros((2, 4, 4)), "scores": [1, np.nan]}, "scores: 1 of 2 values are NaN"),
    ],
)
def test_invalid_images_raise_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        reports.gallery(**arguments)


# ---------------------------------------------------------------------------------- contributions


def test_bars_are_the_largest_contributions_in_order_with_text():
    figure = reports.contribution_bars(
        ["age", "$city$", "amount", "x", "y"],
        [1, 2, 5, 0.5, 1.5],
        [44, "Atlantis", 9_000_000.0, np.nan, True],
        {"age": 40.26, "$city$": "Rome", "amount": 20.333, "x": 1, "y": None},
        top=3,
        title="row 7",
    )
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == [5, 2, 1.5, 1.5]
    texts = [text.get_text().strip() for text in figure.axes[0].texts]
    assert texts == [
        "amount", "is 9,000,000, expected 20.33", "50.0 %",
        "$city$", "is Atlantis, expected Rome", "20.0 %",
        "y", "is True, expected None", "15.0 %",
        "2 other columns", "15.0 %",
    ]  # fmt: skip
    figure.savefig("/dev/null", format="svg")  # a dollar sign begins no formula


def test_contributions_may_be_negative_or_all_zero():
    figure = reports.contribution_bars(["a", "b"], [-3, 1])
    assert [bar.get_width() for bar in figure.axes[0].patches] == [-3, 1]
    assert "-75.0 %" in [text.get_text().strip() for text in figure.axes[0].texts]
    reports.contribution_bars(["a"], [0.0]).savefig("/dev/null", format="png")


def test_invalid_contributions_raise_errors():
    with pytest.raises(ValueError, match="contributions: 1 values for 2 "):
        reports.contribution_bars(["a", "b"], [1])
    with pytest.raises(ValueError, match="values: 1 values for 2 columns"):
        reports.contribution_bars(["a", "b"], [1, 2], [3])
    with pytest.raises(ValueError, match="expected: column 'b' is missing"):
        reports.contribution_bars(["a", "b"], [1, 2], None, {"a": 3})
    with pytest.raises(ValueError, match="contributions: 1 of 2 values are NaN"):
        reports.contribution_bars(["a", "b"], [1, np.nan])


def test_long_texts_stay_within_the_figure():
    figure = reports.contribution_bars(
        ["A_VERY_LONG_NAME_OF_A_COLUMN_OF_SOME_WAREHOUSE"], [1], ["value " * 20], ["due " * 20],
        title="ROW " * 40,
    )  # fmt: skip
    names = [f"folder/a_name_of_some_length_{i}.png" for i in range(9)]
    sheet = reports.gallery(np.zeros((9, 4, 4)), scores=np.arange(9), names=names)
    for drawing in (figure, sheet):
        drawing.draw_without_rendering()
        for text in drawing.findobj(Text):
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                assert box.x0 >= 0, text
                assert box.x1 <= drawing.bbox.x1, text
    captions = sorted(t.get_text() for t in sheet.texts if "_" in t.get_text())
    assert [text[-2:] for text in captions] == ["_0", "_1", "_2", "_6", "_7", "_8"]


def test_global_settings_are_neither_read_nor_changed():
    before = dict(mpl.rcParams)
    reports.contribution_bars(["a"], [1.0]).savefig("/dev/null", format="png")
    assert dict(mpl.rcParams) == before


# ----------------------------------------------------------------------------------- command line


@pytest.fixture
def run_command(capsys, monkeypatch, tmp_path):
    """Run a command; return its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["oddgan", *map(str, words)])
        with pytest.raises(SystemExit) as exit_info:
            cli.main()
        return exit_info.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two quick models, labelled rows, and rows with dates."""
    folder = tmp_path_factory.mktemp("models")
    digits = datasets.load("digits")
    PCAReconstruction(latent_dim=8, random_state=0).fit(digits.X[digits.y != 0]).save(folder / "i")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    small = {"max_steps": 10, "width": 8, "latent_dim": 2, "health": False, "random_state": 0}
    VAE(**small).fit(frame).save(folder / "t")
    frame["odd"] = (np.arange(120) % 10 == 0).astype(int)
    frame.loc[frame["odd"] == 1, "a"] += 9
    frame.to_csv(folder / "labelled.csv", index=False)
    days = pd.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d")
    frame.drop(columns="odd").assign(day=days).to_csv(folder / "days.csv", index=False)
    frame.drop(columns="odd").to_csv(folder / "plain.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["training", "t"], None),
        (["scores", "t"], "plain.csv"),
        (["scores", "t", "--label", "odd"], "labelled.csv"),
        (["roc", "t", "--label", "odd"], "labelled.csv"),
        (["precision-recall", "t", "--label", "odd", "--width", "70"], "labelled.csv"),
        (["latents", "t"], "plain.csv"),
        (["contributions", "t", "--row", "3"], "plain.csv"),
        (["time", "t", "--time", "day"], "days.csv"),
        (["gallery", "i", "--theme", "dark"], "images.npy"),
    ],
)
def test_plot_draws_every_kind(run_command, models, words, data, tmp_path):
    np.save(models / "images.npy", datasets.load("digits").X[:20])
    kind, model, *options = words
    data_paths = [] if data is None else [models / data]
    code, out, err = run_command(
        "plot", kind, models / model, *data_paths, *options, "--out", "f.png", "--json"
    )
    assert (code, err) == (0, "")
    assert json.loads(out)["kind"] == kind
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["roc", "t", "plain.csv"], "plot roc needs labels: give --label"),
        (["roc", "t"], "plot roc needs data"),
        (["training", "t", "plain.csv"], "plot training needs no data"),
        (["training", "i"], "history is empty: the fit has a closed form"),
        (["gallery", "t", "plain.csv"], "plot gallery is for images"),
        (["contributions", "t", "plain.csv", "--row", "120"], "--row 120: there is no such row"),
        (["scores", "t", "plain.csv", "--row", "1"], "--row is for plot contributions"),
        (["time", "t", "days.csv", "--time", "day", "--label", "a"], "leave out the labels"),
        (["scores", "t", "plain.csv", "--out", "f.bmp"], "must end in .png or .svg or .pdf"),
        (["scores", "t", "plain.csv", "--background", "bleu"], "background 'bleu' is not a colour"),
    ],
)
def test_plot_errors_are_one_line(run_command, models, words, message):
    paths = [models / w if (models / w).exists() else w for w in words]
    code, _, err = run_command("plot", *paths)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
