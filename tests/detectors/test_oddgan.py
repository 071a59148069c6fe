"""OddGAN: the recipe that it chooses, what it leaves to it, and the controls beside it."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import oddgan
from oddgan import Autoencoder, OddGAN, PCAReconstruction, RetrievalCritic
from oddgan.cli import app
from oddgan.estimator import score_to_fit
from support.data import DATA, fitted

QUICK = {"latent_dim": 4, "width": 8, "max_steps": 30, "random_state": 0, "health": False}


@pytest.mark.parametrize("kind", ["table", "image"])
def test_it_is_the_recipe_and_nothing_else(kind):
    X = DATA[kind]()
    recipe = OddGAN.recipe(kind, **QUICK).fit(X)
    whole = OddGAN(**QUICK).fit(X)
    assert type(whole.detector_) is type(recipe)
    np.testing.assert_array_equal(whole.anomaly_score(X), recipe.anomaly_score(X))
    assert whole.threshold_ == recipe.threshold_
    assert whole.detector_.get_params() == recipe.get_params()


def test_what_is_given_is_used_and_all_else_is_the_recipes():
    detector = OddGAN(max_steps=7, target_fpr=0.2, score_name="input_knn", random_state=0)
    params = detector.fit(DATA["table"]()).detector_.get_params()
    own = OddGAN.recipe("table").get_params()
    changed = {name for name, value in params.items() if value != own[name]}
    assert changed == {"max_steps", "target_fpr", "score_name", "random_state"}
    assert detector.get_params()["epochs"] is None


def test_another_score_after_the_fit_is_the_detectors():
    X = DATA["table"]()
    detector = OddGAN(**QUICK, score_name=("input_knn", "input_density")).fit(X)
    detector.set_params(score_name="input_knn")
    alone = RetrievalCritic(**QUICK, score_name="input_knn").fit(X)
    np.testing.assert_array_equal(detector.anomaly_score(X), alone.anomaly_score(X))
    detector = OddGAN(**QUICK, score_name="input_knn").fit(X).set_params(score_name="input_density")
    with pytest.raises(ValueError, match="which has no input_density"):
        detector.anomaly_score(X)


@pytest.mark.parametrize(("kind", "score"), [("image", "latent_knn"), ("table", "critic")])
def test_every_score_of_the_recipes_is_taken_where_it_can_be(kind, score):
    X = DATA[kind]()
    recipe = OddGAN.recipe(kind, **QUICK, score_name=score).fit(X)
    whole = OddGAN(**QUICK, score_name=score).fit(X)
    np.testing.assert_array_equal(whole.anomaly_score(X), recipe.anomaly_score(X))
    with pytest.raises(ValueError, match="RetrievalCritic cannot have latent_knn"):
        OddGAN(**QUICK, score_name="latent_knn").fit(DATA["table"]())


def test_controls_have_the_parameters_that_were_given():
    detector = OddGAN(**QUICK, image_size=9).fit(DATA["image"]())
    controls = detector.controls_as_fitted()
    assert {c.image_size for c in controls.values()} == {9}
    assert {c.latent_dim for c in controls.values()} == {4}
    steps = {title: control.max_steps for title, control in controls.items()}
    assert steps == {"untrained control": 0, "autoencoder control": QUICK["max_steps"]}


def test_a_fit_that_learnt_more_parts_is_also_asked_for_a_score_of_the_recipes_own():
    X = DATA["image"]()
    asked = ["local_and_input", "latent_knn", "l2"]
    detector = OddGAN(**QUICK)
    learnt = score_to_fit(detector, asked)
    assert learnt == "local_and_input"
    detector.set_params(score_name=learnt).fit(X).set_params(score_name="l2")
    alone = OddGAN.recipe("image", **QUICK).fit(X).set_params(score_name="l2")
    np.testing.assert_array_equal(detector.anomaly_score(X), alone.anomaly_score(X))


def test_a_control_keeps_what_makes_it_one():
    detector = OddGAN(**QUICK, score_name="latent_knn").fit(DATA["image"]())
    scores = {title: control.score_name for title, control in detector.controls_as_fitted().items()}
    assert scores == {"untrained control": "latent_knn", "autoencoder control": "l2"}


def test_a_stored_one_is_an_oddgan_again(tmp_path):
    X, detector = DATA["table"](), fitted(OddGAN, "table")
    labelled = np.concatenate([X[:40], 9 * X[:40]])
    detector.calibrate_proba(labelled, [0] * 40 + [1] * 40)
    detector.save(tmp_path / "m.oddgan")
    for again in (oddgan.load(tmp_path / "m.oddgan"), pickle.loads(pickle.dumps(detector))):
        assert type(again) is OddGAN
        assert type(again.detector_) is RetrievalCritic
        assert again.get_params() == detector.get_params()
        np.testing.assert_array_equal(again.anomaly_score(X), detector.anomaly_score(X))
        np.testing.assert_array_equal(again.predict_proba(X), detector.predict_proba(X))
        again.save(tmp_path / "again.oddgan")
        assert type(oddgan.load(tmp_path / "again.oddgan")) is OddGAN


@pytest.mark.parametrize("kind", ["table", "image"])
def test_controls_are_other_detectors_that_can_be_fitted(kind):
    X = DATA[kind]()
    recipe = OddGAN.recipe(kind, **QUICK).fit(X).anomaly_score(X)
    controls = OddGAN.controls(kind, **{n: v for n, v in QUICK.items() if n != "max_steps"})
    assert controls["untrained control"].max_steps == 0
    assert type(controls["autoencoder control"]) is Autoencoder
    seen = [tuple(control.fit(X).anomaly_score(X)) for control in controls.values()]
    assert len({tuple(recipe), *seen}) == 1 + len(controls)


def test_the_command_fits_it_and_shows_the_controls_beside_it(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 4))
    frame = pd.DataFrame(X).add_prefix("c").assign(odd=0)
    frame.loc[:19, "odd"] = 1
    frame.loc[:19, ["c0", "c1", "c2", "c3"]] = rng.normal(size=(20, 4)) * 4
    frame.to_csv(tmp_path / "t.csv", index=False)
    model, data = str(tmp_path / "m.oddgan"), str(tmp_path / "t.csv")
    run = CliRunner().invoke
    assert (
        run(app, ["fit", "auto", data, "--label", "odd", "--out", model, "--quiet"]).exit_code == 0
    )
    found = json.loads(run(app, ["evaluate", model, data, "--json"]).stdout)["results"]
    assert {"OddGAN auto", "knn", "isolation_forest", *OddGAN.controls("table")} <= found.keys()
    assert found["OddGAN auto"][0]["auroc"] > 0.9


def surfaces(n):
    """Return images of a wave with noise, of varying size, each in a light of its own."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(n):
        h, w = rng.integers(30, 45, size=2)
        y, x = np.mgrid[:h, :w]
        light = rng.uniform(0.4, 1) * (1 + rng.uniform(0, 1) * y / h)
        found.append(
            light * (0.4 + 0.05 * np.sin(x + rng.uniform(0, 6))) + rng.normal(0, 0.01, (h, w))
        )
    return [(255 * one).clip(0, 255).astype(np.uint8) for one in found]


