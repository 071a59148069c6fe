"""The promises that every detector keeps, as plain functions of its class.

test_detectors.py runs them on every detector; test_planted_faults.py shows that each notices the
fault it is there for.
"""

import contextlib
import copy
import pickle
import random
import tempfile
from contextlib import contextmanager
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

import oddgan
from oddgan import training
from oddgan.scores import SHARED_COMPONENTS, spaces_needed
from support.data import DATA, fitted, quick, rows_of_fit


def method_of(detector, kind):
    """Return the detector that has the hooks: of OddGAN, that of its recipe."""
    return detector.recipe(kind) if isinstance(detector, oddgan.OddGAN) else detector


# --------------------------------------------------------------------- 1. outliers score higher


def check_planted_outliers_in_a_table_score_higher(cls):
    table = DATA["table"]()
    outliers = np.random.default_rng(1).uniform(-8, 8, size=(60, 4))
    detector = cls(random_state=0).fit(table[:240])
    assert not detector.health_, detector.health_report()
    scores = detector.anomaly_score(np.concatenate([table[240:], outliers]))
    assert roc_auc_score([0] * 60 + [1] * 60, scores) > 0.9
    assert (detector.predict(outliers) == -1).mean() > 0.5


def check_planted_outliers_among_images_score_higher(cls):
    images = DATA["image"]()
    outliers = np.random.default_rng(1).integers(0, 256, size=(20, 8, 10), dtype=np.uint8)
    # With the learning rates of the papers it takes 500 steps or more.
    params = {"max_steps": 150, "width": 16, "batch_size": 16, "learning_rate": 1e-3}
    detector = quick(cls, **params, health=True).fit(images[:100])
    # Ten held-out images are few. After so few steps some reconstruct each image as their mean, and
    # these outliers are far from it; there is no more to say.
    assert {check.name for check in detector.health_} - {"same reconstruction"} == {
        "few held-out rows"
    }
    scores = detector.anomaly_score(np.concatenate([images[100:], outliers]))
    assert roc_auc_score([0] * 20 + [1] * 20, scores) > 0.9


def check_every_name_of_a_score_gives_another(cls, kind):
    X, detector = DATA[kind](), fitted(cls, kind)
    seen = []
    for name in cls.scores:
        seen.append(detector.set_params(score_name=name).anomaly_score(X[:9]))
        assert np.isfinite(seen[-1]).all()
    assert len({tuple(scores) for scores in seen}) == len(cls.scores)


# ------------------------------------------------------------------------------ 2. repeatable


def check_same_random_state_same_scores(cls, kind):
    """A second detector and a refit of the first give the same; another seed does not."""
    X, first = DATA[kind](), fitted(cls, kind)
    scores = first.anomaly_score(X)
    second, _ = _fit_in_another_global_state(cls, kind)
    np.testing.assert_array_equal(second, scores)
    np.testing.assert_array_equal(first.fit(X).anomaly_score(X), scores)
    other = quick(cls, random_state=1).fit(X).anomaly_score(X)
    assert not np.array_equal(other, scores)


def _global_random_states():
    return (
        random.getstate(),
        str(np.random.get_state()),  # noqa: NPY002
        torch.get_rng_state().tolist(),
    )


@cache
def _fit_in_another_global_state(cls, kind):
    """Return the scores of a fit that began with new global random states, and its change of them.

    No test that looks at the global state knows what it was in the fits before.
    """
    random.seed()
    np.random.seed()  # noqa: NPY002
    torch.seed()
    X, before = DATA[kind](), _global_random_states()
    scores = quick(cls).fit(X).anomaly_score(X)
    return scores, _global_random_states() == before


def check_global_random_state_is_neither_changed_nor_read(cls, kind):
    scores = fitted(cls, kind).anomaly_score(DATA[kind]())
    in_another_state, is_unchanged = _fit_in_another_global_state(cls, kind)
    assert is_unchanged
    np.testing.assert_array_equal(in_another_state, scores)


def check_no_random_state_leaves_the_global_one_unchanged(cls, kind):
    X, before = DATA[kind](), _global_random_states()
    quick(cls, random_state=None, max_steps=3).fit(X).anomaly_score(X)
    assert _global_random_states() == before


