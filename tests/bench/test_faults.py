"""Each fault of published code does what its description says, and nothing more."""

import copy
import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from oddgan import EGBAD, VAE, GANomaly, PCAReconstruction, training
from oddgan.bench.faults import FAULTS, faults_named
from oddgan.datasets import Dataset
from oddgan.evaluation.protocols import KDD99, OneClassAnomalous, RandomHalf
from support.data import DATA, fitted, quick


def digits(n=1000):
    """A stand-in for MNIST: n images of ten classes, each image unlike all others."""
    X = np.random.default_rng(0).integers(0, 256, (n, 4, 4), dtype=np.uint8)
    return Dataset("toy", "image", X, np.arange(n) % 10, None, "")


def arrhythmia(n=452, n_odd=66):
    """A table as long as Arrhythmia, with as many anomalies."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(n) < n_odd).astype(int)
    return Dataset("arrhythmia", "table", pd.DataFrame(rng.normal(size=(n, 3))), y, None, "")


def same(split, other, but):
    """Return whether two splits agree in all but some fields."""
    fields = set(vars(split)) - set(but)
    return all(np.array_equal(getattr(split, name), getattr(other, name)) for name in fields)


def as_usual(detector, X):
    """Return the test samples' labels and how a detector is fitted and scores, as a run does."""
    y = np.arange(len(X)) % 2
    return y, lambda unfitted: unfitted.fit(X), lambda fitted: fitted.anomaly_score(X)


# ------------------------------------------------------------------------------ all of them


def test_faults_are_found_by_name_in_the_order_they_are_applied():
    names = [fault.name for fault in faults_named("test-minmax, leak,unscaled,leak")]
    assert names == ["unscaled", "leak", "test-minmax"]
    assert faults_named(["leak"]) == (FAULTS["leak"],)
    assert faults_named("") == faults_named([]) == ()
    with pytest.raises(ValueError, match="no fault is called 'leek'; there are unscaled, leak, "):
        faults_named("leak,leek")


