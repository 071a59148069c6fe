"""EGBAD against the paper's formulas, computed by hand."""

import numpy as np
import pytest
import torch

from oddgan import EGBAD
from oddgan.detectors.egbad import discriminator_loss
from support import checks
from support.data import Known, call_hook, fitted


@pytest.fixture
def nets():
    """E(x) = 2x, G(z) = z / 4, d(x, z) = sum x - sum z, f(x, z) = (3x, z)."""
    return {
        "encoder": Known(lambda x: 2 * x),
        "generator": Known(lambda z: z / 4),
        "discriminator": Known(lambda x, z: (x.sum(1) - z.sum(1), torch.cat([3 * x, z], dim=1))),
    }


X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
# G(E(x)) = x / 2, so the residual is |x| / 2: 1.5 and 0.375.
# d(x, E(x)) = sum x - 2 sum x = -sum x: 1 and -0.75.
# d(G(E(x)), E(x)) = (0.5 - 2) sum x: 1.5 and -1.125.
# f(x, E(x)) - f(G(E(x)), E(x)) = (3x / 2, 0): L1 norms 4.5 and 1.125.


def minus_log_sigmoid(d):
    return np.log1p(np.exp(-np.asarray(d)))


@pytest.mark.parametrize(
    ("score", "part"),
    [
        ("sigma", minus_log_sigmoid([1.0, -0.75])),
        ("sigma_reconstruction", minus_log_sigmoid([1.5, -1.125])),
        ("feature_matching", np.array([4.5, 1.125])),
    ],
)
@pytest.mark.parametrize("weight_disc", [0.1, 0.7])
def test_the_score_is_the_papers(nets, score, part, weight_disc):
    found = call_hook(EGBAD(score_name=score, weight_disc=weight_disc), "_score", nets, X)
    residual = np.array([1.5, 0.375])
    np.testing.assert_allclose(found.components["residual"], residual, rtol=1e-6)
    np.testing.assert_allclose(found.components[score], part, rtol=1e-6)
    np.testing.assert_allclose(
        found.total, (1 - weight_disc) * residual + weight_disc * part, rtol=1e-6
    )
    np.testing.assert_allclose(found.residual, np.abs(X) / 2, rtol=1e-6)


def test_degree_two_is_the_euclidean_norm(nets):
    found = call_hook(EGBAD(score_name="feature_matching", degree=2), "_score", nets, X)
    np.testing.assert_allclose(
        found.components["residual"], np.linalg.norm(X / 2, axis=1), rtol=1e-6
    )
    np.testing.assert_allclose(
        found.components["feature_matching"], np.linalg.norm(3 * X / 2, axis=1), rtol=1e-6
    )


def test_the_discriminator_minimises_minus_log_d_minus_log_one_minus_d():
    """Not E[1 - log D], as some reviews have it."""
    encoded, generated = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    D = 1 / (1 + np.exp(-encoded.numpy())), 1 / (1 + np.exp(-generated.numpy()))
    by_hand = -np.log(D[0]).mean() - np.log(1 - D[1]).mean()
    np.testing.assert_allclose(discriminator_loss(encoded, generated), by_hand, rtol=1e-5)


def test_losses_of_a_round(nets):
    """L_D on (x, E(x)) and (G(z), z); then -log D(G(z), z) for G, -log(1 - D(x, E(x))) for E."""
    z = torch.tensor([[4.0, 0.0], [-4.0, 8.0]])
    losses = {loss.name: loss for loss in EGBAD()._losses(nets, X, z)}
    encoded = -X.sum(1).numpy()
    generated = (z.sum(1) / 4 - z.sum(1)).numpy()
    real, fake = minus_log_sigmoid(encoded), minus_log_sigmoid(-generated)
    assert list(losses) == ["discriminator", "generator", "encoder"]
    for name, value in {
        "discriminator": real.mean() + fake.mean(),
        "generator": minus_log_sigmoid(generated).mean(),
        "encoder": minus_log_sigmoid(-encoded).mean(),
    }.items():
        np.testing.assert_allclose(losses[name].value, value, rtol=1e-5)
        assert losses[name].updates == (name,)
    assert losses["discriminator"].adversary