# --------------------------------------------------------------- 3. no influence of batch mates


def check_a_score_depends_on_its_own_sample_only(cls, kind):
    X, detector = DATA[kind]()[:80], fitted(cls, kind)
    together = detector.anomaly_score(X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(detector.anomaly_score(X[order]), together[order], rtol=1e-6)
    alone = [detector.anomaly_score(X[i : i + 1])[0] for i in range(10)]
    np.testing.assert_allclose(alone, together[:10], rtol=1e-6)
    in_chunks = detector.anomaly_score(iter([X[:7], X[7:50], X[50:]]))
    np.testing.assert_allclose(in_chunks, together, rtol=1e-6)


def check_scoring_repeats_itself_and_changes_no_weights(cls, kind):
    X, detector = DATA[kind](), fitted(cls, kind)
    for network in detector.networks_.values():
        network.train()  # as a careless user might leave them
    before = {r: pickle.dumps(n.state_dict()) for r, n in detector.networks_.items()}
    scores = detector.anomaly_score(X)
    np.testing.assert_array_equal(detector.anomaly_score(X), scores)
    after = {r: pickle.dumps(n.state_dict()) for r, n in detector.networks_.items()}
    assert before == after


def check_training_and_new_rows_go_through_the_same_path(cls, kind):
    """The threshold's scores, made by `fit`, are those that `anomaly_score` gives."""
    X, detector = DATA[kind](), fitted(cls, kind, calibration_fraction=0.3)
    scores = detector.anomaly_score(X)
    assert np.isin(detector.calibration_scores_, scores).mean() > 0.9
    assert len(detector.calibration_scores_) == round(0.3 * len(X))


def scores_with_a_scale(cls, kind):
    """Return the parameters of fits that together learn every scale that `cls` may have."""
    components = list(cls.scores)
    for name in SHARED_COMPONENTS:
        with contextlib.suppress(ValueError):  # a space that it does not have
            quick(cls, score_name=(name,))._validate_params()
            components.append(name)
    by_name = [{"combine": "standardised", "score_name": name} for name in cls.scores]
    return [{"score_name": tuple(components)}, *by_name]


def check_held_out_rows_neither_train_nor_set_a_scale(cls, kind, **params):
    """A value that only a held-out row has leaves no trace in what was learned."""
    X = DATA[kind]()
    params = {"batch_size": 27, "max_steps": 10, **params}  # one epoch or more, of whole batches
    trained, calm = _rows_trained_on(quick(cls, **params), kind, X)
    # Which rows are held out depends on the seed and the number of rows alone.
    held_out, for_scale = rows_of_fit(calm, X)
    scores = calm.anomaly_score(X)
    np.testing.assert_array_equal(np.sort(scores[held_out]), calm.calibration_scores_)
    if kind == "table":
        n_trained = len(X) - held_out.sum() - np.sum(for_scale, dtype=int)
        assert len(trained.unique(dim=0)) == n_trained
    wild = X.copy()
    wild[held_out] = 255 - X[held_out] if kind == "image" else 1000 * X[held_out]
    trained_again, changed = _rows_trained_on(quick(cls, **params), kind, wild)
    assert changed.codec_.to_state()[0] == calm.codec_.to_state()[0]
    assert torch.equal(trained_again, trained)
    np.testing.assert_array_equal(changed.anomaly_score(X), scores)


def _rows_trained_on(detector, kind, X):
    """Fit, and return all samples that the hooks of training were given, in order."""
    seen = []

    def noted(x):
        seen.append(x.clone())
        return x

    for name in ("_solve", "_begin", "_finish"):  # these see all rows once, in chunks
        hook = getattr(detector, name)
        setattr(
            detector,
            name,
            lambda *known, hook=hook: hook(*known[:-1], map(noted, known[-1])),
        )
    for name in set(detector._stages_of(kind)):
        losses = getattr(detector, name)
        setattr(detector, name, lambda nets, x, z, losses=losses: losses(nets, noted(x), z))
    detector.fit(X)
    return torch.cat(seen), detector


# -------------------------------------------------------------------- parameters are made use of


def check_a_parameter_is_used(cls, kind, name, value):
    X = DATA[kind]()
    scores = fitted(cls, kind).anomaly_score(X)
    assert not np.allclose(fitted(cls, kind, **{name: value}).anomaly_score(X), scores)


def check_no_rounds_leave_the_first_weights(cls, kind):
    """The control that shows what training adds."""
    X, first = DATA[kind](), _first_networks(cls, kind, 0)
    detector = quick(cls, max_steps=0).fit(X)
    assert detector.history_ == []
    for role, net in detector.networks_.items():
        drawn = dict(first[role].named_parameters())
        assert all(torch.equal(drawn[name], weight) for name, weight in net.named_parameters())
    assert np.isfinite(detector.anomaly_score(X)).all()


#: Parameters by the one that decides, and the rounds that they ask for, given those of an epoch.
ROUNDS = {
    "epochs": ({"epochs": 2, "min_steps": 1, "max_steps": None}, lambda epoch: 2 * epoch),
    "min_steps": ({"epochs": 1, "min_steps": 11, "max_steps": None}, lambda epoch: 11),
    "max_steps": ({"epochs": 9, "min_steps": 9, "max_steps": 7}, lambda epoch: 7),
}


def check_the_number_of_rounds(cls, kind, case):
    """As many rounds are trained, in every stage, as the parameters say."""
    params, rounds = ROUNDS[case]
    X, detector = DATA[kind]()[:120], quick(cls, batch_size=16, **params)
    detector.fit(X)
    method = method_of(detector, kind)
    n_trained = len(X) - len(detector.calibration_scores_)
    epoch = n_trained // (16 * method._batches_per_step)
    assert detector.history_[-1]["step"] == rounds(epoch) * len(method._stages_of(kind))


def check_the_axis_of_the_channels_is_as_told(cls):
    """Where it could be either axis, each choice is another set of images."""
    X = np.random.default_rng(0).random((20, 3, 12, 3))
    params = {"image_size": 8, "max_steps": 3}
    first = quick(cls, channels="first", **params).fit(X).anomaly_score(X)
    moved = np.moveaxis(X, 1, 3)
    last = quick(cls, channels="last", **params).fit(moved).anomaly_score(moved)
    np.testing.assert_allclose(last, first, rtol=1e-5)
    other = quick(cls, channels="last", **params).fit(X).anomaly_score(X)
    assert not np.allclose(other, first)


def check_a_higher_rate_of_false_alarms_lowers_the_threshold(cls, kind):
    X = DATA[kind]()
    strict, lax = fitted(cls, kind), fitted(cls, kind, target_fpr=0.5)  # its default is .05
    np.testing.assert_array_equal(lax.anomaly_score(X), strict.anomaly_score(X))
    assert lax.threshold_ < strict.threshold_


def check_standardised_parts_are_summed(cls, kind, score):
    """Return a detector that sums its parts on the scale that they have over normal samples."""
    X = DATA[kind]()
    # After a few steps at the rate of a paper some parts are the same for all samples, but for the
    # last bit.
    params = {"max_steps": 4, "learning_rate": 3e-2}
    detector = fitted(cls, kind, score_name=score, combine="standardised", **params)
    plain = copy.deepcopy(detector).set_params(combine="paper")
    parts = detector.score_components(X)
    for name, values in plain.score_components(X).items():
        np.testing.assert_array_equal(parts[name], values)  # the parts stay those of the paper
    _, (for_scale,) = rows_of_fit(detector, X)
    weights = _score_of(detector, X[:1]).weights or dict.fromkeys(parts, 1.0)
    by_hand = sum(
        weight * (parts[name] - parts[name][for_scale].mean()) / parts[name][for_scale].std()
        for name, weight in weights.items()
    )
    scores = detector.anomaly_score(X)
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores, by_hand, rtol=1e-3, atol=1e-3)
    return detector