CHANGES = {
    "unscaled": {"params"},
    "leak": {"split"},
    "contaminated": {"split"},
    "oracle-epoch": {"fit"},
    "batch-statistics": {"scorer"},
    "test-minmax": {"scores"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_one_thing(name, table):
    """All other steps of a run stay unchanged."""
    fault, data, y = FAULTS[name], arrhythmia(), np.array([0, 1])
    changed = set()
    params = {"scaling": "minmax", "width": 8}
    if fault.params(dict(params), EGBAD) != params:
        changed.add("params")
    protocol = RandomHalf(flag_rate=0.15)
    split = protocol.split(data)
    if not same(fault.split(data, split, protocol, 0), split, but=()):
        changed.add("split")
    detector, calls = quick(VAE), []

    def fit(unfitted):
        calls.append(unfitted)
        return unfitted.fit(table)

    detector_with_fault = fault.fit(
        detector, fit, lambda fitted: fitted.anomaly_score(table[:2]), y
    )
    if detector_with_fault is not detector or calls != [detector]:
        changed.add("fit")
    if fault.scorer is not None:
        changed.add("scorer")
    scores = np.array([3.0, 1.0])
    scored, threshold = fault.scores(scores, y)
    if threshold is not None or not np.array_equal(scored, scores):
        changed.add("scores")
    assert changed == CHANGES[name]


def test_each_has_a_description_and_a_source():
    for name, fault in FAULTS.items():
        assert fault.name == name
        assert re.fullmatch(r"[^.]*(\.\d[^.]*)*", fault.description), (
            "one clause, without a full stop"
        )
        assert ".py" in fault.source


# --------------------------------------------------------------------------------- unscaled


def test_unscaled_columns_are_encoded_as_they_are():
    X = np.random.default_rng(0).normal(3, 5, size=(60, 3)) * [1, 100, 1e6]
    params = FAULTS["unscaled"].params({"scaling": "minmax", "max_steps": 2}, PCAReconstruction)
    detector = quick(PCAReconstruction, **params).fit(X)
    np.testing.assert_array_equal(detector.codec_.encode(X).numpy(), X.astype(np.float32))
    assert (params["max_steps"], params["scaling"]) == (2, "none")


# ------------------------------------------------------------------------------------- leak


def test_a_leaky_test_part_has_the_right_counts_and_rows_that_train():
    data, protocol = digits(), OneClassAnomalous(3)
    split = protocol.split(data)
    leaky = FAULTS["leak"].split(data, split, protocol, 0)
    # 900 normal rows: 720 train, 180 test with the 100 anomalies.
    assert (len(leaky.train), len(leaky.test), leaky.y_test.sum()) == (720, 280, 100)
    assert same(leaky, split, but=("test", "y_test", "testing"))
    np.testing.assert_array_equal(leaky.y_test, data.y[leaky.test] == 3)
    assert (np.diff(leaky.test) > 0).all()
    share = np.isin(leaky.test[leaky.y_test == 0], leaky.train).mean()
    assert share == 144 / 180  # .8, as of the 900 rows that both parts draw from
    assert "but 80% of its normal rows train" in leaky.description


@pytest.mark.parametrize("limits", [{"train": 200}, {"test": 70}, {"train": 300, "test": 140}])
def test_limits_do_not_change_the_share_that_leaks(limits):
    data, protocol = digits(), OneClassAnomalous(3)
    split = protocol.split(data).limited(**limits)
    leaky = FAULTS["leak"].split(data, split, protocol, 0)
    assert same(leaky, split, but=("test", "y_test", "testing"))
    np.testing.assert_array_equal(leaky.y_test, data.y[leaky.test] == 3)
    np.testing.assert_array_equal(leaky.test[leaky.y_test == 1], split.test[split.y_test == 1])
    normal = leaky.test[leaky.y_test == 0]
    assert len(set(normal)) == len(split.y_test) - split.y_test.sum()
    leaked = np.isin(normal, leaky.train)
    assert leaked.mean() == pytest.approx(0.8, abs=0.5 / len(normal))
    assert set(normal[~leaked]) <= set(split.test)
    assert "but 80% of its normal rows train" in leaky.description


def test_no_more_rows_leak_than_train():
    data, protocol = digits(), OneClassAnomalous(3)
    leaky = FAULTS["leak"].split(data, protocol.split(data).limited(train=90), protocol, 0)
    assert set(leaky.train) < set(leaky.test)
    assert "but 50% of its normal rows train" in leaky.description  # 90 of 180


def test_another_seed_leaks_other_rows():
    data, protocol = digits(), OneClassAnomalous(3)
    split = protocol.split(data)
    first, again, other = (FAULTS["leak"].split(data, split, protocol, s).test for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


# ----------------------------------------------------------------------------- contaminated


def test_the_training_half_keeps_its_anomalies():
    data, protocol = arrhythmia(), RandomHalf(flag_rate=0.15)
    split = protocol.split(data)
    contaminated = FAULTS["contaminated"].split(data, split, protocol, 0)
    assert same(contaminated, split, but=("train", "training", "contaminating"))
    # Half of the rows and all of them, as the loader that selects no class has it.
    np.testing.assert_array_equal(contaminated.train, np.setdiff1d(np.arange(452), split.test))
    assert len(contaminated.train) == 226
    is_anomaly = data.y[contaminated.train] == 1
    assert is_anomaly.sum() == 66 - split.y_test.sum() > 0
    np.testing.assert_array_equal(contaminated.contaminating, contaminated.train[is_anomaly])
    assert f"and {is_anomaly.sum()} anomalies that it would leave out" in contaminated.description


def test_a_limited_training_part_is_contaminated_in_proportion():
    data, protocol = arrhythmia(), RandomHalf(flag_rate=0.15)
    full = FAULTS["contaminated"].split(data, protocol.split(data), protocol, 0)
    split = protocol.split(data).limited(train=50)
    limited = FAULTS["contaminated"].split(data, split, protocol, 0)
    share = [len(part.contaminating) / len(part.train) for part in (full, limited)]
    assert share[1] == pytest.approx(share[0], abs=0.01)
    assert (data.y[limited.contaminating] == 1).all()
    assert set(split.train) < set(limited.train)


def test_kdd99_is_contaminated_by_normal_connections():
    y = np.array(["normal.", "smurf.", "smurf.", "neptune."] * 50)
    data = Dataset("kddcup99", "table", pd.DataFrame({"a": range(200)}), y, None, "")
    contaminated = FAULTS["contaminated"].split(data, KDD99().split(data), KDD99(), 0)
    assert set(data.y[contaminated.contaminating]) == {"normal."}
    assert len(contaminated.train) == 100


def test_a_protocol_that_leaves_nothing_out_cannot_be_contaminated():
    data, protocol = digits(), OneClassAnomalous(3)
    with pytest.raises(ValueError, match="one-class-anomalous leaves no anomaly of toy out of"):
        FAULTS["contaminated"].split(data, protocol.split(data), protocol, 0)


def test_leak_and_contaminated_together_leak_normal_rows_only():
    data, protocol = arrhythmia(), RandomHalf(flag_rate=0.15)
    split = protocol.split(data)
    for fault in (FAULTS["contaminated"], FAULTS["leak"]):  # whatever the order
        split = fault.split(data, split, protocol, 0)
    np.testing.assert_array_equal(split.y_test, data.y[split.test])


# ----------------------------------------------------------------------------- oracle-epoch


@pytest.mark.parametrize(("cls", "kind"), [(GANomaly, "image"), (EGBAD, "table")])
def test_a_shorter_run_is_the_beginning_of_a_longer_one(cls, kind, monkeypatch):
    """Averaged weights too: runs of several lengths are several looks at one training."""
    short, caught = fitted(cls, kind, max_steps=12), {}
    report = training.Trainer._report

    def look(trainer):
        report(trainer)
        if trainer.step == 12:
            averaged = trainer._average.module if trainer._average else trainer._all
            caught.update(copy.deepcopy(averaged.state_dict()))

    monkeypatch.setattr(training.Trainer, "_report", look)
    quick(cls, max_steps=30).fit(DATA[kind]())
    weights = torch.nn.ModuleDict(short.networks_).state_dict()
    assert bool(cls().ema_decay) == (cls is EGBAD)
    assert weights.keys() == caught.keys()
    for name, tensor in weights.items():
        assert torch.equal(tensor, caught[name]), name


def test_the_length_that_is_best_on_the_test_samples_is_kept(table):
    y, fit, score = as_usual(EGBAD, table)
    plain = quick(EGBAD, max_steps=50).fit(table)
    chosen = FAULTS["oracle-epoch"].fit(quick(EGBAD, max_steps=50), fit, score, y)
    aurocs = [
        roc_auc_score(y, quick(EGBAD, max_steps=steps).fit(table).anomaly_score(table))
        for steps in (10, 20, 30, 40, 50)
    ]
    assert len(set(aurocs)) > 1
    best = int(np.argmax(aurocs))
    assert roc_auc_score(y, score(chosen)) == aurocs[best] >= roc_auc_score(y, score(plain))
    assert chosen.provenance_["oracle_epoch"] == {
        "steps": [10, 20, 30, 40, 50],
        "auroc": aurocs,
        "chosen": (10, 20, 30, 40, 50)[best],
    }
    assert chosen.history_[-1]["step"] == (10, 20, 30, 40, 50)[best]


@pytest.mark.parametrize("best", [10, 30, 50])
def test_the_oracle_looks_at_the_test_samples_alone(best, table):
    """The length that they prefer is kept, whatever the training losses."""
    y, fit, _ = as_usual(VAE, table)

    def score(detector):
        right = detector.history_[-1]["step"] == best
        return np.where(y == right, 1.0, 0.0)

    chosen = FAULTS["oracle-epoch"].fit(quick(VAE, max_steps=50), fit, score, y)
    assert chosen.provenance_["oracle_epoch"]["chosen"] == chosen.history_[-1]["step"] == best


def test_the_oracle_takes_the_length_that_epochs_give(table):
    """270 training rows in batches of 90 for 5 epochs are 15 training steps, not `max_steps`."""
    y, fit, score = as_usual(VAE, table)
    detector = quick(VAE, max_steps=3000, min_steps=1, epochs=5, batch_size=90)
    chosen = FAULTS["oracle-epoch"].fit(detector, fit, score, y)
    assert chosen.provenance_["oracle_epoch"]["steps"] == [3, 6, 9, 12, 15]


def test_a_closed_form_has_no_epochs(table):
    y, fit, score = as_usual(PCAReconstruction, table)
    detector = quick(PCAReconstruction)
    assert FAULTS["oracle-epoch"].fit(detector, fit, score, y) is detector


# ------------------------------------------------------------------------- batch-statistics


@pytest.fixture(scope="module")
def judged():
    """A fitted GANomaly, 150 images to score and labels of which every third is an anomaly."""
    images = DATA["image"]()
    X = np.concatenate([images, 255 - images[:30]])
    return quick(GANomaly, max_steps=60).fit(images), X, (np.arange(150) % 3 == 0).astype(int)


def test_a_score_then_depends_on_its_batch_mates(judged):
    detector, X, y = judged
    scorer = FAULTS["batch-statistics"].scorer
    others = X.copy()
    others[1:] = 255 - others[1:]  # the first sample, an anomaly, stays
    assert detector.anomaly_score(others)[0] == detector.anomaly_score(X)[0]
    assert scorer(detector, others, y)[0] != pytest.approx(scorer(detector, X, y)[0], rel=1e-3)


def test_batches_are_64_samples_with_the_normal_ones_first(judged):
    """Against GANomaly's networks in training mode, as its code leaves them."""
    detector, X, y = judged
    scores = FAULTS["batch-statistics"].scorer(detector, X, y)
    nets = copy.deepcopy(detector.networks_)
    order = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)])
    for net in nets.values():
        net.train()
    with torch.no_grad():
        for start in (0, 64):
            batch = order[start : start + 64]
            x = detector.codec_.encode(X[batch])
            z = nets["encoder"](x)
            by_hand = (z - nets["second_encoder"](nets["generator"](z))).abs().sum(1)
            np.testing.assert_allclose(scores[batch], by_hand, rtol=1e-4)


