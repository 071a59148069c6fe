"""Explanations: which column, what was expected there, and where in an image."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import oddgan
from oddgan import (
    ALAD,
    MOGAAL,
    VAE,
    AnoGAN,
    Autoencoder,
    FAnoGAN,
    ImageExplanation,
    PCAReconstruction,
    RetrievalCritic,
    TableExplanation,
    cli,
)
from oddgan.detectors.anogan import sensitivity
from oddgan.scores import NeighborIndex
from oddgan.scores.gaussian import Gaussian
from support.data import DATA, fitted, quick

# --------------------------------------------------------------------------------------- tables

#: Two groups of four columns, each group of one hidden number, in units of their own.
UNITS = np.array([1, 2, -1, 0.5, 1, -3, 2, 1])
CENTRES = np.array([0, 10, 5, -3, 0, 100, 2, 1])


def rows(n, seed):
    rng = np.random.default_rng(seed)
    hidden = np.repeat(rng.normal(size=(n, 2)), 4, axis=1)
    return CENTRES + UNITS * (hidden + 0.1 * rng.normal(size=(n, 8)))


@pytest.fixture(scope="module")
def planted():
    """Rows with one odd value each, where it is, and the rows as they were."""
    normal, columns = rows(64, 1), np.arange(64) % 8
    odd = normal.copy()
    odd[np.arange(64), columns] += 4 * np.abs(UNITS[columns]) * np.repeat([1, -1], 32)
    return odd, columns, normal


@pytest.mark.parametrize(
    ("cls", "params", "share_found", "error"),
    [
        (PCAReconstruction, {"latent_dim": 2}, 1, 0.1),
        (PCAReconstruction, {"score_name": "input_knn"}, 1, 0.1),
        (PCAReconstruction, {"score_name": "local", "latent_dim": 2}, 0.95, 0.2),
        (PCAReconstruction, {"score_name": "residual_mahalanobis", "latent_dim": 2}, 0.95, 0.1),
        (Autoencoder, {"max_steps": 250, "width": None}, 1, 0.1),
        (VAE, {"max_steps": 250, "width": None}, 1, 0.15),
        (RetrievalCritic, {"width": None}, 1, 0.15),
        # It knows no counterpart: what it expects is the mean.
        (MOGAAL, {"width": None, "max_steps": 100}, 0.6, None),
    ],
)
def test_the_odd_column_is_named_and_the_value_that_the_others_imply(
    planted, cls, params, share_found, error
):
    """The expected value is nearer to what was there than the odd one by a factor 1 / `error`."""
    odd, columns, normal = planted
    params = {"latent_dim": None, **params}
    explanation = quick(cls, **params).fit(rows(500, 0)).explain(odd)
    found = explanation.contributions.argmax(1) == columns
    assert found.mean() >= share_found
    here = (np.arange(64), columns)
    expected = explanation.expected.to_numpy()[here]
    if error is None:
        np.testing.assert_allclose(expected, rows(500, 0).mean(0)[columns], atol=0.5)
        return
    left = np.abs(expected - normal[here]) / np.abs(odd - normal)[here]
    assert np.median(left) < error
    np.testing.assert_array_equal(explanation.values.to_numpy(), odd)


def test_a_category_that_contradicts_its_row_is_named_and_corrected():
    rng = np.random.default_rng(0)
    north = rng.random(300) < 0.5
    frame = pd.DataFrame(
        {
            "city": np.where(north, "Oslo", "Rome"),
            "warmth": np.where(north, 0, 20) + rng.normal(size=300),
            "light": np.where(north, 5, 9) + 0.2 * rng.normal(size=300),
            "id": [f"n{i}" for i in range(300)],
        }
    )
    with pytest.warns(UserWarning, match="id"):
        detector = quick(RetrievalCritic).fit(frame[:250])
    odd = frame[250:260].assign(city=frame["city"][250:260].map({"Oslo": "Rome", "Rome": "Oslo"}))
    explanation = detector.explain(odd)
    assert explanation.columns == ["city", "warmth", "light", "id"]
    top = explanation.to_frame(top=1)
    assert set(top["column"]) == {"city"}
    assert list(top["value"]) == list(odd["city"])
    assert list(top["expected"]) == list(frame["city"][250:260])
    assert explanation.expected["id"].isna().all()
    assert (explanation.contributions[:, 3] == 0).all()


def test_rows_of_an_explanation_most_contributing_first():
    values = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"], "c": [True, False]})
    expected = pd.DataFrame({"a": [0.5, 2.5], "b": ["y", "y"], "c": [True, True]})
    contributions = np.array([[3, 1, 0], [0, 2, 5]], dtype=np.float32)
    explanation = TableExplanation(contributions, values, expected)
    assert explanation.to_frame(top=2).to_dict("list") == {
        "sample": [0, 0, 1, 1],
        "column": ["a", "b", "c", "b"],
        "contribution": [3, 1, 5, 2],
        "value": [1.0, "x", False, "y"],
        "expected": [0.5, "y", True, "y"],
    }
    assert len(explanation.to_frame(top=None)) == 6
    np.testing.assert_array_equal(np.asarray(explanation), contributions)
    assert np.asarray(explanation, dtype=np.float64).dtype == np.float64
    assert (len(explanation), explanation.shape) == (2, (2, 3))
    assert "TableExplanation of 2 samples, 3 columns" in repr(explanation)
    nothing = TableExplanation(contributions, values, None).to_frame()
    assert nothing["expected"].isna().all()
    with pytest.raises(ValueError, match="top must be at least 1 column, or None for all, not 0"):
        explanation.to_frame(top=0)
    both = TableExplanation.joined([explanation, explanation])
    assert list(both.to_frame(top=1)["sample"]) == [0, 1, 2, 3]


def test_shared_parts_are_shared_out_by_the_differences_from_neighbours(table):
    """The contributions of two parts add up to their mean, as the score counts them."""
    detector = quick(FAnoGAN, score_name=("input_knn", "residual_relative")).fit(table)
    far = table[:5] + np.array([9, 0, 0, 0])
    scores = detector.anomaly_score(far)
    assert (scores > 1).all()
    np.testing.assert_allclose(detector.explain(far).contributions.sum(1), scores, rtol=1e-3)
    detector.set_params(score_name="latent_knn")
    with pytest.raises(ValueError, match="which has no latent_knn: fit again"):
        detector.explain(far)


def test_the_nearest_references_by_hand():
    known = np.array([[0, 0], [1, 0], [0, 2], [9, 9]], dtype=np.float32)
    mean, squares = NeighborIndex.fit(known).nearest(np.array([[1.0, 1.0]]), 3)
    np.testing.assert_allclose(mean, [[1 / 3, 2 / 3]], rtol=1e-6)
    np.testing.assert_allclose(squares, [[(1 + 0 + 1) / 3, (1 + 1 + 1) / 3]], rtol=1e-6)


def test_what_adds_to_a_mahalanobis_distance_by_hand():
    gaussian = Gaussian(np.array([1.0, 0.0]), np.array([[2.0, -1.0], [-1.0, 3.0]]))
    added = gaussian.contributions(np.array([[2.0, 4.0]]))  # 1 (2 - 4), 4 (-1 + 12)
    np.testing.assert_allclose(added, [[-2, 44]])
    np.testing.assert_allclose(gaussian.distance(np.array([[2.0, 4.0]])), [42**0.5])


def test_the_gradient_counts_by_the_distance_from_the_counterpart(table, monkeypatch):
    """With AnoGAN's score "discriminator", for tables; each sample is searched for once."""
    detector = fitted(AnoGAN, "table", score_name="discriminator")
    searches, search = [], AnoGAN._search

    def noted(*args):
        searches.append(args)
        return search(*args)

    x = detector.codec_.encode(table[:32])
    away = (x - detector.codec_.encode(detector.reconstruct(table[:32]))).abs()
    monkeypatch.setattr(AnoGAN, "_search", noted)
    found = detector.explain(table[:32]).contributions
    assert len(searches) == 1
    by_hand = sensitivity(detector.networks_, x) * away
    np.testing.assert_allclose(found, by_hand, rtol=1e-3, atol=1e-4)