def test_feature_matching_is_the_distance_of_batch_means(nets):
    """Of f over a batch, not of single pairs, which x and z, drawn apart, do not make."""
    z = torch.tensor([[4.0, 0.0], [-4.0, 8.0]])
    detector = EGBAD(training="feature_matching")
    losses = {loss.name: loss for loss in detector._losses(nets, X, z)}
    assert list(losses) == ["discriminator", "generator and encoder"]
    # Means of (3x, 2x): 3 (0.75, -0.875) and 2 (0.75, -0.875); of (3z / 4, z): (0, 3) and (0, 4).
    differences = np.array([2.25, -5.625, 1.5, -5.75])
    found = losses["generator and encoder"]
    np.testing.assert_allclose(found.value, np.mean(differences**2), rtol=1e-6)
    assert found.updates == ("generator", "encoder")
    swapped = list(detector._losses(nets, X, z.flip(0)))[1]
    np.testing.assert_allclose(swapped.value, found.value, rtol=1e-6)
    paper = next(EGBAD()._losses(nets, X, z))
    np.testing.assert_allclose(losses["discriminator"].value, paper.value)


class Matching(EGBAD):
    """Trained by feature matching by default, as the common checks ask for it."""

    training = "feature_matching"


@pytest.mark.parametrize("kind", ["table", "image"])
def test_feature_matching_trains_every_network_by_its_own_loss(kind):
    checks.check_every_loss_trains_its_networks_and_nothing_else(Matching, kind)


def test_feature_matching_finds_what_is_odd():
    checks.check_planted_outliers_in_a_table_score_higher(Matching)


def test_the_r1_penalty_is_half_the_squared_slope_at_real_pairs(nets):
    """d = w sum x^2 - sum z has the slopes 2 w x and -1, in one of two dimensions each."""
    w = torch.tensor(3.0, requires_grad=True)
    nets["discriminator"] = Known(lambda x, z: (w * x.square().sum(1) - z.sum(1), x))
    z = torch.tensor([[4.0, 0.0], [-4.0, 8.0]])
    plain, *_ = EGBAD()._losses(nets, X, z)
    held, *others = EGBAD(r1_weight=5.0)._losses(nets, X, z)
    penalty = ((4 * 9 * X.square()).sum(1) + 2).mean() / 2
    np.testing.assert_allclose((held.value - plain.value).item(), 5 * penalty, rtol=1e-5)
    np.testing.assert_allclose(held.judged.item(), plain.value.item(), rtol=1e-6)
    assert held.updates == ("discriminator",)
    assert len(others) == 2
    slope = torch.autograd.grad(held.value - plain.value, w)[0]
    np.testing.assert_allclose(slope, 5 * (4 * 3 * X.square()).sum(1).mean(), rtol=1e-5)


@pytest.mark.parametrize("kind", ["table", "image"])
def test_losses_with_an_r1_penalty_train_what_they_say(kind):
    class Penalised(EGBAD):
        reconstruction_weight = r1_weight = 1.0
        dropout = False

    checks.check_every_loss_trains_its_networks_and_nothing_else(Penalised, kind)


def test_without_dropout_the_discriminator_draws_nothing(table):
    for dropout in (True, False):
        D = fitted(EGBAD, "table", max_steps=2, dropout=dropout).networks_["discriminator"].train()
        x, z = torch.ones(5, 4), torch.ones(5, 4)
        assert torch.equal(D(x, z)[0], D(x, z)[0]) != dropout


def test_an_unknown_training_is_refused(table):
    with pytest.raises(ValueError, match="'training' parameter of EGBAD must be a str among"):
        EGBAD(training="bce").fit(table)


def test_huge_logits_give_finite_losses_and_gradients():
    logit = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = discriminator_loss(-logit, logit)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logit.grad).all()


def test_paper_presets_are_those_of_the_official_code():
    mnist, kdd = EGBAD.from_preset("paper-mnist"), EGBAD.from_preset("paper-kdd")
    assert (mnist.latent_dim, mnist.batch_size, mnist.learning_rate) == (200, 100, 1e-5)
    assert (kdd.latent_dim, kdd.batch_size, kdd.learning_rate) == (32, 50, 1e-5)
    assert (mnist.ema_decay, kdd.ema_decay) == (0.999, 0.9999)
    assert (mnist.epochs, kdd.epochs) == (100, 50)
    assert mnist._betas == (0.5, 0.999)