def test_images_that_are_cut_have_a_recipe_of_their_own(tmp_path):
    X = surfaces(50)
    new = surfaces(54)[50:]
    new[3][10:12, 10:12] //= 2
    quick = {"patch_size": 16, "calibration_fraction": 0.4, "random_state": 0, "health": False}
    detector = OddGAN(**quick).fit(X)
    recipe = OddGAN.recipe("patches", **quick).fit(X)
    assert type(detector.detector_) is PCAReconstruction
    np.testing.assert_array_equal(detector.anomaly_score(new), recipe.anomaly_score(new))
    assert detector.anomaly_score(new).argmax() == 3
    detector.save(tmp_path / "m.oddgan")
    again = oddgan.load(tmp_path / "m.oddgan")
    assert type(again) is OddGAN
    np.testing.assert_array_equal(again.anomaly_score(new), recipe.anomaly_score(new))
    controls = detector.controls_as_fitted()
    assert {c.patch_aggregation for c in controls.values()} == {"map", "top"}
    assert {c.patch_size for c in controls.values()} == {16}
    assert OddGAN(**quick, patch_aggregation="max").fit(X).detector_.patch_aggregation == "max"


def test_one_that_was_fitted_when_the_recipe_was_another_keeps_its_score():
    X = DATA["image"]()
    older = RetrievalCritic(**QUICK, score_name="neighbours").fit(X)
    whole = OddGAN(random_state=0).adopt(older)
    np.testing.assert_array_equal(whole.anomaly_score(X), older.anomaly_score(X))