# --------------------------------------------------------------------------------------- images


@pytest.fixture(scope="module")
def noise():
    """A detector of noise whose held-out pixels are like all others, and new images."""
    images = np.random.default_rng(0).random((300, 10, 12))
    return PCAReconstruction(pixel_fpr=0.05, random_state=0).fit(images[:200]), images[200:]


def test_the_mask_flags_the_promised_share_of_normal_pixels(noise, tmp_path):
    detector, new = noise
    explanation = detector.explain(new)
    assert explanation.anomaly_mask.dtype == bool
    assert explanation.anomaly_mask.shape == new.shape
    assert abs(explanation.anomaly_mask.mean() - 0.05) < 0.01
    assert explanation.pixel_threshold == detector.pixel_threshold_
    detector.save(tmp_path / "m")
    again = oddgan.load(tmp_path / "m").explain(new)
    np.testing.assert_array_equal(again.anomaly_mask, explanation.anomaly_mask)
    odd = new[:3].copy()
    odd[:, 4, 5:8] = 9
    assert detector.explain(odd).anomaly_mask[:, 4, 5:8].all()
    assert "100 images of 10 x 12" in repr(explanation)


def test_a_table_has_no_threshold_of_pixels(table):
    assert fitted(PCAReconstruction, "table").pixel_threshold_ is None


def test_members_that_leave_out_rows_in_turn_share_one_threshold_of_pixels(images):
    population = quick(PCAReconstruction, n_members=3, pixel_fpr=0.1).fit(images[:60])
    thresholds = {one.pixel_threshold_ for one in (population, *population.members_)}
    assert len(thresholds) == 1
    share = population.explain(images[60:]).anomaly_mask.mean()
    assert 0.02 < share < 0.2
    alone = population.members_[0].explain(images[60:])
    assert alone.pixel_threshold == population.pixel_threshold_


