"""The promises that every detector keeps. A detector needs nothing here to be tested."""

import copy
import json
import pickle
import re
import signal
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import oddgan
from oddgan import OddGAN, all_detectors, training
from support import checks
from support.data import DATA, fitted, quick

DETECTORS = list(all_detectors().values())
#: What a detector can be asked beside its scores.
QUESTIONS = ("explain", "reconstruct", "embed")


def in_one_process(cls):
    """Return the mark of tests that share fits: each process of pytest-xdist makes its own."""
    return pytest.mark.xdist_group(cls.__name__)


def detectors(*kinds, trained=False, own=False):
    """Parametrise over the detectors that take all these kinds.

    Those only that have rounds of training, if `trained`; that have hooks and settings of their own
    and not another detector's, as OddGAN has, if `own`.
    """
    return pytest.mark.parametrize(
        "detector_class",
        [
            pytest.param(cls, id=cls.__name__, marks=in_one_process(cls))
            for cls in DETECTORS
            if set(kinds) <= set(cls.kinds)
            and not (trained and cls.closed_form)
            and not (own and cls is OddGAN)
        ],
    )


def detectors_and_kinds(trained=False, own=False):
    """Parametrise over each detector with each kind of samples; see `detectors`."""
    return pytest.mark.parametrize(
        ("detector_class", "kind"),
        [
            pytest.param(cls, kind, id=f"{cls.__name__}-{kind}", marks=in_one_process(cls))
            for cls in DETECTORS
            for kind in cls.kinds
            if not (trained and cls.closed_form) and not (own and cls is OddGAN)
        ],
    )


def answerable(detector):
    return [question for question in QUESTIONS if question not in detector.unavailable]


# --------------------------------------------------------------------- 1. outliers score higher


@detectors("table")
def test_planted_outliers_in_a_table_score_higher(detector_class):
    checks.check_planted_outliers_in_a_table_score_higher(detector_class)


@detectors("image")
def test_planted_outliers_among_images_score_higher(detector_class):
    checks.check_planted_outliers_among_images_score_higher(detector_class)


@detectors_and_kinds()
def test_every_name_of_a_score_gives_another(detector_class, kind):
    checks.check_every_name_of_a_score_gives_another(detector_class, kind)


# ------------------------------------------------------------------------------ 2. repeatable


@detectors_and_kinds()
def test_same_random_state_same_scores_and_a_refit_equals_the_first_fit(detector_class, kind):
    checks.check_same_random_state_same_scores(detector_class, kind)


@detectors_and_kinds()
def test_global_random_state_is_neither_changed_nor_read(detector_class, kind):
    checks.check_global_random_state_is_neither_changed_nor_read(detector_class, kind)


@detectors_and_kinds()
def test_no_random_state_leaves_the_global_one_unchanged(detector_class, kind):
    checks.check_no_random_state_leaves_the_global_one_unchanged(detector_class, kind)


# --------------------------------------------------------------- 3. no influence of batch mates


@detectors_and_kinds()
def test_a_score_depends_on_its_own_sample_only(detector_class, kind):
    checks.check_a_score_depends_on_its_own_sample_only(detector_class, kind)


@detectors_and_kinds()
def test_scoring_repeats_itself_and_changes_no_weights(detector_class, kind):
    checks.check_scoring_repeats_itself_and_changes_no_weights(detector_class, kind)


@detectors_and_kinds()
def test_training_and_new_rows_go_through_the_same_path(detector_class, kind):
    checks.check_training_and_new_rows_go_through_the_same_path(detector_class, kind)


@detectors_and_kinds(own=True)
def test_held_out_rows_do_not_train(detector_class, kind):
    checks.check_held_out_rows_neither_train_nor_set_a_scale(detector_class, kind)


@detectors_and_kinds(own=True)
def test_held_out_rows_set_no_scale_of_any_score(detector_class, kind):
    for params in checks.scores_with_a_scale(detector_class, kind):
        checks.check_held_out_rows_neither_train_nor_set_a_scale(detector_class, kind, **params)


