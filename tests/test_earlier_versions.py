"""Model files, and names, of earlier versions."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import oddgan
from oddgan import EGBAD, VAE, Autoencoder, OddGAN, PCAReconstruction
from support.data import fitted

#: Models that version 0.1.0 wrote before parameters were renamed, and what it said by them.
FORMAT_5 = Path(__file__).parent / "data" / "format-5"


@pytest.fixture(scope="module")
def expected():
    with np.load(FORMAT_5 / "expected.npz") as file:
        return dict(file)


MODELS = sorted(path.name for path in FORMAT_5.iterdir() if path.suffix != ".npz")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_an_earlier_format_answers_as_it_did(name, expected, tmp_path):
    X = expected["table" if name.startswith("table") else "images"]
    detector = oddgan.load(FORMAT_5 / name)
    np.testing.assert_array_equal(detector.anomaly_score(X), expected[name])
    np.testing.assert_array_equal(detector.p_value(X), expected[f"{name}/p"])
    if f"{name}/explain" in expected:
        np.testing.assert_array_equal(np.asarray(detector.explain(X)), expected[f"{name}/explain"])
    detector.save(tmp_path / "again")
    again = oddgan.load(tmp_path / "again")
    np.testing.assert_array_equal(again.anomaly_score(X), expected[name])


def test_a_model_of_an_earlier_format_has_todays_parameters():
    detector = oddgan.load(FORMAT_5 / "image-map")
    assert detector.normalize_by_location is True
    assert detector.illumination_correction == 3.0
    assert detector.patch_aggregation == "map"
    assert detector.fitted_params_["patch_aggregation"] == "map"
    ensemble = oddgan.load(FORMAT_5 / "table-ensemble")
    assert (ensemble.scaling, ensemble.score_name) == ("standard+rank", "elbo")
    assert ensemble.cross_fitted_
    assert oddgan.load(FORMAT_5 / "image-warp").augment == "affine"
    assert type(oddgan.load(FORMAT_5 / "image-oddgan")) is OddGAN


# ----------------------------------------------------------------------- names that have changed


@pytest.mark.parametrize(
    ("cls", "old", "new"),
    [
        (EGBAD, {"score": "feature_matching"}, {"score_name": "feature_matching"}),
        (Autoencoder, {"by_place": True}, {"normalize_by_location": True}),
        (OddGAN, {"level_images": 2.0}, {"illumination_correction": 2.0}),
        (PCAReconstruction, {"patch_score": "max"}, {"patch_aggregation": "max"}),
        (VAE, {"scaling": "two_view"}, {"scaling": "standard+rank"}),
        (Autoencoder, {"augment": "warp"}, {"augment": "affine"}),
    ],
)
def test_an_old_name_of_a_parameter_works_and_warns(cls, old, new):
    ((name, _),), ((new_name, value),) = old.items(), new.items()
    with pytest.warns(FutureWarning, match=f"{name}.* is called {new_name}") as warned:
        detector = cls(**old)
    assert warned[0].filename == __file__  # it points to the caller
    assert getattr(detector, new_name) == value
    assert detector.get_params() == cls(**new).get_params() == clone(detector).get_params()
    with pytest.warns(FutureWarning, match=f"{name}.* is called {new_name}"):
        assert cls().set_params(**old).get_params() == detector.get_params()


def test_an_old_name_is_read_as_an_attribute():
    with pytest.warns(FutureWarning, match="by_place is called normalize_by_location"):
        assert VAE(normalize_by_location=True).by_place is True
    with pytest.raises(AttributeError, match="no attribute 'score'"):
        _ = VAE().score


def test_old_names_of_methods_and_attributes_work_and_warn(table):
    detector = fitted(EGBAD, "table")
    with pytest.warns(FutureWarning, match=r"score_parts\(\) is called score_components\(\)"):
        old = detector.score_parts(table)
    np.testing.assert_array_equal(
        list(old.values()), list(detector.score_components(table).values())
    )
    with pytest.warns(FutureWarning, match=r"answer_chunks\(question=\) is called iter_outputs"):
        chunks = list(detector.answer_chunks(detector.source(table), question="score_parts"))
    assert list(chunks[0][1]) == list(old)
    with pytest.warns(FutureWarning, match="crossed_ is called cross_fitted_"):
        assert detector.crossed_ == detector.cross_fitted_


def test_an_old_and_a_new_name_together_are_refused():
    with pytest.raises(TypeError, match="score is the old name of score_name"):
        VAE(score="kl", score_name="elbo")
