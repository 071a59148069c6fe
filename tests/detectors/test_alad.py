"""ALAD against the paper's formulas, computed by hand."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import oddgan
from oddgan import ALAD
from oddgan.training import discriminator_loss
from support.data import Known, call_hook, quick


@pytest.fixture
def nets():
    """E(x) = 2x, G(z) = z / 4; d and f are different for each discriminator and each of a pair."""
    return {
        "encoder": Known(lambda x: 2 * x),
        "generator": Known(lambda z: z / 4),
        "discriminator_xz": Known(lambda x, z: (x.sum(1) - z.sum(1), x)),
        "discriminator_xx": Known(
            lambda a, b: (a.sum(1) + 3 * b.sum(1), torch.cat([a, 3 * b], dim=1))
        ),
        "discriminator_zz": Known(lambda a, b: (0.5 * a.sum(1) - 0.25 * b.sum(1), a)),
    }


X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
Z = torch.tensor([[4.0, 0.0], [-4.0, 8.0]])


def cross_entropy(d, target):
    """Minus the log of what D = sigmoid(d) gives to the target, averaged."""
    D = 1 / (1 + np.exp(-np.asarray(d, dtype=float)))
    return -np.log(D if target else 1 - D).mean()


# Sums: x -1 and 0.75, z 4 and 4. The logits of the six pairs, by hand:
LOGITS = {
    "discriminator_xz": ([1.0, -0.75], [-3.0, -3.0]),  # (x, 2x): s - 2s; (z/4, z): s/4 - s
    "discriminator_xx": ([-4.0, 3.0], [-2.5, 1.875]),  # (x, x): 4s; (x, x/2): s + 3s/2
    "discriminator_zz": ([1.0, 1.0], [1.5, 1.5]),  # (z, z): s/4; (z, z/2): s/2 - s/8
}


@pytest.mark.parametrize("use_dzz", [True, False])
def test_losses_of_a_round(nets, use_dzz):
    """Each D tells its own pairs; G and E minimise real AND fake terms with exchanged labels."""
    if not use_dzz:
        del nets["discriminator_zz"]
    losses = {loss.name: loss for loss in ALAD(use_dzz=use_dzz)._losses(nets, X, Z)}
    pairs = {role: pair for role, pair in LOGITS.items() if role in nets}
    assert list(losses) == [*pairs, "generator and encoder"]
    exchanged = 0.0
    for role, (real, fake) in pairs.items():
        value = cross_entropy(real, 1) + cross_entropy(fake, 0)
        np.testing.assert_allclose(losses[role].value, value, rtol=1e-5)
        assert losses[role].updates == (role,)
        assert losses[role].adversary
        exchanged += cross_entropy(real, 0) + cross_entropy(fake, 1)
    both = losses["generator and encoder"]
    np.testing.assert_allclose(both.value, exchanged, rtol=1e-5)
    assert both.updates == ("generator", "encoder")
    assert not both.adversary


def test_the_one_loss_of_g_and_e_has_the_gradients_of_the_papers_two(table):
    """L_G has no -log(1 - D_xz(x, E(x))), L_E no -log D_xz(G(z), z); both have the cycles."""
    nets = quick(ALAD, max_steps=1).fit(table).networks_  # in evaluation mode: nothing is drawn
    x, z = torch.randn(8, 4), torch.randn(8, 4)
    *_, both = ALAD()._losses(nets, x, z)
    G, E, D = nets["generator"], nets["encoder"], nets["discriminator_xz"]
    ones, zeros = torch.ones(8), torch.zeros(8)
    bce = nn.functional.binary_cross_entropy_with_logits
    cycles = 0.0
    for role, a, b in (("discriminator_xx", x, G(E(x))), ("discriminator_zz", z, E(G(z)))):
        cycles += bce(nets[role](a, a)[0], zeros) + bce(nets[role](a, b)[0], ones)
    own = {G: bce(D(G(z), z)[0], ones), E: bce(D(x, E(x))[0], zeros)}
    for net, loss in own.items():
        parameters = list(net.parameters())
        expected = torch.autograd.grad(loss + cycles, parameters, retain_graph=True)
        found = torch.autograd.grad(both.value, parameters, retain_graph=True)
        for a, b in zip(expected, found, strict=True):
            assert a.abs().max() > 0
            torch.testing.assert_close(a, b)


def test_the_discriminators_send_no_gradient_to_generator_and_encoder(table):
    nets = quick(ALAD, max_steps=1).fit(table).networks_
    for loss in ALAD()._losses(nets, torch.randn(8, 4), torch.randn(8, 4)):
        if loss.adversary:
            loss.value.backward()
    for role in ("generator", "encoder"):
        assert all(p.grad is None for p in nets[role].parameters())
    assert all(p.grad is not None for p in nets["discriminator_xx"].parameters())


@pytest.mark.parametrize(
    ("score", "value"),
    [
        # f(x, x) - f(x, x/2) = (0, 3x/2): L1 norms 4.5 and 1.125.
        ("features", [4.5, 1.125]),
        ("logits", np.log1p(np.exp([2.5, -1.875]))),  # -log D_xx(x, x/2), d = 5/2 sum x
        ("l1", [1.5, 0.375]),
        ("l2", np.sqrt([1.25, 0.078125])),
    ],
)
def test_the_score_is_the_papers(nets, score, value):
    found = call_hook(ALAD(score_name=score), "_score", nets, X)
    np.testing.assert_allclose(found.total, value, rtol=1e-6)
    assert set(found.components) == {"features", "logits", "l1", "l2"}
    np.testing.assert_allclose(found.residual, X.abs() / 2, rtol=1e-6)


def test_the_first_loss_is_of_real_pairs_and_the_second_of_fakes():
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])
    by_hand = cross_entropy(real, 1) + cross_entropy(fake, 0)
    np.testing.assert_allclose(discriminator_loss(real, fake), by_hand, rtol=1e-5)


# ------------------------------------------------------------------------------ spectral norm


def spectral_layers(detector):
    """Names of the layers with spectral norm, by role."""
    return {
        role: [name for name, layer in net.named_modules() if parametrize.is_parametrized(layer)]
        for role, net in detector.networks_.items()
    }


@pytest.mark.parametrize(("spectral_norm", "expected"), [("images", True), (False, False)])
def test_spectral_norm_is_on_encoder_and_discriminators(images, spectral_norm, expected):
    found = spectral_layers(quick(ALAD, max_steps=1, spectral_norm=spectral_norm).fit(images))
    assert found.pop("generator") == []
    assert all(bool(names) == expected for names in found.values())


@pytest.mark.parametrize(("spectral_norm", "expected"), [("images", False), (True, True)])
def test_tables_have_spectral_norm_only_when_asked(table, spectral_norm, expected):
    found = spectral_layers(quick(ALAD, max_steps=1, spectral_norm=spectral_norm).fit(table))
    assert found.pop("generator") == []
    assert all(bool(names) == expected for names in found.values())


def test_spectral_norm_survives_averaging_saving_copying_and_scoring(images, tmp_path):
    detector = quick(ALAD, ema_decay=0.9, max_steps=3).fit(images)
    assert any(spectral_layers(detector).values())
    vectors = {
        (role, name): tensor.clone()
        for role, net in detector.networks_.items()
        for name, tensor in net.state_dict().items()
    }
    assert any(name.endswith("._u") for _, name in vectors)
    scores = detector.anomaly_score(images)
    for (role, name), tensor in vectors.items():
        assert torch.equal(detector.networks_[role].state_dict()[name], tensor)
    detector.save(tmp_path / "m.oddgan")
    loaded = oddgan.load(tmp_path / "m.oddgan")
    for again in (loaded, copy.deepcopy(detector), pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(again.anomaly_score(images), scores)


# ------------------------------------------------------------------------------------- settings


def test_without_dzz_there_is_no_such_network(table):
    detector = quick(ALAD, max_steps=2, use_dzz=False).fit(table)
    assert "discriminator_zz" not in detector.networks_
    assert "discriminator_zz" not in detector.history_[-1]


def test_paper_presets_are_those_of_the_official_code():
    kdd, cifar = ALAD.from_preset("paper-kdd"), ALAD.from_preset("paper-cifar10")
    assert (kdd.latent_dim, kdd.batch_size, kdd.learning_rate) == (32, 50, 1e-5)
    assert (cifar.latent_dim, cifar.batch_size, cifar.learning_rate) == (100, 32, 2e-4)
    assert cifar.width == 128
    assert (kdd.ema_decay, cifar.ema_decay, ALAD().ema_decay) == (0.999, 0.999, 0.999)
    assert kdd._betas == (0.5, 0.999)