@detectors("table")
def test_a_bad_held_out_row_is_found_before_training(detector_class, table, monkeypatch):
    calm = fitted(detector_class, "table")
    held_out = np.flatnonzero(np.isin(calm.anomaly_score(table), calm.calibration_scores_))
    frame = pd.DataFrame(table, columns=list("abcd"))
    frame.loc[held_out[0], "b"] = np.nan
    monkeypatch.setattr(training.Trainer, "run", lambda self: pytest.fail("it trained"))
    method = type(checks.method_of(detector_class(), "table"))
    monkeypatch.setattr(method, "_solve", lambda *args: pytest.fail("it trained"))
    with pytest.raises(ValueError, match="'b'"):
        quick(detector_class).fit(frame)


@detectors("table")
def test_a_bad_training_row_is_called_by_its_own_number(detector_class, table):
    calm = fitted(detector_class, "table")
    trained = np.flatnonzero(~np.isin(calm.anomaly_score(table), calm.calibration_scores_))
    row = int(trained[-1])
    assert row != len(trained) - 1  # not its place among the training rows
    bad = pd.DataFrame(table, columns=list("abcd"))
    bad.loc[row, "c"] = np.inf
    with pytest.raises(ValueError, match=f"'c', row {row}"):
        quick(detector_class).fit(bad)


@detectors("image")
def test_a_bad_training_image_is_called_by_its_own_number(detector_class, images):
    calm = fitted(detector_class, "image")
    trained = np.flatnonzero(~np.isin(calm.anomaly_score(images), calm.calibration_scores_))
    number = int(trained[-1])
    assert number != len(trained) - 1
    dark = images / 255
    dark[number] = np.nan
    with pytest.raises(ValueError, match=f"image {number} "):
        quick(detector_class).fit(dark)


# -------------------------------------------------------------------- parameters are made use of

USED_BY_ALL = {"latent_dim": 2, "scaling": ["none", "standard", "minmax", "robust"]}
USED_IN_TRAINING = {
    "width": 16,
    "batch_size": 32,
    "max_steps": 20,
    "learning_rate": 3e-3,  # of no paper
    "ema_decay": 0.5,
}


