"""MO-GAAL against the paper and the released code, computed by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from oddgan import MOGAAL
from oddgan.detectors.mogaal import Mean, generator_loss, potential_outliers, shares, targets
from oddgan.networks import Discriminator, Noise, use_generator
from oddgan.networks.architectures.sub_generators import SubGenerators
from support.data import call_hook


def sigmoid(d):
    return 1 / (1 + np.exp(-np.asarray(d)))


def sub_generators(k, d):
    net = SubGenerators(k, d)
    net.draw(torch.Generator())
    return net


def test_each_generator_aims_at_its_target():
    logits, goals = torch.tensor([[0.5, -1.0], [2.0, 0.0]]), torch.tensor([0.2, 0.7])
    D, T = sigmoid(logits), goals.numpy()[:, None]
    by_hand = -(T * np.log(D) + (1 - T) * np.log(1 - D)).mean(1).sum()
    np.testing.assert_allclose(generator_loss(logits, goals), by_hand, rtol=1e-5)


@pytest.mark.parametrize("k", [2, 5, 10])
def test_targets_are_quantiles_of_the_probabilities_of_the_data(k):
    logit = torch.randn(37, generator=torch.Generator().manual_seed(0))
    expected = np.quantile(sigmoid(logit), [i / k for i in range(k)])
    np.testing.assert_allclose(targets(logit, k), expected, rtol=1e-5)


def test_one_generator_aims_at_one():
    """SO-GAAL: its potential outliers shall pass for data."""
    assert targets(torch.randn(5), 1).tolist() == [1]


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("n", [10, 54, 55, 64, 500])
def test_every_generator_has_a_share(n, k):
    found = shares(n, k)
    assert sum(found) == n
    assert min(found) >= 1
    assert found == sorted(found, reverse=True)


def test_large_shares_are_those_of_the_released_code():
    """It gives k - i of k (k + 1) / 2 parts to generator i."""
    assert shares(550 * 1000, 10) == pytest.approx([10_000 * (10 - i) for i in range(10)], rel=1e-3)


def test_generators_begin_as_the_identity_on_the_range_of_the_data():
    u = torch.rand(3, 7, 2, generator=torch.Generator().manual_seed(0))
    x = torch.tensor([[-2.0, 5.0], [4.0, 5.0], [0.0, 7.0]])
    found = potential_outliers(sub_generators(3, 2), u, x)
    torch.testing.assert_close(found, torch.tensor([-2.0, 5.0]) + u * torch.tensor([6.0, 2.0]))


def test_each_generator_has_weights_of_its_own():
    net = sub_generators(2, 2)
    with torch.no_grad():
        net.weight1[1] = torch.tensor([[0.0, -1.0], [2.0, 0.0]])
        net.bias1[1] = torch.tensor([0.5, 0.25])
        net.bias2[1] = torch.tensor([-9.0, 0.0])
    u = torch.tensor([[[0.5, 1.0]], [[0.5, 1.0]]])
    # hidden: relu(2 u_2 + 0.5, 0.25 - u_1) = (2.5, 0)
    torch.testing.assert_close(net(u), torch.tensor([[[0.5, 1.0]], [[-6.5, 0.0]]]))


@pytest.fixture
def nets():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Flatten(), nn.Linear(2, 5), nn.LeakyReLU(0.1))
    noise = Noise("uniform")
    use_generator(noise, torch.Generator().manual_seed(3))
    return {
        "generators": sub_generators(3, 2),
        "discriminator": Discriminator(trunk, 5),
        "noise": noise,
        "mean": Mean((2,)),
    }


X = torch.tensor([[0.0, 1.0], [2.0, 3.0], [-1.0, 0.5], [1.0, 1.5], [0.5, 2.0], [0.1, 1.1]])


def test_losses_of_a_round(nets):
    D = nets["discriminator"]
    found = {loss.name: loss for loss in MOGAAL(k=3)._losses(nets, X, X)}
    generator = torch.Generator().manual_seed(3)
    low, high = X.min(0).values, X.max(0).values
    parts = shares(6, 3)
    assert parts == [3, 2, 1]
    first = low + (high - low) * torch.rand(3, 3, 2, generator=generator)
    outliers = torch.cat([first[0], first[1, :2], first[2, :1]])
    # Data are called 1 and outliers 0.
    real, made = (sigmoid(D(some)[0].detach()) for some in (X, outliers))
    by_hand = -(np.log(real).mean() + np.log(1 - made).mean()) / 2
    np.testing.assert_allclose(found["discriminator"].value.detach(), by_hand, rtol=1e-5)
    second = low + (high - low) * torch.rand(6, 2, generator=generator)
    expected = generator_loss(D(second)[0].expand(3, -1), targets(D(X)[0], 3))
    torch.testing.assert_close(found["generators"].value, expected)
    assert found["discriminator"].updates == ("discriminator",)
    assert found["generators"].updates == ("generators",)


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_the_score_is_high_where_the_discriminator_says_outlier(nets, score):
    """Data are its class 1, so the score falls with D(x)."""
    detector = MOGAAL(score_name=score)
    detector._finish(nets, iter([X[:2], X[2:]]))
    found = call_hook(detector, "_score", nets, X)
    d = nets["discriminator"](X)[0]
    np.testing.assert_allclose(found.components["logit"].detach(), -d.detach(), rtol=1e-6)
    np.testing.assert_allclose(
        found.components["probability"].detach(), 1 - sigmoid(d.detach()), rtol=1e-5
    )
    torch.testing.assert_close(found.total, found.components[score])
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(nets["discriminator"](x)[0].sum(), x)
    torch.testing.assert_close(found.residual, ((X - X.mean(0)) * gradient).abs())


@pytest.fixture
def contaminated():
    """300 rows, 15 of them scattered outliers, and which they are."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(285, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(285, 4))
    y = np.repeat([0, 1], [285, 15])
    order = rng.permutation(300)
    return np.concatenate([rows, rng.uniform(-6, 6, size=(15, 4))])[order], y[order]