def _score_of(detector, X):
    """Return what `_score` says when these samples are scored."""
    seen, score = [], detector._score

    def noted(nets, x, name):
        seen.append(score(nets, x, name))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(vars(detector), "_score", noted)
        detector.anomaly_score(X)
    return seen[0]


# ------------------------------------------------------------------------------ shared parts


def shared_parts_of(cls):
    """Return the shared parts that a detector can have, and those that it cannot."""
    without = {
        "latent": "embed" in cls.unavailable,
        "residual": "reconstruct" in cls.unavailable,
        "feature": cls.without_features() is not None,
    }
    lacks = [space for space in without if without[space]]
    missing = [name for name in SHARED_COMPONENTS if spaces_needed([name]) & set(lacks)]
    return tuple(name for name in SHARED_COMPONENTS if name not in missing), missing


def check_shared_parts(cls, kind, path):
    """They find what is odd, each in its own way, for each sample alone, and are saved."""
    X = DATA[kind]()
    names, missing = shared_parts_of(cls)
    few = {"n_steps": 3} if "n_steps" in cls().get_params() else {}
    detector = quick(cls, score_name=(*names, cls.scores[0]), **few).fit(X)
    parts = detector.score_components(X)
    assert list(parts) == [*names, cls.scores[0]]
    assert len({tuple(values) for values in parts.values()}) == len(parts)
    together = detector.anomaly_score(X)
    alone = [detector.anomaly_score(X[i : i + 1])[0] for i in (3, 2, 9)]
    np.testing.assert_allclose(alone, together[[3, 2, 9]], atol=1e-4)
    in_chunks = detector.anomaly_score(iter([X[:7], X[7:50], X[50:]]))
    np.testing.assert_allclose(in_chunks, together, atol=1e-4)
    assert np.isin(detector.calibration_scores_, together).mean() > 0.9
    detector.save(path)
    np.testing.assert_array_equal(oddgan.load(path).anomaly_score(X), together)
    detector.set_params(score_name=names)
    noise = np.random.default_rng(1).permutation(X.ravel()).reshape(X.shape)
    y = np.repeat([0, 1], len(X))
    assert roc_auc_score(y, detector.anomaly_score(np.concatenate([X, noise]))) > 0.9
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Trainer, "run", lambda self: pytest.fail("it trained"))
        for name in missing:
            with pytest.raises(ValueError, match=f"{cls.__name__} cannot have {name}: "):
                quick(cls, score_name=name).fit(X)


