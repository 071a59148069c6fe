"""The promises that every detector keeps. A detector needs nothing here to be tested."""

import json
import pickle
import random
import signal
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import quick
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import oddgan
from oddgan import all_detectors, training

DEVICE_ROWS = training.DeviceRows


def data_of(kind, table, images):
    return {"table": table, "image": images}[kind]


@pytest.fixture(params=["table", "image"])
def X(request, table, images):
    return data_of(request.param, table, images)


# --------------------------------------------------------------------- 1. outliers score higher


def test_planted_outliers_in_a_table_score_higher(detector_class, table):
    rng = np.random.default_rng(1)
    outliers = rng.uniform(-8, 8, size=(60, 4))
    detector = detector_class(random_state=0).fit(table[:240])
    scores = detector.anomaly_score(np.concatenate([table[240:], outliers]))
    assert roc_auc_score([0] * 60 + [1] * 60, scores) > 0.9
    assert (detector.predict(outliers) == -1).mean() > 0.5


def test_planted_outliers_among_images_score_higher(detector_class, images):
    rng = np.random.default_rng(1)
    outliers = rng.integers(0, 256, size=(20, 8, 10), dtype=np.uint8)
    detector = detector_class(random_state=0).fit(images[:100])
    scores = detector.anomaly_score(np.concatenate([images[100:], outliers]))
    assert roc_auc_score([0] * 20 + [1] * 20, scores) > 0.9


@pytest.mark.parametrize("kind", ["table", "image"])
def test_all_names_of_scores_can_be_asked_for(detector_class, kind, table, images):
    X = data_of(kind, table, images)
    detector = quick(detector_class).fit(X)
    seen = []
    for name in detector_class.scores:
        seen.append(detector.set_params(score=name).anomaly_score(X[:9]))
        assert np.isfinite(seen[-1]).all()
    assert len({tuple(scores) for scores in seen}) == len(detector_class.scores)


# ------------------------------------------------------------------------------ 2. repeatable


def test_same_random_state_same_scores_and_a_refit_equals_the_first_fit(detector_class, X):
    first = quick(detector_class).fit(X)
    scores = first.anomaly_score(X)
    np.testing.assert_array_equal(quick(detector_class).fit(X).anomaly_score(X), scores)
    np.testing.assert_array_equal(first.fit(X).anomaly_score(X), scores)
    other = quick(detector_class, random_state=1).fit(X).anomaly_score(X)
    assert not np.array_equal(other, scores)


@pytest.mark.parametrize("random_state", [0, None])
def test_global_random_state_is_neither_changed_nor_read(detector_class, X, random_state):
    def states():
        return (
            random.getstate(),
            str(np.random.get_state()),  # noqa: NPY002
            torch.get_rng_state().tolist(),
        )

    before = states()
    detector = quick(detector_class, random_state=random_state).fit(X)
    scores = detector.anomaly_score(X)
    assert states() == before
    if random_state is not None:
        torch.manual_seed(99)
        np.random.seed(99)  # noqa: NPY002
        np.testing.assert_array_equal(detector.fit(X).anomaly_score(X), scores)


# --------------------------------------------------------------- 3. no influence of batch mates


