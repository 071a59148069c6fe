"""Populations: members trained in one pass, scored on one scale, and kept as one model."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

import oddgan
from oddgan import DAGMM, EGBAD, VAE, PCAReconstruction, networks, training
from oddgan.estimator.holdout import hold_outs, row_mask
from oddgan.inputs import open_source
from oddgan.networks import Discriminator, Dropout, member, stacked
from oddgan.networks.layers import spectrally_normalised
from oddgan.training import DeviceRows, EnsembleRows, Loss, Settings, Trainer, TrainingError
from support.data import DATA, fitted, quick, rows_of_fit

K = 3
SHORT = {"max_steps": 5, "min_steps": 1}


# ------------------------------------------------------------------------ trained as one by one


def pair(seed):
    """Networks with all that is special: batch and spectral norm, a convolution, a context."""
    generator = torch.Generator().manual_seed(seed)
    trunk = nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)),
        spectrally_normalised(nn.Conv2d(1, 3, 2)),
        nn.Flatten(),
        nn.Linear(3, 4),
        nn.BatchNorm1d(4),
    )
    generating = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 4))
    critic = Discriminator(nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Tanh()), 3)
    found = nn.ModuleDict({"G": generating, "D": Discriminator(trunk, 4), "C": critic})
    networks.condition_layers(found, 2)
    networks.initialise(found, "xavier", generator)
    return dict(found.double().items())


def losses(nets, joint, z):
    """Losses of all forms: means, a mean over the batch within, a gradient penalty."""
    x, given = joint[:, :4], joint[:, 4:]
    with networks.condition_on(given):
        y = nets["G"](x)
        loss = training.critic_loss(nets["C"], x, y.detach(), x[:, 0].sigmoid())
    yield Loss("critic", loss, ("C",))
    with networks.condition_on(given):
        D = nets["D"]
        loss = training.discriminator_loss(D(x)[0], D(y.detach())[0])
    yield Loss("discriminator", loss / 2, ("D",), adversary=True, judged=loss)
    with networks.condition_on(given):
        matched = (D(y)[1].mean(0) - D(x)[1].mean(0)).square().sum() - nets["C"](y)[0].mean()
    yield Loss("generator", matched, ("G",))


def trainer(nets, rows, *, in_ensemble, losses=losses, n_steps=3, checkpoint=None):
    return Trainer(
        nets,
        {role: torch.optim.SGD(net.parameters(), 0.05) for role, net in nets.items()},
        [losses, losses],
        rows,
        Settings(n_steps, 1, 0.9, in_ensemble),
        fabric=training.make_fabric("cpu", "32-true"),
        generator=torch.Generator().manual_seed(0),
        progress=training.Silent(),
        checkpoint=checkpoint,
        title="Unit",
    )


def rows_of(k):
    x = torch.randn(30, 6, generator=torch.Generator().manual_seed(7)).double()
    return DeviceRows(x, 8, seed=k, indices=torch.arange(k, 30 - K + k))


def population_of(n=K):
    members = [pair(seed) for seed in range(n)]
    return {role: stacked([nets[role] for nets in members]) for role in members[0]}


def test_members_train_as_they_do_alone():
    together = trainer(
        population_of(), EnsembleRows([rows_of(k) for k in range(K)]), in_ensemble=True
    )
    nets = together.run()
    histories, trained = [], 0
    for k in range(K):
        alone = trainer(pair(k), rows_of(k), in_ensemble=False)
        for role, net in alone.run().items():
            own = member(nets[role], k).state_dict()
            before = pair(k)[role].state_dict()
            for name, value in net.state_dict().items():
                torch.testing.assert_close(own[name], value, rtol=1e-8, atol=1e-10)
                trained += not torch.equal(value, before[name])
        histories.append(alone.history)
    assert trained > 20 * K
    for i, entry in enumerate(together.history):
        for name, value in entry.items():
            mean = np.mean([history[i][name] for history in histories])
            assert value == pytest.approx(mean, rel=1e-8)


def test_an_interrupted_population_ends_where_an_uninterrupted_one_does(tmp_path):
    class Interrupt(Exception):  # noqa: N818 - it is no error
        pass

    seen = []

    def stopping(nets, x, z):
        seen.append(0)
        if len(seen) == 5:
            raise Interrupt
        yield from losses(nets, x, z)

    def run(losses):
        kept = training.Checkpoint(tmp_path / "fit.ckpt", "one", every=0)
        rows = EnsembleRows([rows_of(k) for k in range(K)])
        nets = population_of()
        return trainer(nets, rows, in_ensemble=True, losses=losses, checkpoint=kept).run()

    whole = trainer(
        population_of(), EnsembleRows([rows_of(k) for k in range(K)]), in_ensemble=True
    ).run()
    with pytest.raises(Interrupt):
        run(stopping)
    resumed = run(losses)
    for role, net in whole.items():
        for name, value in net.state_dict().items():
            assert torch.equal(resumed[role].state_dict()[name], value), name


def test_one_member_whose_discriminator_collapses_ends_the_run():
    broken = 1

    def saturated(nets, x, z):
        value = nets["D"](x)[0].mean() * 0
        judged = torch.where((x[0, 0] == broken), 0.0, 1.0)
        yield Loss("critic", value, ("D",), adversary=True, judged=judged)

    nets = {"D": stacked([Discriminator(nn.Linear(1, 2), 2) for _ in range(K)])}
    rows = EnsembleRows([DeviceRows(torch.full((4, 1), float(k)), 2, seed=0) for k in range(K)])
    with pytest.raises(TrainingError, match=f"of member {broken} has collapsed"):
        trainer(nets, rows, in_ensemble=True, losses=saturated, n_steps=200).run()


def test_dropout_of_members_keeps_a_share_of_each_and_draws_apart():
    layer = Dropout(0.3)
    layer.generator = torch.Generator().manual_seed(0)
    both = stacked([nn.Sequential(layer), nn.Sequential(layer)])
    out = torch.func.vmap(both, randomness="different")(torch.ones(2, 50, 200))
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert ((out > 0).float().mean((1, 2)) - 0.7).abs().max() < 4 * (0.21 / 10_000) ** 0.5
    assert not torch.equal(out[0], out[1])


def test_a_member_comes_out_as_it_went_in():
    members = [pair(seed)["D"] for seed in range(K)]
    together = stacked(members)
    for k, one in enumerate(members):
        for name, value in member(together, k).state_dict().items():
            assert torch.equal(value, one.state_dict()[name])
            assert value.is_contiguous()


def test_spectral_norm_is_that_of_pytorch():
    """It differs in how it writes to its buffers alone, so that vmap can run it."""
    ours, theirs = (nn.Linear(5, 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    ours, theirs = spectrally_normalised(ours), spectral_norm(theirs)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 5)
    for _ in range(3):
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


# --------------------------------------------------------------------------------------- rows


def test_batches_of_each_member_are_of_the_rows_that_it_keeps():
    x = torch.arange(20.0)[:, None]
    kept = [torch.arange(0, 20, 2), torch.arange(1, 20, 2)]
    rows = EnsembleRows([DeviceRows(x, 5, seed, own) for seed, own in enumerate(kept)])
    batches = torch.stack(list(rows.epoch(0)))
    assert batches.shape == (2, 2, 5, 1)
    for k, own in enumerate(kept):
        assert batches[:, k].flatten().sort().values.tolist() == own.tolist()
    assert not torch.equal(batches[:, 0], batches[:, 1] - 1)  # each in its own order


def test_each_member_has_rows_of_its_own_for_its_scale_and_none_sees_the_held_out_ones():
    source = open_source(np.zeros((200, 2)))
    (rows,) = hold_outs(quick(VAE, n_members=4), source, seed=0)
    common = row_mask(rows.held_out)
    assert common.sum() == 20
    (alone,) = hold_outs(quick(VAE), source, seed=0)
    np.testing.assert_array_equal(common, row_mask(alone.held_out))
    seen = np.zeros(200, dtype=int)
    for train, for_scale in rows.members:
        train, for_scale = row_mask(train), row_mask(for_scale)
        assert for_scale.sum() == 18
        np.testing.assert_array_equal(train, ~common & ~for_scale)
        seen += for_scale
    assert seen.max() == 1


# ------------------------------------------------------------------------------------- scores


def by_hand(population, X):
    """Return the members' scores, each on the scale of the rows that it has for that."""
    columns = []
    for one, for_scale in zip(population.members_, rows_of_fit(population, X)[1], strict=True):
        scores = one.anomaly_score(X[for_scale])
        low, middle, high = np.quantile(scores, [0.25, 0.5, 0.75])
        columns.append(np.arcsinh((one.anomaly_score(X) - middle) / ((high - low) / 1.349)))
    return np.stack(columns)