def test_the_detector_is_unchanged_afterwards(judged):
    detector, X, y = judged
    before = {role: copy.deepcopy(net.state_dict()) for role, net in detector.networks_.items()}
    scores = detector.anomaly_score(X)
    FAULTS["batch-statistics"].scorer(detector, X, y)
    np.testing.assert_array_equal(detector.anomaly_score(X), scores)
    for role, net in detector.networks_.items():
        after = net.state_dict()
        assert after.keys() == before[role].keys()
        assert all(torch.equal(after[name], before[role][name]) for name in after)


def test_networks_without_batch_norm_have_the_same_scores(table):
    detector, y = fitted(EGBAD, "table"), np.arange(len(table)) % 2
    scores = FAULTS["batch-statistics"].scorer(detector, pd.DataFrame(table), y)
    np.testing.assert_allclose(scores, detector.anomaly_score(table), rtol=1e-5)


# ------------------------------------------------------------------------------ test-minmax


def test_scores_are_scaled_by_the_test_set_and_flagged_above_a_fifth():
    scores = np.array([10.0, 12.0, 11.9, 20.0, 12.1])
    scaled, threshold = FAULTS["test-minmax"].scores(scores, np.array([0, 0, 0, 1, 1]))
    np.testing.assert_allclose(scaled, [0, 0.2, 0.19, 1, 0.21])
    assert threshold == 0.2
    assert f1_score([0, 0, 0, 1, 1], scaled > threshold) == 1


def test_the_order_and_so_the_auroc_stays():
    rng = np.random.default_rng(0)
    scores, y = rng.lognormal(size=500), rng.random(500) < 0.3
    scaled, _ = FAULTS["test-minmax"].scores(scores, y)
    assert (scaled.min(), scaled.max()) == (0, 1)
    assert roc_auc_score(y, scaled) == roc_auc_score(y, scores)


def test_equal_scores_cannot_be_scaled():
    with pytest.raises(ValueError, match="all test scores are equal"):
        FAULTS["test-minmax"].scores(np.ones(3), np.array([0, 0, 1]))