def values_of(parameters):
    pairs = [
        (name, value)
        for name, values in parameters.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    return pytest.mark.parametrize(("name", "value"), pairs)


@values_of(USED_BY_ALL)
@detectors("table", own=True)
def test_a_parameter_is_used(detector_class, name, value):
    if quick(detector_class).get_params()[name] == value:
        pytest.skip("its default")
    checks.check_a_parameter_is_used(detector_class, "table", name, value)


@values_of(USED_IN_TRAINING)
@detectors("table", trained=True)
def test_a_parameter_of_training_is_used(detector_class, name, value):
    checks.check_a_parameter_is_used(detector_class, "table", name, value)


@values_of({"image_size": 9, "latent_dim": 2})
@detectors("image")
def test_a_parameter_is_used_for_images(detector_class, name, value):
    checks.check_a_parameter_is_used(detector_class, "image", name, value)


@detectors("image")
def test_the_axis_of_the_channels_is_as_told(detector_class):
    checks.check_the_axis_of_the_channels_is_as_told(detector_class)


@pytest.mark.parametrize("case", checks.ROUNDS)
@detectors_and_kinds(trained=True)
def test_the_number_of_rounds_is_as_told(detector_class, kind, case):
    checks.check_the_number_of_rounds(detector_class, kind, case)


@detectors_and_kinds(trained=True)
def test_no_rounds_leave_the_first_weights(detector_class, kind):
    checks.check_no_rounds_leave_the_first_weights(detector_class, kind)


@detectors_and_kinds()
def test_a_higher_rate_of_false_alarms_lowers_the_threshold(detector_class, kind):
    checks.check_a_higher_rate_of_false_alarms_lowers_the_threshold(detector_class, kind)


@detectors_and_kinds(own=True)
def test_standardised_parts_are_summed_with_the_weights(detector_class, kind, tmp_path):
    for score in detector_class.scores:
        detector = checks.check_standardised_parts_are_summed(detector_class, kind, score)
        detector.save(tmp_path / "m.oddgan")
        again, X = oddgan.load(tmp_path / "m.oddgan"), DATA[kind]()
        np.testing.assert_array_equal(again.anomaly_score(X), detector.anomaly_score(X))


# ------------------------------------------------------------------------------ shared parts


@detectors("table", own=True)
def test_shared_parts_of_a_score(detector_class, tmp_path):
    checks.check_shared_parts(detector_class, "table", tmp_path / "m.oddgan")


def test_shared_parts_of_a_score_for_images(tmp_path):
    checks.check_shared_parts(oddgan.EGBAD, "image", tmp_path / "m.oddgan")


# ------------------------------------------------------------------------------ 4. edge cases


@detectors("table")
def test_a_score_that_overflows_is_odd(detector_class):
    detector = fitted(detector_class, "table", scaling="none")
    huge = np.full((1, 4), 1e30)
    assert np.isfinite(detector.anomaly_score(huge)).all()
    assert detector.predict(huge) == [-1]
    assert detector.p_value(huge)[0] == 1 / (len(detector.calibration_scores_) + 1)


@pytest.mark.parametrize("n", [0, 1, 2])
@detectors_and_kinds()
def test_too_few_samples_to_fit_are_refused(detector_class, kind, n):
    with pytest.raises(ValueError, match=rf"{n} sample"):
        quick(detector_class).fit(DATA[kind]()[:n])


@detectors_and_kinds()
def test_a_population_trains_its_members_and_answers_by_them(detector_class, kind):
    checks.check_a_population_trains_its_members_and_answers_by_them(detector_class, kind)


@detectors_and_kinds()
def test_fewer_samples_than_a_batch(detector_class, kind):
    checks.check_fewer_samples_than_a_batch(detector_class, kind)


@detectors_and_kinds()
def test_an_empty_input_to_score_is_refused(detector_class, kind):
    with pytest.raises(ValueError, match="0 sample"):
        fitted(detector_class, kind).anomaly_score(DATA[kind]()[:0])


@detectors("table")
def test_a_constant_column_is_learnt_and_a_change_in_it_is_odd(detector_class, table):
    table = np.column_stack([table, np.full(len(table), 7.0)])
    detector = quick(detector_class, max_steps=150, learning_rate=2e-3).fit(table)
    changed = table[:20].copy()
    changed[:, 4] = 8.0
    assert np.isfinite(detector.anomaly_score(table)).all()
    if "explain" in answerable(detector):
        contributions = detector.explain(changed).contributions[:, 4]
        assert (contributions > detector.explain(table[:20]).contributions[:, 4]).all()


@detectors("table")
def test_float32_and_float64_agree(detector_class, table):
    detector = quick(detector_class).fit(table.astype(np.float32))
    np.testing.assert_allclose(
        detector.anomaly_score(table.astype(np.float32).astype(np.float64)),
        detector.anomaly_score(table.astype(np.float32)),
        rtol=1e-5,
    )


@detectors("table")
def test_wrong_tables_are_refused_by_name(detector_class, table, images):
    detector = fitted(detector_class, "table")
    with pytest.raises(ValueError, match="5 features"):
        detector.anomaly_score(np.ones((2, 5)))
    with pytest.raises(ValueError, match="image"):
        detector.anomaly_score(images)
    with pytest.raises(ValueError, match="NaN"):
        detector.anomaly_score(np.full((1, 4), np.nan))


@detectors("image")
def test_images_of_another_range_are_refused(detector_class, images):
    with pytest.raises(ValueError, match="uint8"):
        fitted(detector_class, "image").anomaly_score(images / 255)


@detectors_and_kinds()
def test_wrong_use_is_refused_by_name(detector_class, kind):
    with pytest.raises(NotFittedError):
        detector_class().anomaly_score(DATA[kind]())
    with pytest.raises(ValueError, match="max_steps"):
        detector_class(max_steps=-1).fit(DATA[kind]())


@pytest.mark.parametrize(
    ("detector_class", "kind"),
    [
        pytest.param(cls, kind, id=f"{cls.__name__}-{kind}")
        for cls in DETECTORS
        for kind in DATA
        if kind not in cls.kinds
    ],
)
def test_a_kind_that_it_does_not_take_is_refused(detector_class, kind):
    with pytest.raises(ValueError, match=f"{detector_class.__name__}.*{detector_class.kinds[0]}"):
        quick(detector_class).fit(DATA[kind]())


@pytest.mark.parametrize(
    ("detector_class", "question"),
    [
        pytest.param(cls, question, id=f"{cls.__name__}-{question}")
        for cls in DETECTORS
        for question in cls.unavailable
    ],
)
def test_an_answer_that_it_cannot_give_is_refused_with_the_reason(detector_class, question):
    kind = detector_class.kinds[0]
    reason = re.escape(detector_class.unavailable[question])
    with pytest.raises(ValueError, match=f"{detector_class.__name__} cannot {question}: {reason}"):
        getattr(fitted(detector_class, kind), question)(DATA[kind]())


# ---------------------------------------------------------------------------- 5. save and load


@pytest.fixture(scope="session")
def fresh_process():
    """Return a function that asks a process which trained nothing to load a model and to answer.

    It is one process for all models: most of its time goes into importing PyTorch.
    """
    code = textwrap.dedent("""
        import sys, traceback
        import numpy as np, oddgan, torch
        torch.set_num_threads(1)
        for line in sys.stdin:
            model, data, out, *questions = line.rstrip("\\n").split("\\t")
            try:
                detector, X = oddgan.load(model), np.load(data)
                answers = {question: getattr(detector, question)(X) for question in questions}
                np.savez(out, threshold_=detector.threshold_, **answers)
                print("done", flush=True)
            except Exception:
                print(repr(traceback.format_exc()), flush=True)
    """)

    def ask(*words):
        process.stdin.write("\t".join(map(str, words)) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"

    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield ask
        process.stdin.close()


@detectors_and_kinds()
def test_a_saved_detector_answers_the_same_in_a_fresh_process(
    detector_class, kind, tmp_path, fresh_process
):
    X, detector = DATA[kind](), fitted(detector_class, kind, target_fpr=0.5)
    detector.save(tmp_path / "m.oddgan")
    np.save(tmp_path / "X.npy", X)
    questions = ["anomaly_score", "predict", *answerable(detector)]
    fresh_process(*(tmp_path / name for name in ("m.oddgan", "X.npy", "out.npz")), *questions)
    with np.load(tmp_path / "out.npz") as out:
        for question in questions:
            np.testing.assert_array_equal(out[question], getattr(detector, question)(X))
        assert out["threshold_"] == detector.threshold_


@detectors_and_kinds()
def test_a_file_keeps_the_decision_of_the_fit(detector_class, kind, tmp_path):
    size = (np.int64(8), np.int64(9))
    detector = quick(detector_class, image_size=size, max_steps=2).fit(DATA[kind]())
    detector.set_params(target_fpr=0.5).save(tmp_path / "m.oddgan")
    again = oddgan.load(tmp_path / "m.oddgan")
    assert again.threshold_ == detector.threshold_
    assert again.offset_ == detector.offset_
    assert again.image_size == (8, 9)


@detectors("table")
def test_parameters_that_change_after_the_fit_do_not_change_the_networks(detector_class, tmp_path):
    detector = fitted(detector_class, "table")
    scores = detector.anomaly_score(DATA["table"]())
    detector.set_params(width=12, latent_dim=3)
    detector.save(tmp_path / "m.oddgan")
    for again in (
        copy.deepcopy(detector),
        pickle.loads(pickle.dumps(detector)),
        oddgan.load(tmp_path / "m.oddgan"),
    ):
        np.testing.assert_array_equal(again.anomaly_score(DATA["table"]()), scores)
        assert again.width == 12


@detectors_and_kinds()
def test_a_damaged_model_file_is_refused(detector_class, kind, tmp_path):
    path = tmp_path / "m.oddgan"
    fitted(detector_class, kind).save(path)
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


@detectors_and_kinds()
def test_a_model_file_holds_no_pickle(detector_class, kind, tmp_path):
    fitted(detector_class, kind).save(tmp_path / "m.oddgan")
    content = (tmp_path / "m.oddgan").read_bytes()
    size = int.from_bytes(content[:8], "little")
    assert json.loads(content[8 : 8 + size])["__metadata__"]["oddgan"]


# --------------------------------------------------------------------- 6. weights and gradients


@detectors_and_kinds(trained=True)
def test_first_weights_follow_the_rule(detector_class, kind):
    checks.check_first_weights_follow_the_rule(detector_class, kind)


@detectors_and_kinds(trained=True, own=True)
def test_every_loss_trains_its_networks_and_nothing_else(detector_class, kind):
    checks.check_every_loss_trains_its_networks_and_nothing_else(detector_class, kind)


# -------------------------------------------------------------------------- 8. scikit-learn's own


# Some checks want a training row to be flagged. Of their 300 rows 30 are held out; at a
# target_fpr of .05 the threshold is the greatest score of these, perhaps that of the oddest row.
@parametrize_with_checks(
    [quick(cls, max_steps=3, target_fpr=0.2) for cls in DETECTORS if "table" in cls.kinds],
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# -------------------------------------------------------------------------------- 9. resumption


def interrupt_after(step, monkeypatch):
    """Press Ctrl-C when this round of training is done."""
    report = training.Trainer._report

    def ctrl_c(self):
        report(self)
        if self.step == step:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(training.Trainer, "_report", ctrl_c)


@detectors_and_kinds(trained=True)
def test_an_interrupted_fit_ends_where_an_uninterrupted_one_ends(
    detector_class, kind, tmp_path, monkeypatch
):
    """Interrupted within the first stage, and again shortly before the end of the last."""
    X, whole = DATA[kind](), fitted(detector_class, kind)
    path = tmp_path / "fit.ckpt"
    detector = quick(detector_class, checkpoint=path)
    n_stages = len(checks.method_of(detector, kind)._stages_of(kind))
    for step in (7, detector.max_steps * n_stages - 4):
        with monkeypatch.context() as patch:
            interrupt_after(step, patch)
            with pytest.raises(KeyboardInterrupt):
                detector.fit(X)
        assert path.exists()
    resumed = detector.fit(X)
    np.testing.assert_array_equal(resumed.anomaly_score(X), whole.anomaly_score(X))
    assert resumed.history_ == whole.history_
    assert not path.exists()


@detectors_and_kinds(trained=True)
def test_a_checkpoint_of_another_run_is_refused(detector_class, kind, tmp_path, monkeypatch):
    X, path = DATA[kind](), tmp_path / "fit.ckpt"
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            quick(detector_class, checkpoint=path).fit(X)
    for other in (
        lambda: quick(detector_class, checkpoint=path, learning_rate=0.01).fit(X),
        lambda: quick(detector_class, checkpoint=path).fit(X[::-1]),
    ):
        with pytest.raises(ValueError, match=r"fit\.ckpt belongs to a run with different"):
            other()
    assert path.exists()  # nothing is lost by the refusal


# --------------------------------------------------------------------- 10. among other tools


@detectors("table")
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


@detectors_and_kinds()
def test_signs_and_shapes_of_all_answers(detector_class, kind):
    X, detector = DATA[kind](), fitted(detector_class, kind)
    scores, n = detector.anomaly_score(X), len(X)
    np.testing.assert_array_equal(detector.score_samples(X), -scores)
    np.testing.assert_allclose(detector.decision_function(X), detector.threshold_ - scores)
    np.testing.assert_array_equal(detector.predict(X) == -1, scores > detector.threshold_)
    shapes = {"explain": X.shape, "reconstruct": X.shape, "embed": (n, detector.latent_dim)}
    for question in answerable(detector):
        answer = np.asarray(getattr(detector, question)(X))
        assert answer.shape == shapes[question]
        assert np.isfinite(answer).all()
        assert question != "explain" or (answer >= 0).all()
    assert all(part.shape == (n,) for part in detector.score_components(X).values())
    p = detector.p_value(X)
    assert p[np.argmax(scores)] == p.min()
    assert p[np.argmin(scores)] == p.max()
    assert p.min() >= 1 / (len(detector.calibration_scores_) + 1)


@detectors("table")
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
    if "explain" in answerable(detector):
        assert detector.explain(frame).shape == (200, 4)
    if "reconstruct" in answerable(detector):
        back = detector.reconstruct(frame)
        assert list(back.columns) == list(frame.columns)
        assert set(back["city"]) <= {"Oslo", "Rome", "Lima", "(other)"}
    with pytest.raises(ValueError, match="city"):
        detector.anomaly_score(frame.drop(columns="city"))


@detectors("table")
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