@pytest.fixture
def folder(tmp_path):
    """Image files of two sizes with a bright spot each, among dark ones that a detector learns."""
    rng = np.random.default_rng(0)
    (tmp_path / "good").mkdir()
    (tmp_path / "new" / "sub").mkdir(parents=True)
    for i in range(40):
        image = rng.integers(60, 140, (16, 16)).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "good" / f"{i}.png")
    for name, (h, w) in {"a.png": (16, 16), "sub/b.png": (32, 24)}.items():
        image = rng.integers(60, 140, (h, w)).astype(np.uint8)
        image[h // 4 : h // 2, w // 2 : 3 * w // 4] = 255
        Image.fromarray(image).save(tmp_path / "new" / name)
    quick(PCAReconstruction, image_size=8, latent_dim=1).fit(tmp_path / "good").save(tmp_path / "m")
    return tmp_path


def test_maps_have_the_size_of_their_images(folder):
    detector = oddgan.load(folder / "m")
    explanation = detector.explain(folder / "new")
    maps, masks = explanation.anomaly_map, explanation.anomaly_mask
    assert [one.shape for one in maps] == [one.shape for one in masks] == [(16, 16), (32, 24)]
    assert "2 images of several sizes" in repr(explanation)
    for one, mask in zip(maps, masks, strict=True):
        h, w = one.shape
        spot = np.zeros(one.shape, bool)
        spot[h // 4 : h // 2, w // 2 : 3 * w // 4] = True
        assert one[spot].min() > one[~spot].mean()
        assert mask[spot].mean() > 3 * mask[~spot].mean()
    of_one_size = detector.explain(folder / "good")
    assert of_one_size.anomaly_map.shape == (40, 16, 16)
    parts = ImageExplanation.joined([of_one_size, explanation])
    assert [one.shape for one in parts.anomaly_map[[0, 39, 40, 41]]] == [(16, 16)] * 3 + [(32, 24)]


# --------------------------------------------------------------------------------- command line


@pytest.fixture
def score(folder, monkeypatch, capsys):
    """Score new images with these options; return exit code and standard error."""
    monkeypatch.chdir(folder)

    def run(*words, data="new"):
        monkeypatch.setattr("sys.argv", ["oddgan", "score", "m", data, "-o", "s.csv", *words])
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code or 0, capsys.readouterr().err

    return run


def test_maps_masks_and_pictures_are_written(folder, score):
    told = oddgan.load(folder / "m").explain(folder / "new")
    assert score("--explain", "maps.npz", "--mask", "masks.npz")[0] == 0
    for file, arrays in (("maps.npz", told.anomaly_map), ("masks.npz", told.anomaly_mask)):
        with np.load(folder / file) as held:
            assert sorted(held) == ["a.png", "sub/b.png"]
            for name, array in zip(["a.png", "sub/b.png"], arrays, strict=True):
                np.testing.assert_array_equal(held[name], array)
    assert score("--mask", "masks.npy", data="good")[0] == 0
    masks = np.load(folder / "masks.npy")
    np.testing.assert_array_equal(
        masks, oddgan.load(folder / "m").explain(folder / "good").anomaly_mask
    )
    assert score("--explain", "pictures")[0] == 0
    picture = np.asarray(Image.open(folder / "pictures" / "sub" / "b.png")).astype(int)
    assert picture.shape == (8 * 32, 8 * 24, 3)
    # What is odd is red; what is not stays grey.
    redness = np.ptp(picture, axis=2)
    assert redness[8 * 9 : 8 * 15, 8 * 13 : 8 * 17].mean() > 100
    assert redness[-40:, :40].mean() < 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--explain", "maps.npy"], "sub/b.png differs in size from the first image, 16 x 16"),
        (["--explain", "good"], "--explain good: the folder is not empty; give a new one"),
        (["--mask", "masks"], "--mask masks: the name must end in .npy or .npz"),
        (["--mask", "s.csv"], "--mask s.csv: the name must end in .npy or .npz"),
        (["--mask", "nowhere/m.npy"], "nowhere: no such folder to write m.npy to"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(score, words, message):
    code, err = score(*words)
    assert code == 2
    assert message in err


def test_a_table_has_no_mask(folder, score, table):
    fitted(PCAReconstruction, "table").save(folder / "m")
    np.save(folder / "rows.npy", table)
    code, err = score("--mask", "m.npy", data="rows.npy")
    assert code == 2
    assert "--mask: a table has no pixels" in err


def test_more_than_a_chunk_of_rows_in_an_iterator():
    X, detector = DATA["table"](), fitted(ALAD, "table")
    whole, parts = detector.explain(X), detector.explain(iter([X[:100], X[100:]]))
    np.testing.assert_allclose(parts.contributions, whole.contributions, rtol=1e-5)
    pd.testing.assert_frame_equal(parts.values, whole.values)
    pd.testing.assert_frame_equal(parts.expected, whole.expected, rtol=1e-4)