def check_a_population_trains_its_members_and_answers_by_them(cls, kind):
    X = DATA[kind]()[:24]
    short = {"max_steps": 2, "min_steps": 1, "health": False}
    detector = quick(cls, n_members=2, **short).fit(X)
    scores, deviations = detector.anomaly_score(X[:9], return_std=True)
    members = [one.anomaly_score(X[:9]) for one in detector.members_]
    assert not np.allclose(*members)
    assert np.isfinite(scores).all()
    assert deviations.max() > 0
    with tempfile.TemporaryDirectory() as folder:
        detector.save(f"{folder}/model")
        again = oddgan.load(f"{folder}/model")
    np.testing.assert_array_equal(again.anomaly_score(X[:9], return_std=True), (scores, deviations))


# ------------------------------------------------------------------------------ 4. edge cases


def check_fewer_samples_than_a_batch(cls, kind):
    X = DATA[kind]()
    with pytest.warns(UserWarning, match="held-out"):
        detector = quick(cls, batch_size=64, max_steps=4).fit(X[:5])
    assert np.isfinite(detector.anomaly_score(X[:1])).all()


# --------------------------------------------------------------------- 6. weights and gradients


def check_first_weights_follow_the_rule(cls, kind):
    """All are drawn from the seed, and have the spread that the scheme says."""
    first, again, other = (_first_networks(cls, kind, seed) for seed in (0, 0, 1))
    state, same, differs = (_state(nets) for nets in (first, again, other))
    assert all(tensor.isfinite().all() for tensor in state.values())
    assert all(torch.equal(state[name], same[name]) for name in state)
    assert not all(torch.equal(state[name], differs[name]) for name in state)
    for net in first.values():
        for layer in net.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                spread = _spread(layer.weight, method_of(cls(), kind)._initialisation[kind])
                # Four standard errors of a standard deviation that is estimated from so many.
                tolerance = 4 / (2 * layer.weight.numel()) ** 0.5
                has_its_own_rule = hasattr(layer, "draw") or is_parametrized(layer)
                assert has_its_own_rule or abs(layer.weight.std() / spread - 1) < tolerance, layer