@pytest.mark.parametrize("k", [1, 5])
def test_it_finds_the_anomalies_in_its_own_training_rows(contaminated, k):
    X, y = contaminated
    detector = MOGAAL(k=k, min_steps=300, epochs=1, random_state=0).fit(X)
    assert roc_auc_score(y, detector.anomaly_score(X)) > 0.8
    probability = detector.set_params(score_name="probability").anomaly_score(X)
    assert roc_auc_score(y, probability) > 0.8
    assert 0 <= probability.min() < probability.max() <= 1


def test_generators_learn_in_the_first_stage_only(table):
    detector = MOGAAL(k=3, max_steps=20, random_state=0).fit(table)
    steps = [entry["step"] for entry in detector.history_]
    assert steps[-1] == 60
    assert [
        step for entry, step in zip(detector.history_, steps, strict=True) if "generators" in entry
    ] == [step for step in steps if step <= 20]
    weights = detector.networks_["generators"].weight1
    for i in range(3):
        assert not torch.equal(weights[i], torch.eye(4))
    assert not torch.equal(weights[0], weights[2])  # each has a target of its own


def test_generators_can_make_negative_values(table):
    """A ReLU at their end could not."""
    net = MOGAAL(k=2, max_steps=5, random_state=0).fit(table).networks_["generators"]
    with torch.no_grad():
        net.bias2.fill_(-5.0)
        assert net(torch.rand(2, 8, 4)).max() < 0


def test_batches_smaller_than_the_number_of_generators(table):
    for batch_size in (2, 8):
        detector = MOGAAL(batch_size=batch_size, max_steps=20, random_state=0).fit(table)
        assert all(np.isfinite(list(entry.values())).all() for entry in detector.history_)
        assert np.isfinite(detector.anomaly_score(table)).all()


def test_it_says_what_it_cannot_do(table):
    detector = MOGAAL(k=2, max_steps=5, random_state=0).fit(table)
    with pytest.raises(ValueError, match="generators make outliers"):
        detector.reconstruct(table)
