"""ADGAN against its formulas, computed by hand, and its private generators against a plain loop."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from oddgan import ADGAN, networks
from oddgan.detectors.adgan import clip
from oddgan.networks import LatentDraws, condition_layers, condition_on, generate
from support.data import Known, call_hook, quick


def body(shape, scheme="xavier", n_condition=0):
    with torch.device("meta"):
        G = nn.Sequential(networks.generator(shape, 3, width=4, family="dcgan"))
        if n_condition:
            condition_layers(G, n_condition)
    networks.initialise(G, scheme, torch.Generator().manual_seed(0))
    return G.eval()


def starts(n, latent_dim=3):
    draws = LatentDraws(n, latent_dim)
    draws.draw(torch.Generator().manual_seed(1))
    return draws


@pytest.mark.parametrize("shape", [(5,), (1, 8, 10)])
def test_search_and_score_are_those_of_one_sample_and_start_at_a_time(shape):
    """A copy of the generator, Adam on z and on its weights, the loss after the last step."""
    G, noise = body(shape), starts(2)
    before = copy.deepcopy(G.state_dict())
    x = torch.randn(9, *shape, generator=torch.Generator().manual_seed(2))
    detector = ADGAN(n_steps=4, search_learning_rate=0.2, weights_learning_rate=0.01)
    with torch.inference_mode():
        found = call_hook(detector, "_score", {"generator": G, "starts": noise}, x)
        y = detector._search({"generator": G, "starts": noise}, x)[1]
    for i in (0, 8):
        losses = []
        for j in range(2):
            own, z = copy.deepcopy(G), noise.noise[j : j + 1].clone().requires_grad_()
            groups = [{"params": [z], "lr": 0.2}, {"params": own.parameters(), "lr": 0.01}]
            optimizer = torch.optim.Adam(groups)
            for _ in range(4):
                optimizer.zero_grad()
                (x[i] - own(z)[0]).square().sum().backward()
                optimizer.step()
            np.testing.assert_allclose(y[j, i], own(z)[0].detach(), rtol=1e-3, atol=1e-4)
            losses.append((x[i] - own(z)[0]).square().sum().item())
        np.testing.assert_allclose(found.total[i], np.mean(losses), rtol=1e-3)
    np.testing.assert_allclose(found.residual.flatten(1).sum(1), found.total, rtol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in G.parameters())


def test_the_prior_holds_the_latents_and_is_not_in_the_score():
    """z goes to 0 by itself where g does not depend on it."""
    nets = {"generator": body((5,)), "starts": starts(2)}
    nn.init.zeros_(nets["generator"][0][0].weight)
    x = torch.zeros(4, 5)
    rates = {"search_learning_rate": 0.1, "weights_learning_rate": 0, "n_steps": 60}
    free, held = ADGAN(**rates), ADGAN(**rates, prior_weight=1.0)
    assert held._search(nets, x)[0].abs().max() < 0.1 < free._search(nets, x)[0].abs().max()
    np.testing.assert_allclose(
        call_hook(held, "_score", nets, x).total, call_hook(free, "_score", nets, x).total
    )


def test_without_a_rate_the_generator_stays():
    G, noise = body((5,)), starts(2)
    x = torch.zeros(4, 5)
    detector = ADGAN(weights_learning_rate=0)
    z, y = detector._search({"generator": G, "starts": noise}, x)
    with torch.no_grad():
        np.testing.assert_allclose(y[1], G(z[1]), rtol=1e-5, atol=1e-6)
    _, adapted = ADGAN(weights_learning_rate=0.01)._search({"generator": G, "starts": noise}, x)
    assert (adapted - y).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(5,), (1, 8, 10)])
def test_generators_with_weights_and_context_of_their_own(shape):
    G = body(shape, n_condition=2)
    seeded = torch.Generator().manual_seed(3)
    z, c = torch.randn(6, 3, generator=seeded), torch.randn(6, 2, generator=seeded)
    weights = [
        p.detach() + 0.1 * torch.randn(6, *p.shape, generator=seeded) for p in G.parameters()
    ]
    with condition_on(c):
        together = generate(G, z, *weights)
    for i in range(6):
        own = copy.deepcopy(G)
        with torch.no_grad(), condition_on(c[i : i + 1]):
            for p, w in zip(own.parameters(), weights, strict=True):
                p.copy_(w[i])
            np.testing.assert_allclose(together[i], own(z[i : i + 1])[0], rtol=1e-4, atol=1e-5)


def test_latent_and_reconstruction_are_of_the_nearest_start():
    nets = {"generator": body((5,)), "starts": starts(3)}
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(2))
    detector = ADGAN()
    z, y = detector._search(nets, x)
    distances = (x - y).square().sum(2).numpy()
    nearest = distances.argmin(0)
    assert len(set(nearest)) > 1
    for i, j in enumerate(nearest):
        assert torch.equal(call_hook(detector, "_embed", nets, x)[i], z[j, i])
        assert torch.equal(call_hook(detector, "_reconstruct", nets, x)[i], y[j, i])


@pytest.mark.parametrize("kind", ["table", "image"])
def test_scores_do_not_depend_on_the_company(kind, table, images):
    """Bit for bit, with chunks of other sizes."""
    X = table[:60] if kind == "table" else images[:10]
    detector = quick(ADGAN, max_steps=2, target_fpr=0.5).fit(X)
    together = detector.anomaly_score(X)
    for i in range(2):
        assert detector.anomaly_score(X[i : i + 1])[0] == together[i]
    np.testing.assert_array_equal(detector.anomaly_score(X[::-1]), together[::-1])


# ------------------------------------------------------------------------------------ training

X = torch.arange(20.0).reshape(10, 2) / 10
Z = -X


def test_wasserstein_losses_of_a_round():
    """Five updates of the critic on two rows each, then the generator on the last two."""
    nets = {
        "generator": Known(lambda z: z / 4),
        "discriminator": Known(lambda x: (3 * x.sum(1), x)),
    }
    losses = list(ADGAN()._losses(nets, X, Z))
    assert [loss.name for loss in losses] == ["critic"] * 5 + ["generator"]
    for i, loss in enumerate(losses[:5]):
        rows = slice(2 * i, 2 * i + 2)
        by_hand = (3 * Z[rows].sum(1) / 4).mean() - (3 * X[rows].sum(1)).mean()
        np.testing.assert_allclose(loss.value, by_hand, rtol=1e-5)
        assert loss.updates == ("discriminator",)
        assert not loss.adversary  # a Wasserstein critic's loss may well be negative
    np.testing.assert_allclose(losses[5].value, -(3 * Z[8:].sum(1) / 4).mean(), rtol=1e-5)
    assert losses[5].updates == ("generator",)


def test_the_critics_weights_are_clipped(table):
    net = nn.Linear(3, 2)
    nn.init.constant_(net.weight, -0.5)
    nn.init.constant_(net.bias, 0.004)
    clip(net)
    assert (net.weight == -0.01).all()
    assert (net.bias == 0.004).all()
    critic = quick(ADGAN).fit(table).networks_["discriminator"]
    assert max(p.abs().max() for p in critic.parameters()) <= 0.01


def test_the_critic_is_updated_five_times_by_rmsprop():
    detector = quick(ADGAN)
    weights = [nn.Parameter(torch.zeros(1))]
    assert isinstance(detector._optimizer("generator", weights, "table"), torch.optim.RMSprop)
    assert detector._batches_per_step == 5