@pytest.mark.parametrize(
    "params", [{}, {"combine": "standardised"}, {"score_name": "latent_knn"}], ids=str
)
def test_a_score_is_the_mean_of_calibrated_members(params):
    X = DATA["table"]()
    population = fitted(EGBAD, "table", **SHORT, n_members=K, calibration_fraction=0.2, **params)
    scores, deviations = population.anomaly_score(X, return_std=True)
    members = by_hand(population, X)
    np.testing.assert_allclose(scores, members.mean(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(deviations, members.std(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(population.anomaly_score(X), scores)
    assert len({tuple(row) for row in members}) == K
    held_out = np.isin(scores, population.calibration_scores_)
    assert held_out.sum() == len(population.calibration_scores_) == round(0.2 * len(X))


def test_each_member_counts_the_rows_that_trained_it(tmp_path):
    X = DATA["table"]()
    common = fitted(VAE, "table", n_members=2)
    crossed = quick(PCAReconstruction, n_members=K, n_folds=3).fit(X[:60])
    expected = {common: (270, [243, 243], False), crossed: (54, [44, 44, 44], True)}
    for population, (n, of_members, is_crossed) in expected.items():
        population.save(tmp_path / "m")
        for one in (population, oddgan.load(tmp_path / "m")):
            assert (one.n_train_, one.cross_fitted_) == (n, is_crossed)
            assert [member.n_train_ for member in one.members_] == of_members


def test_what_helps_where_all_rows_are_held_out_already():
    with pytest.warns(UserWarning, match="takes 19 .*there are 15; give more, or a larger target"):
        detector = quick(PCAReconstruction, n_folds="auto", health=True).fit(DATA["table"]()[:15])
    (few,) = (check for check in detector.health_ if check.name == "few held-out rows")
    assert few.remedy == "Use more rows, or a larger `target_fpr`: every row is held out already"


def test_answers_are_means_and_latent_vectors_stand_side_by_side():
    X = DATA["table"]()[:50]
    population = fitted(VAE, "table", n_members=2)
    one, other = population.members_
    # A mean of encoded values is nearly one of values: scaling compresses what is far out.
    for answer, error in (("explain", 1e-5), ("reconstruct", 0.01)):
        found, of_one, of_other = (
            np.asarray(getattr(asked, answer)(X)) for asked in (population, one, other)
        )
        np.testing.assert_allclose(found, (of_one + of_other) / 2, rtol=1e-5, atol=error)
        assert np.abs(found - of_one).max() > 10 * error
    beside = np.concatenate([one.embed(X), other.embed(X)], axis=1)
    np.testing.assert_array_equal(population.embed(X), beside)
    for name, part in population.score_components(X).items():
        mean = (one.score_components(X)[name] + other.score_components(X)[name]) / 2
        np.testing.assert_allclose(part, mean, rtol=1e-6)


def test_a_table_of_categories_is_reconstructed_by_mean_probabilities():
    frame = pd.DataFrame({"a": ["x", "y"] * 60, "b": np.arange(120.0) % 7})
    population = quick(VAE, n_members=2).fit(frame)
    found = population.reconstruct(frame)
    assert list(found.columns) == ["a", "b"]
    assert set(found["a"]) <= {"x", "y"}


def test_a_population_is_saved_and_pickled_as_one(tmp_path):
    X = DATA["table"]()
    population = fitted(
        EGBAD, "table", n_members=2, score_name=("residual_mahalanobis", "feature_knn")
    )
    expected = population.anomaly_score(X, return_std=True)
    population.save(tmp_path / "model")
    for again in (oddgan.load(tmp_path / "model"), pickle.loads(pickle.dumps(population))):
        np.testing.assert_array_equal(again.anomaly_score(X, return_std=True), expected)
        np.testing.assert_array_equal(again.predict(X), population.predict(X))
        np.testing.assert_array_equal(again.p_value(X), population.p_value(X))
        assert again.networks_.keys() == population.networks_.keys()
        assert again.get_params() == population.get_params()


def test_a_condition_follows_the_rows_of_each_member():
    X = DATA["table"]()
    season = np.where(np.arange(len(X)) % 2, "a", "b")
    X = X + 3 * (season == "a")[:, None]
    population = quick(VAE, n_members=2).fit(X, condition=season)
    right = population.anomaly_score(X, condition=season)
    wrong = population.anomaly_score(X, condition=season[::-1])
    assert right.mean() < wrong.mean()


def test_streamed_members_read_the_rows_that_they_train_on(monkeypatch):
    X = DATA["table"]()
    seen = []

    def noted(self, nets, x, z):
        assert x.shape == (16, 4)  # the rows of one member
        seen.append(1)
        yield from losses_of_vae(self, nets, x, z)

    losses_of_vae = VAE._losses
    monkeypatch.setattr(VAE, "_losses", noted)
    quick(VAE, n_members=2, stream=True, max_steps=4, min_steps=1, batch_size=16).fit(X)
    assert len(seen) == 4


def test_a_single_detector_has_no_members_to_disagree():
    with pytest.raises(ValueError, match="return_std needs one that is fitted with n_members"):
        fitted(VAE, "table").anomaly_score(DATA["table"](), return_std=True)


def test_another_score_than_that_of_the_fit_is_refused():
    population = fitted(VAE, "table", n_members=2).set_params(score_name="kl")
    with pytest.raises(ValueError, match="score_name has changed since: fit again"):
        population.anomaly_score(DATA["table"]())


def test_a_mixture_is_that_of_the_rows_of_its_member():
    """What `_finish` learns differs, and is that of the member's networks on its own rows."""
    population = fitted(DAGMM, "table", n_members=2)
    first, second = (one.networks_["mixture"].means for one in population.members_)
    assert not torch.allclose(first, second)
    assert all(m.isfinite().all() for m in (first, second))


@pytest.mark.parametrize(("n", "n_members"), [(60, 5), (250, 2)], ids=["crossed", "common"])
def test_no_more_false_alarms_than_promised(n, n_members):
    shares = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n + 400, 2)) @ [[1, 2, 0, 1], [0, 1, 1, -1]]
        X += 0.5 * rng.normal(size=X.shape)
        population = PCAReconstruction(
            latent_dim=2, n_members=n_members, target_fpr=0.1, random_state=seed
        ).fit(X[:n])
        shares.append((population.predict(X[n:]) == -1).mean())
    error = np.std(shares) / 12**0.5
    assert np.mean(shares) < 0.1 + 3 * error
    assert np.mean(shares) > 0.03


def test_a_score_given_as_a_list_is_that_of_the_tuple(table):
    detector = quick(EGBAD, n_members=2, score_name=["latent_knn"]).fit(table)
    scores = detector.anomaly_score(table[:5])
    same = detector.set_params(score_name=("latent_knn",))
    np.testing.assert_array_equal(same.anomaly_score(table[:5]), scores)
    same.predict(table[:5])