def test_a_score_depends_on_its_own_sample_only(detector_class, X):
    detector = quick(detector_class).fit(X)
    together = detector.anomaly_score(X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(detector.anomaly_score(X[order]), together[order], rtol=1e-6)
    alone = [detector.anomaly_score(X[i : i + 1])[0] for i in range(20)]
    np.testing.assert_allclose(alone, together[:20], rtol=1e-6)
    in_chunks = detector.anomaly_score(iter([X[:7], X[7:50], X[50:]]))
    np.testing.assert_allclose(in_chunks, together, rtol=1e-6)


def test_scoring_changes_neither_weights_nor_statistics(detector_class, X):
    detector = quick(detector_class).fit(X)
    for network in detector.networks_.values():
        network.train()  # as a careless user might leave them
    before = {r: pickle.dumps(n.state_dict()) for r, n in detector.networks_.items()}
    scores = detector.anomaly_score(X)
    np.testing.assert_array_equal(detector.anomaly_score(X), scores)
    after = {r: pickle.dumps(n.state_dict()) for r, n in detector.networks_.items()}
    assert before == after


def test_training_and_new_rows_go_through_the_same_path(detector_class, X):
    """The threshold's scores, made by `fit`, are those that `anomaly_score` gives."""
    detector = quick(detector_class, calibration_fraction=0.3).fit(X)
    scores = detector.anomaly_score(X)
    assert np.isin(detector.calibration_scores_, scores).mean() > 0.9
    assert len(detector.calibration_scores_) == round(0.3 * len(X))


def test_held_out_rows_neither_train_nor_set_a_scale(detector_class, table, monkeypatch):
    """A value that only a held-out row has leaves no trace in what was learnt."""
    seen = []
    monkeypatch.setattr(
        training,
        "DeviceRows",
        lambda rows, *more: seen.append(rows) or DEVICE_ROWS(rows, *more),
    )
    quick(detector_class).fit(table)
    calm = quick(detector_class).fit(table)
    n_held_out = len(calm.calibration_scores_)
    assert len(seen[0]) == len(table) - n_held_out
    # Which rows are held out depends on the seed and the number of rows alone.
    scores = calm.anomaly_score(table)
    held_out = np.flatnonzero(np.isin(scores, calm.calibration_scores_))
    assert len(held_out) == n_held_out
    wild = table.copy()
    wild[held_out] *= 1000
    changed = quick(detector_class).fit(wild)
    assert changed.codec_.state()[0] == calm.codec_.state()[0]
    assert torch.equal(seen[0], seen[2])
    np.testing.assert_array_equal(changed.anomaly_score(table), scores)


def test_a_bad_held_out_row_is_found_before_training(detector_class, table, monkeypatch):
    held_out = np.flatnonzero(
        np.isin(
            (scores := (calm := quick(detector_class).fit(table)).anomaly_score(table)),
            calm.calibration_scores_,
        )
    )
    assert len(scores) == len(table)
    frame = pd.DataFrame(table, columns=list("abcd"))
    frame.loc[held_out[0], "b"] = np.nan
    monkeypatch.setattr(training.Trainer, "run", lambda self: pytest.fail("it trained"))
    with pytest.raises(ValueError, match="'b'"):
        quick(detector_class).fit(frame)


def test_a_bad_training_row_is_called_by_its_own_number(detector_class, table, images):
    calm = quick(detector_class).fit(table)
    trained = np.flatnonzero(~np.isin(calm.anomaly_score(table), calm.calibration_scores_))
    row = int(trained[-1])
    assert row != len(trained) - 1  # not its place among the training rows
    bad = pd.DataFrame(table, columns=list("abcd"))
    bad.loc[row, "c"] = np.inf
    with pytest.raises(ValueError, match=f"'c', row {row}"):
        quick(detector_class).fit(bad)
    dark = images / 255
    dark[row % len(dark)] = np.nan
    with pytest.raises(ValueError, match=f"image {row % len(dark)} "):
        quick(detector_class).fit(dark)


def test_the_learning_rate_is_used(detector_class, table):
    slow = quick(detector_class, learning_rate=1e-6).fit(table)
    fast = quick(detector_class, learning_rate=1e-2).fit(table)
    assert not np.allclose(slow.anomaly_score(table), fast.anomaly_score(table))


# ------------------------------------------------------------------------------ 4. edge cases


def test_a_score_that_overflows_is_odd(detector_class, table):
    detector = quick(detector_class, scaling="none").fit(table)
    huge = np.full((1, 4), 1e30)
    assert np.isfinite(detector.anomaly_score(huge)).all()
    assert detector.predict(huge) == [-1]
    assert detector.p_value(huge)[0] == 1 / (len(detector.calibration_scores_) + 1)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_samples_to_fit_are_refused(detector_class, X, n):
    with pytest.raises(ValueError, match=rf"{n} sample"):
        quick(detector_class).fit(X[:n])


def test_fewer_samples_than_a_batch(detector_class, X):
    with pytest.warns(UserWarning, match="held-out"):
        detector = quick(detector_class, batch_size=64).fit(X[:5])
    assert np.isfinite(detector.anomaly_score(X[:1])).all()


def test_an_empty_input_to_score_is_refused(detector_class, X):
    with pytest.raises(ValueError, match="0 sample"):
        quick(detector_class).fit(X).anomaly_score(X[:0])


def test_a_constant_column_is_learnt_and_a_change_in_it_is_odd(detector_class, table):
    table = np.column_stack([table, np.full(len(table), 7.0)])
    detector = quick(detector_class, max_steps=200).fit(table)
    changed = table[:20].copy()
    changed[:, 4] = 8.0
    assert np.isfinite(detector.anomaly_score(table)).all()
    assert (detector.explain(changed)[:, 4] > detector.explain(table[:20])[:, 4]).all()


def test_float32_and_float64_agree(detector_class, table):
    detector = quick(detector_class).fit(table.astype(np.float32))
    np.testing.assert_allclose(
        detector.anomaly_score(table.astype(np.float32).astype(np.float64)),
        detector.anomaly_score(table.astype(np.float32)),
        rtol=1e-5,
    )


def test_wrong_inputs_are_refused_by_name(detector_class, table, images):
    detector = quick(detector_class).fit(table)
    with pytest.raises(ValueError, match="5 features"):
        detector.anomaly_score(np.ones((2, 5)))
    with pytest.raises(ValueError, match="image"):
        detector.anomaly_score(images)
    with pytest.raises(ValueError, match="NaN"):
        detector.anomaly_score(np.full((1, 4), np.nan))
    with pytest.raises(ValueError, match="uint8"):
        quick(detector_class).fit(images).anomaly_score(images / 255)
    with pytest.raises(NotFittedError):
        detector_class().anomaly_score(table)
    with pytest.raises(ValueError, match="max_steps"):
        detector_class(max_steps=0).fit(table)


# ---------------------------------------------------------------------------- 5. save and load


def test_a_saved_detector_scores_the_same_in_a_fresh_process(detector_class, X, tmp_path):
    detector = quick(detector_class, target_fpr=0.2).fit(X)
    detector.save(tmp_path / "m.oddgan")
    np.save(tmp_path / "X.npy", X)
    code = textwrap.dedent("""
        import sys, numpy as np, oddgan, torch
        torch.set_num_threads(1)
        detector = oddgan.load(sys.argv[1])
        X = np.load(sys.argv[2])
        np.savez(sys.argv[3], s=detector.anomaly_score(X), e=detector.explain(X),
                 p=detector.predict(X), t=detector.threshold_)
    """)
    paths = [str(tmp_path / name) for name in ("m.oddgan", "X.npy", "out.npz")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_array_equal(out["s"], detector.anomaly_score(X))
        np.testing.assert_array_equal(out["e"], detector.explain(X))
        np.testing.assert_array_equal(out["p"], detector.predict(X))
        assert out["t"] == detector.threshold_


def test_a_file_keeps_the_decision_of_the_fit(detector_class, table, tmp_path):
    detector = quick(detector_class, image_size=(np.int64(8), np.int64(9))).fit(table)
    detector.set_params(target_fpr=0.5).save(tmp_path / "m.oddgan")
    again = oddgan.load(tmp_path / "m.oddgan")
    assert again.threshold_ == detector.threshold_
    assert again.offset_ == detector.offset_
    assert again.image_size == (8, 9)


def test_a_damaged_model_file_is_refused(detector_class, table, tmp_path):
    path = tmp_path / "m.oddgan"
    quick(detector_class).fit(table).save(path)
    whole = path.read_bytes()
    for damaged in (whole[:-20], whole[:50], b"", b"no model"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"m\.oddgan"):
            oddgan.load(path)
    flipped = bytearray(whole)
    flipped[-10] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(ValueError, match="checksum"):
        oddgan.load(path)
    path.write_bytes(whole.replace(b'target_fpr\\": 0.05', b'target_fpr\\": 0.50'))
    with pytest.raises(ValueError, match="checksum"):
        oddgan.load(path)
    with pytest.raises(FileNotFoundError, match="nothing"):
        oddgan.load(tmp_path / "nothing.oddgan")


def test_a_model_file_holds_no_pickle(detector_class, table, tmp_path):
    quick(detector_class).fit(table).save(tmp_path / "m.oddgan")
    content = (tmp_path / "m.oddgan").read_bytes()
    size = int.from_bytes(content[:8], "little")
    assert json.loads(content[8 : 8 + size])["__metadata__"]["oddgan"]


# --------------------------------------------------------------------------------- 6. gradients


@pytest.fixture
def traced(detector_class, X, monkeypatch):
    """Train, and note for every loss which networks it changed and which weights it moved."""
    changed, moved, roles = {}, {}, {}

    def snapshot(nets):
        return {
            (role, name): p.detach().clone()
            for role, net in nets.items()
            for name, p in net.named_parameters()
        }

    original = detector_class._losses

    def losses(self, nets, x, z):
        roles.update({role: dict(net.named_parameters()) for role, net in nets.items()})
        for loss in original(self, nets, x, z):
            before = snapshot(nets)
            yield loss
            after = snapshot(nets)
            now = {key for key in before if not torch.equal(before[key], after[key])}
            changed.setdefault(loss.name, set()).update(role for role, _ in now)
            moved.setdefault(loss.name, set()).update(now)
            assert changed[loss.name] <= set(loss.updates)

    monkeypatch.setattr(detector_class, "_losses", losses)
    quick(detector_class, max_steps=5).fit(X)
    return moved, roles


def test_every_weight_is_trained_and_only_by_its_own_loss(traced):
    moved, roles = traced
    everything = {(role, name) for role, names in roles.items() for name in names}
    assert set().union(*moved.values()) == everything


# -------------------------------------------------------------------------- 8. scikit-learn's own


# Parameters called `score` are the design's; these checks call an attribute of that name.
SCORE_IS_A_PARAMETER = {
    "check_fit_score_takes_y": "calls estimator.score, which is a parameter here",
    "check_n_features_in_after_fitting": "calls estimator.score; our own test checks the width",
    "check_pipeline_consistency": "calls estimator.score; our own test checks pipelines",
}


@parametrize_with_checks(
    [quick(cls, max_steps=10) for cls in all_detectors().values()],
    expected_failed_checks=lambda estimator: SCORE_IS_A_PARAMETER,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# -------------------------------------------------------------------------------- 9. resumption


def test_an_interrupted_fit_ends_where_an_uninterrupted_one_ends(
    detector_class, X, tmp_path, monkeypatch
):
    whole = quick(detector_class, batch_size=16).fit(X)
    path = tmp_path / "fit.ckpt"
    detector = quick(detector_class, batch_size=16, checkpoint=path)
    report = training.Trainer._report

    def ctrl_c(self):
        report(self)
        if self.step == 17:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(training.Trainer, "_report", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            detector.fit(X)
    assert path.exists()
    resumed = detector.fit(X)
    np.testing.assert_array_equal(resumed.anomaly_score(X), whole.anomaly_score(X))
    assert resumed.history_ == whole.history_
    assert not path.exists()


def test_a_checkpoint_of_another_run_is_refused(detector_class, table, tmp_path, monkeypatch):
    path = tmp_path / "fit.ckpt"
    report = training.Trainer._report

    def ctrl_c(self):
        report(self)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(training.Trainer, "_report", ctrl_c)
        with pytest.raises(KeyboardInterrupt):
            quick(detector_class, checkpoint=path).fit(table)
    for other in (
        lambda: quick(detector_class, checkpoint=path, learning_rate=0.01).fit(table),
        lambda: quick(detector_class, checkpoint=path).fit(table + 1.5 * table**2),
    ):
        with pytest.raises(ValueError, match=r"fit\.ckpt is of a run with other"):
            other()
    assert path.exists()  # nothing is lost by the refusal


# --------------------------------------------------------------------- 10. among other tools


def test_clone_pipeline_grid_search_and_joblib(detector_class, table, tmp_path):
    detector = quick(detector_class, learning_rate=0.01)
    assert clone(detector).get_params() == detector.get_params()
    pipeline = make_pipeline(StandardScaler(), detector).fit(table)
    assert set(pipeline.predict(table)) <= {-1, 1}
    search = GridSearchCV(
        quick(detector_class, max_steps=5),
        {"latent_dim": [2, 3]},
        scoring=lambda estimator, X, y=None: estimator.score_samples(X).mean(),
        cv=2,
        n_jobs=1,
    ).fit(table)
    assert search.best_params_["latent_dim"] in (2, 3)
    joblib.dump(pipeline, tmp_path / "p.joblib")
    np.testing.assert_array_equal(
        joblib.load(tmp_path / "p.joblib").decision_function(table),
        pipeline.decision_function(table),
    )


# ------------------------------------------------------------------------- shapes and meanings


def test_signs_and_shapes_of_all_answers(detector_class, X):
    detector = quick(detector_class).fit(X)
    scores, n = detector.anomaly_score(X), len(X)
    np.testing.assert_array_equal(detector.score_samples(X), -scores)
    np.testing.assert_allclose(detector.decision_function(X), detector.threshold_ - scores)
    np.testing.assert_array_equal(detector.predict(X) == -1, scores > detector.threshold_)
    assert detector.embed(X).shape == (n, 4)
    assert detector.reconstruct(X).shape == X.shape
    assert detector.explain(X).shape == X.shape
    assert (detector.explain(X) >= 0).all()
    assert all(part.shape == (n,) for part in detector.score_parts(X).values())
    p = detector.p_value(X)
    assert p[np.argmax(scores)] == p.min()
    assert p[np.argmin(scores)] == p.max()
    assert p.min() >= 1 / (len(detector.calibration_scores_) + 1)


def test_a_mixed_frame_with_missing_values(detector_class):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(3, 2, 200),
            "age": np.where(rng.random(200) < 0.1, np.nan, rng.integers(18, 90, 200)),
            "city": rng.choice(["Oslo", "Rome", "Lima"], 200),
            "member": rng.random(200) < 0.3,
        }
    )
    detector = quick(detector_class).fit(frame)
    assert list(detector.feature_names_in_) == list(frame.columns)
    odd = frame.head(3).assign(city="Atlantis")
    assert np.isfinite(detector.anomaly_score(odd)).all()
    assert detector.explain(frame).shape == (200, 4)
    back = detector.reconstruct(frame)
    assert list(back.columns) == list(frame.columns)
    assert set(back["city"]) <= {"Oslo", "Rome", "Lima", "(other)"}
    with pytest.raises(ValueError, match="city"):
        detector.anomaly_score(frame.drop(columns="city"))


def test_rows_that_are_streamed_train_as_well(detector_class, table, tmp_path):
    frame = pd.DataFrame(table, columns=list("abcd"))
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=50)
    detector = quick(detector_class, stream=True, batch_size=20)
    scores = detector.fit(tmp_path / "t.parquet").anomaly_score(tmp_path / "t.parquet")
    assert scores.shape == (300,)
    np.testing.assert_allclose(detector.anomaly_score(frame), scores, rtol=1e-6)
    np.testing.assert_array_equal(
        detector.fit(tmp_path / "t.parquet").anomaly_score(frame),
        detector.anomaly_score(frame),
    )


def test_presets_name_only_parameters_that_exist(detector_class):
    for name in detector_class.presets:
        detector = detector_class.from_preset(name, verbose=1)
        for parameter, value in detector_class.presets[name].items():
            assert getattr(detector, parameter) == value
        assert detector.verbose == 1
    with pytest.raises(ValueError, match="no preset 'nonsense'"):
        detector_class.from_preset("nonsense")


def test_the_documentation_names_every_parameter(detector_class):
    for name in detector_class().get_params():
        assert f"    {name} : " in detector_class.__doc__, name
