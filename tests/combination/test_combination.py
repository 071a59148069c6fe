"""Several detectors as one: hand-computed rules, the promise by simulation, and the families."""

import json
import math
import pickle
import signal
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks
from typer.testing import CliRunner

import oddgan
from oddgan import VAE, Combination, OddGAN, PCAReconstruction
from oddgan.cli import app
from oddgan.cli.combining import make_combination
from oddgan.combination import sklearn_files
from oddgan.combination.rules import RULES, Reference
from oddgan.training.loop import Trainer
from support.data import make_table, quick

ODD = np.array([[9.0, -9.0, 9.0, -9.0]])


class Column(BaseEstimator):
    """A detector that finds large values of one column odd; scikit-learn's sign."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y=None):
        self.n_rows_ = len(X)
        return self

    def score_samples(self, X):
        return -X[:, self.column]


# ------------------------------------------------------------------------------- rules, by hand


def test_fisher_by_hand_from_members_to_decision():
    # Held out: two rows for the p-values, two for the threshold; each column is a member's score.
    X = np.random.default_rng(0).normal(size=(20, 2))
    both = Combination([Column(0), Column(1)], calibration_fraction=0.2, target_fpr=0.4)
    both.set_params(random_state=0).fit(X)
    first = [reference.scores for reference in both.fitted_.references]
    assert [len(scores) for scores in first] == [2, 2]
    assert both.members_["column-1"].n_rows_ == 16
    (a, b), (c, d) = first  # in ascending order
    new = np.array([[(a + b) / 2, (c + d) / 2], [(a + b) / 2, c - 1], [a - 1, c - 1]])
    p = [[2 / 3, 2 / 3], [2 / 3, 1], [1, 1]]
    np.testing.assert_allclose(both.member_scores(new), p)
    assert list(both.member_scores(new).columns) == ["column-1", "column-2"]
    # A p-value of 1 counts as 1 - 1/6. Beyond the largest b, 1/3 falls off: at b + 3 (b - a) / 2,
    # which is three units of the distance from the median, to 1/12.
    expected = [-4 * math.log(2 / 3), -2 * math.log(2 / 3 * 5 / 6), -4 * math.log(5 / 6)]
    np.testing.assert_allclose(both.anomaly_score(new), expected)
    far = np.array([[b + 3 * (b - a) / 2, c - 1]])
    np.testing.assert_allclose(both.member_scores(far), [[1 / 3, 1]])
    np.testing.assert_allclose(both.anomaly_score(far), -2 * math.log(1 / 12 * 5 / 6))
    # Of two held-out statistics, k = ceil(3 * .6) = 2: the larger one.
    assert both.threshold_ == both.calibration_scores_.max()
    assert both.predict([[b + 99, d + 99]]) == -1
    assert both.p_value([[b + 99, d + 99]]) == pytest.approx(1 / 3)


P = np.array([[0.02, 0.5, 0.9], [0.3, 0.3, 0.3], [0.001, 0.99, 0.99]])


@pytest.mark.parametrize(("rule", "method"), [("fisher", "fisher"), ("stouffer", "stouffer")])
def test_rules_are_scipys(rule, method):
    expected = [stats.combine_pvalues(row, method=method).statistic for row in P]
    np.testing.assert_allclose(RULES[rule](P), expected)


def test_the_other_rules_by_hand():
    np.testing.assert_allclose(RULES["min"](P), -np.log([0.02, 0.3, 0.001]))
    np.testing.assert_allclose(RULES["mean"](P), -np.log([1.42 / 3, 0.3, 1.981 / 3]))
    np.testing.assert_allclose(RULES["cauchy"](P), np.tan(np.pi * (0.5 - P)).mean(axis=1))
    # tan(pi (1/2 - p)) itself would end at 1.6e16.
    np.testing.assert_allclose(RULES["cauchy"](np.array([[1e-20]])), 1e20 / np.pi)


@pytest.mark.parametrize("rule", RULES)
def test_lower_p_values_are_odder(rule):
    p = np.full((2, 3), 0.4)
    p[1, 2] = 0.1
    assert np.diff(RULES[rule](p)) > 0


def test_rows_beyond_all_held_out_ones_keep_their_order():
    scores = np.array([-1e9, 0, 0.5, 1, 1 + 1e-6, 2, 1e6, 1e300])
    evidence = Reference.fit([0, 0.2, 0.4, 1]).evidence(scores)
    assert ((evidence > 0) & (evidence < 1)).all()
    assert (np.diff(evidence[2:]) < 0)[1:].all()
    constant = Reference.fit([0.0, 0.0]).evidence(np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_allclose(constant, [1 - 1 / 6, 1 - 1 / 6, 1 / 6])


# ------------------------------------------------------------------------ the promise, simulated


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dependence", ["independent", "opposite"])
def test_false_alarms_are_as_promised_however_members_depend(rule, dependence):
    """Few rows, many members: were the same rows to serve both ends, it would be .12 to .22."""
    n_runs, n_new, n_held, target_fpr, n_members = 200, 50, 40, 0.1, 6
    rng = np.random.default_rng(0)
    alarms = []
    for run in range(n_runs):
        X = rng.standard_cauchy(size=(n_held + 10 + n_new, n_members))
        if dependence == "opposite":
            X = X[:, :1] * np.where(np.arange(n_members) % 2, -1, 1)
        members = [Column(k) for k in range(n_members)]
        both = Combination(
            members, rule=rule, target_fpr=target_fpr, calibration_fraction=0.8, random_state=run
        ).fit(X[:-n_new])
        assert len(both.calibration_scores_) == n_held / 2
        alarms.append((both.predict(X[-n_new:]) == -1).mean())
    error = np.std(alarms) / math.sqrt(n_runs)
    assert np.mean(alarms) <= target_fpr + 3 * error
    if dependence == "independent" and rule != "min":  # elsewhere ties make it less
        assert np.mean(alarms) >= target_fpr - 1 / (n_held / 2 + 1) - 3 * error


def test_with_too_few_rows_nothing_is_flagged():
    with pytest.warns(
        UserWarning, match=r"nothing will be flagged: .*takes 19 .*there are 2; give"
    ):
        fitted = Combination([Column()], random_state=0).fit(make_table()[:40])
    assert (fitted.predict(1000 * make_table()) == 1).all()


# ------------------------------------------------------------------------------------- families


def families():
    yield pytest.param(PCAReconstruction(), id="ours")
    yield pytest.param(quick(VAE, random_state=None), id="ours, trained")
    for detector in (
        IsolationForest(),
        LocalOutlierFactor(novelty=True),
        OneClassSVM(),
        KernelDensity(),
        make_pipeline(StandardScaler(), IsolationForest()),
    ):
        yield pytest.param(detector, id=type(detector).__name__)
    if find_spec("pyod"):
        from pyod.models.ecod import ECOD
        from pyod.models.iforest import IForest
        from pyod.models.knn import KNN

        for detector in (KNN(), IForest(), ECOD()):
            yield pytest.param(detector, id=f"PyOD {type(detector).__name__}")


@pytest.mark.parametrize("detector", list(families()))
def test_the_sign_is_right_the_fit_repeats_and_the_given_one_is_left_alone(detector, table):
    given = str(detector.get_params())
    one = Combination([detector], target_fpr=0.1, random_state=0).fit(table)
    scores = one.anomaly_score(np.vstack([ODD, table]))
    assert scores[0] > np.quantile(scores[1:], 0.97)
    assert one.predict(ODD) == -1
    assert one.p_value(ODD) == pytest.approx(1 / 16)  # of 15 held-out rows
    assert one.member_scores(ODD).iloc[0, 0] == pytest.approx(1 / 16)
    assert (one.predict(table) == 1).mean() > 0.5
    assert str(detector.get_params()) == given
    again = clone(one).fit(table)
    np.testing.assert_array_equal(again.anomaly_score(np.vstack([ODD, table])), scores)


def test_global_random_state_is_left_alone(table, global_random_state_untouched):
    members = [PCAReconstruction(), quick(VAE, random_state=None), IsolationForest()]
    Combination(members, target_fpr=0.1).fit(table).anomaly_score(table)


def test_families_together_agree_with_each_alone(table):
    members = [
        ("ours", PCAReconstruction(random_state=1)),
        ("forest", IsolationForest(random_state=1)),
        ("svm", OneClassSVM()),
    ]
    both = Combination(members, target_fpr=0.1, random_state=0).fit(table)
    frame = both.member_scores(table)
    assert list(frame.columns) == ["ours", "forest", "svm"]
    for pair in members:
        alone = Combination([pair], target_fpr=0.1, random_state=0).fit(table)
        np.testing.assert_array_equal(alone.member_scores(table)[pair[0]], frame[pair[0]])
    again = pickle.loads(pickle.dumps(both))
    np.testing.assert_array_equal(again.decision_function(table), both.decision_function(table))
    np.testing.assert_array_equal(both.predict(table) == -1, both.decision_function(table) < 0)


def test_parameters_reach_the_members():
    both = Combination([VAE(), IsolationForest(), IsolationForest()])
    params = both.get_params()
    assert {"vae", "isolationforest-1", "isolationforest-2", "rule"} <= params.keys()
    both.set_params(**{"vae__epochs": 3, "isolationforest-2__n_estimators": 7})
    assert both.detectors[0].epochs == 3
    assert [forest.n_estimators for forest in both.detectors[1:]] == [100, 7]
    assert clone(both).get_params()["isolationforest-2__n_estimators"] == 7
    both.set_params(vae=OneClassSVM())
    assert [name for name, _ in both.detectors] == ["vae", "isolationforest-1", "isolationforest-2"]
    assert isinstance(both.get_params()["vae"], OneClassSVM)


# --------------------------------------------------------------------------------------- inputs


def test_text_and_gaps_reach_members_that_only_take_numbers(tmp_path):
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "zip": rng.choice(["0150", "0151"], n),  # text, though a CSV file does not show it
            "city": rng.choice(["Oslo", "Rome"], n),
            "amount": np.where(rng.random(n) < 0.1, np.nan, rng.normal(50, 5, n)),
        }
    )
    both = Combination([PCAReconstruction(), IsolationForest()], target_fpr=0.1, random_state=0)
    both.fit(frame)
    odd = pd.DataFrame({"zip": ["0150"], "city": ["Lima"], "amount": [900.0]})
    assert both.predict(odd) == -1
    frame.to_csv(tmp_path / "rows.csv", index=False)
    from_file = clone(both).fit(tmp_path / "rows.csv")
    assert len(from_file.anomaly_score(tmp_path / "rows.csv")) == n
    with pytest.raises(ValueError, match="column 'amount', row 0: expected a number"):
        both.predict(odd.assign(amount="dear"))


def test_numbers_reach_other_libraries_as_they_are(table):
    class Spy(Column):
        def fit(self, X, y=None):
            self.rows_ = X
            return self

    for X in (table, pd.DataFrame(table, columns=list("abcd"))):
        seen = Combination([Spy()], target_fpr=0.1, random_state=0).fit(X).members_["spy"].rows_
        assert type(seen) is np.ndarray
        assert {tuple(row) for row in seen} <= {tuple(row) for row in table}
        assert len(seen) == 270


def test_images(images):
    both = Combination(
        [PCAReconstruction(), IsolationForest()], calibration_fraction=0.3, random_state=0
    )
    both.set_params(target_fpr=0.1).fit(images)
    noise = np.random.default_rng(0).integers(0, 256, (3, 8, 10)).astype(np.uint8)
    assert (both.predict(noise) == -1).all()
    assert both.member_scores(noise).shape == (3, 2)


# ------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("detectors", "error", "message"),
    [
        (
            [VAE(), LogisticRegression()],
            TypeError,
            "'logisticregression' .*not an outlier detector",
        ),
        ([("mine", KMeans())], TypeError, "member 'mine' is of type KMeans"),
        ([VAE(), None], TypeError, "member 'nonetype'"),
        ([("forest", IsolationForest)], TypeError, r"'forest' is a class.*IsolationForest\(\)"),
        ([LocalOutlierFactor()], ValueError, "'localoutlierfactor'.*novelty=True"),
        (
            [make_pipeline(StandardScaler(), LocalOutlierFactor())],
            ValueError,
            "'pipeline'.*novelty=True",
        ),
        ([], ValueError, "at least one detector"),
        ([("a", VAE()), ("a", VAE())], ValueError, "not unique"),
        ([("rule", VAE())], ValueError, "conflict"),
        ("vae", ValueError, "'detectors' parameter of Combination"),
    ],
)
def test_a_bad_member_is_named_before_anything_is_fitted(detectors, error, message):
    with pytest.raises(error, match=message):
        Combination(detectors).fit(make_table())


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="'rule' parameter"):
        Combination([VAE()], rule="best").fit(make_table())


def test_a_member_that_fails_or_scores_nan_is_named(table):
    with pytest.raises(ValueError, match="member 'vae': The 'epochs' parameter"):
        Combination([PCAReconstruction(), VAE(epochs=0)], random_state=0).fit(table)

    class Broken(Column):
        def score_samples(self, X):
            return np.full(len(X), np.nan)

    with pytest.raises(ValueError, match="member 'broken': 15 of 15 scores are NaN"):
        Combination([Broken()], random_state=0).fit(table)


@parametrize_with_checks(
    [
        Combination(
            [IsolationForest(n_estimators=5)], target_fpr=0.3, calibration_fraction=0.3
        ).set_params(random_state=0)
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# -------------------------------------------------------------------------- files, command line


def correlated(n=300):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(n, 4))


@pytest.mark.parametrize("frame", [False, True])
def test_a_stored_combination_is_the_same(tmp_path, frame):
    X = correlated()
    if frame:
        X = pd.DataFrame(X, columns=list("abcd")).assign(kind=np.tile(["u", "v"], len(X) // 2))
    members = [
        PCAReconstruction(latent_dim=2),
        OddGAN(max_steps=5, width=8),
        make_pipeline(StandardScaler(), IsolationForest(n_estimators=5)),
        LocalOutlierFactor(novelty=True, algorithm="brute"),
        OneClassSVM(),
    ]
    fitted = Combination(members, rule="min", calibration_fraction=0.2, random_state=0).fit(X)
    fitted.set_params(rule="mean").save(tmp_path / "m.oddgan")
    again = oddgan.load(tmp_path / "m.oddgan")
    np.testing.assert_array_equal(again.anomaly_score(X), fitted.anomaly_score(X))
    np.testing.assert_array_equal(again.p_value(X), fitted.p_value(X))
    pd.testing.assert_frame_equal(again.member_scores(X), fitted.member_scores(X))
    assert (again.threshold_, again.rule_, again.n_train_) == (fitted.threshold_, "min", 240)
    assert type(again.members_["oddgan"]) is OddGAN
    with pytest.raises(ValueError, match=r"5 features|missing:\n- kind"):
        again.predict(X.drop(columns="kind") if frame else np.ones((2, 5)))
    with pytest.raises(ValueError, match="`oddgan score`"):
        oddgan.models.load_detector(tmp_path / "m.oddgan")


def test_what_cannot_be_stored_is_named(tmp_path):
    both = Combination([("far", LocalOutlierFactor(novelty=True))])
    with pytest.raises(ValueError, match=r"'far' \(LocalOutlierFactor\) holds .*KDTree.*'brute'"):
        both.fit(correlated()).save(tmp_path / "m.oddgan")
    assert not list(tmp_path.iterdir())


def with_nodes(forest, **changed):
    tree = forest.estimators_[1].tree_
    state = tree.__getstate__()
    nodes = state["nodes"].copy()
    for name, value in changed.items():
        nodes[name][0] = value
    tree.__setstate__({**state, "nodes": nodes})
    return forest


@pytest.mark.parametrize(
    "changed",
    [
        {"left_child": 9999},
        {"right_child": 0},
        {"left_child": -2},
        {"feature": 4},
        {"feature": -3},
    ],
)
def test_trees_that_lead_astray_are_refused(changed):
    forest = IsolationForest(n_estimators=3, random_state=0).fit(correlated())
    np.testing.assert_array_equal(
        sklearn_files.from_bytes(sklearn_files.to_bytes(forest)).score_samples(ODD),
        forest.score_samples(ODD),
    )
    with pytest.raises(ValueError, match="trees with nodes that point outside"):
        sklearn_files.from_bytes(sklearn_files.to_bytes(with_nodes(forest, **changed)))


def test_a_forest_of_other_estimators_or_of_fewer_columns_than_its_trees_have_is_refused():
    forest = IsolationForest(n_estimators=3, random_state=0).fit(correlated())
    forest.n_features_in_ = 3
    with pytest.raises(ValueError, match="trees"):
        sklearn_files.from_bytes(sklearn_files.to_bytes(forest))
    forest.n_features_in_ = 4
    forest.estimators_[0] = DecisionTreeRegressor().fit(correlated(), correlated()[:, 0])
    with pytest.raises(ValueError, match="trees"):
        sklearn_files.from_bytes(sklearn_files.to_bytes(forest))


def test_trees_that_nobody_checks_are_refused():
    X = correlated()
    chosen = SelectFromModel(ExtraTreeRegressor(random_state=0)).fit(X, X[:, 0])
    detector = Pipeline([("some", chosen), ("forest", IsolationForest(n_estimators=2).fit(X))])
    assert sklearn_files.not_stored(detector) == ["sklearn.tree._tree.Tree"]
    with pytest.raises(ValueError, match="trees"):
        sklearn_files.from_bytes(sklearn_files.to_bytes(detector))


def test_the_command_line_fits_scores_and_tells_of_a_combination(tmp_path):
    def run(*args):
        outcome = CliRunner().invoke(app, [str(arg) for arg in args])
        if outcome.exception and not isinstance(outcome.exception, SystemExit):
            raise outcome.exception
        return outcome.stdout

    model, table = tmp_path / "both.oddgan", tmp_path / "t.csv"
    frame = pd.DataFrame(correlated(), columns=list("abcd")).assign(odd=0)
    frame.loc[::10, ["a", "odd"]] = [[9.0, 1]] * 30
    frame.to_csv(table, index=False)
    options = ["--label", "odd", "--set", "calibration_fraction=0.3", "--set", "rule=min"]
    fit = ["fit", "VAE+isolationforest", table, "--out", model, *options, "--set"]
    told = json.loads(run(*fit, "vae__max_steps=20", "--json"))
    assert told["n_held_out"] == 29  # of 57, three in ten of 189
    assert list(tmp_path.glob("*.ckpt*")) == []
    fitted = oddgan.load(model)
    assert fitted.members_["vae"].max_steps == 20
    found = json.loads(run("evaluate", model, table, "--json"))["results"]
    assert found["vae+isolationforest min"][0]["auroc"] > 0.9
    samples = json.loads(run("score", model, table, "--label", "odd", "--json"))["samples"]
    np.testing.assert_array_equal(
        [sample["anomaly_score"] for sample in samples],
        fitted.anomaly_score(frame.drop(columns="odd")),
    )
    told = json.loads(run("inspect", model, "--json"))
    assert told["members"].keys() == {"vae", "isolationforest"}
    assert "member isolationforest" in run("inspect", model)
    for args, message in [
        (["score", model, table, "--std"], "--std is for a single detector"),
        (["drift", model, table], "`oddgan score`"),
        (["fit", "vae+foo", table, "--out", model], "'foo'.*isolationforest"),
        ([*fit, "vae_max_steps=3"], "no parameter 'vae_max_steps'"),
    ]:
        with pytest.raises(ValueError, match=message):
            run(*args)


def test_each_combination_of_the_command_line_has_members_of_its_own():
    params = {"device": "cpu", "verbose": 0, "checkpoint": "m.ckpt"}
    text, name = "isolationforest+isolationforest", "isolationforest-{}__n_estimators"
    one = make_combination(text, {**params, name.format(1): 7}).get_params()
    other = make_combination(text, params).get_params()
    assert [one[name.format(i)] for i in (1, 2)] == [7, 100]
    assert [other[name.format(i)] for i in (1, 2)] == [100, 100]


def test_a_stopped_fit_of_a_combination_goes_on(tmp_path):
    params = {"device": "cpu", "verbose": 0, "checkpoint": tmp_path / "c", "random_state": 0}
    params |= {"calibration_fraction": 0.2, "autoencoder__max_steps": 30, "vae__max_steps": 60}
    params |= {"autoencoder__n_folds": 1, "vae__n_folds": 1}
    X, text = correlated(), "autoencoder+vae"
    whole = make_combination(text, {**params, "checkpoint": tmp_path / "w"}).fit(X)
    stopped = make_combination(text, params)
    steps = []

    def stop(trainer):
        steps.append(trainer.step)
        if len(steps) == 70:
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_report", stop)
        with pytest.raises(KeyboardInterrupt):
            stopped.fit(X)
    assert [path.name for path in tmp_path.iterdir()] == ["c.vae"]
    again = make_combination(text, params).fit(X)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(again.anomaly_score(X), whole.anomaly_score(X))