def _spread(weight, scheme):
    """Return the standard deviation that a scheme asks for."""
    if scheme != "xavier":
        return 0.02
    field = weight[0, 0].numel()
    return (2 / (field * (weight.shape[0] + weight.shape[1]))) ** 0.5


class _Caught(Exception):  # noqa: N818 - it is no error
    pass


def _first_networks(cls, kind, seed):
    """Return the networks as they are when training begins; memory that nobody filled is NaN."""
    caught = {}

    def run(trainer):
        caught.update(copy.deepcopy(dict(trainer.networks)))
        raise _Caught

    with pytest.MonkeyPatch.context() as patch, _nan_for_uninitialised_memory():
        patch.setattr(training.Trainer, "run", run)
        with pytest.raises(_Caught):
            quick(cls, random_state=seed).fit(DATA[kind]())
    return caught


@contextmanager
def _nan_for_uninitialised_memory():
    # Where algorithms have to be deterministic, PyTorch fills new memory with NaN.
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        assert torch.empty(2).isnan().all()
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _state(nets):
    """Return copies of all weights and statistics by (role, name)."""
    return {
        (role, name): tensor.detach().clone()
        for role, net in nets.items()
        for name, tensor in net.state_dict().items()
    }


def check_every_loss_trains_its_networks_and_nothing_else(cls, kind, condition=None):
    """Nor do networks that a stage does not train change in it, statistics included."""
    detector = quick(cls, max_steps=5)
    stages = [_Stage(getattr(detector, name)) for name in detector._stages_of(kind)]
    names = [f"_stage_{number}" for number in range(len(stages))]
    detector._stages_of = lambda kind: names
    for name, stage in zip(names, stages, strict=True):
        setattr(detector, name, stage.losses)
    detector.fit(DATA[kind](), condition=condition)
    for stage in stages:
        for loss, roles in stage.updates.items():
            assert {role for role, _ in stage.trained[loss]} == roles, loss
        for key, tensor in stage.first.items():
            assert key[0] not in stage.frozen or torch.equal(stage.last[key], tensor), key
    answers = _state(detector.networks_)
    for key, tensor in stages[-1].first.items():
        assert key[0] not in stages[-1].frozen or torch.equal(answers[key], tensor), key
    trained = [keys for stage in stages for keys in stage.trained.values()]
    assert set().union(*trained) == stages[0].weights


def _weight(nets, key):
    role, name = key
    return nets[role].get_parameter(name)


class _Stage:
    """One stage of training, and what its losses did to the networks."""

    def __init__(self, original):
        self.original = original
        self.updates, self.trained = {}, {}  # by the name of the loss
        self.first, self.last = {}, {}  # the state when the stage begins and when it ends
        self.weights = set()  # (role, name) of all that can be trained

    def losses(self, nets, x, z):
        if not self.first:
            self.first = _state(nets)
            self.weights = {
                (role, name)
                for role, net in nets.items()
                for name, weight in net.named_parameters()
                if weight.requires_grad
            }
        for loss in self.original(nets, x, z):
            before = _state(nets)
            yield loss
            after = _state(nets)
            now = {key for key in self.weights if not torch.equal(before[key], after[key])}
            assert {role for role, _ in now} <= set(loss.updates), loss.name
            # An optimiser moves weights by its momentum, too, where a gradient is zero.
            graded = {key for key in now if _weight(nets, key).grad.any()}
            self.trained.setdefault(loss.name, set()).update(graded)
            self.updates[loss.name] = set(loss.updates)
        self.last = _state(nets)

    @property
    def frozen(self):
        """The roles that have weights, but no loss of this stage to train them."""
        return {role for role, _ in self.weights} - set().union(*self.updates.values())
