"""f-AnoGAN against the paper's formulas, computed by hand; and what its two stages train."""

import numpy as np
import pytest
import torch
from torch import nn

from oddgan import FAnoGAN
from oddgan.detectors.fanogan import squared
from oddgan.training import batch_slices, critic_loss, gradient_penalty
from support.data import Known, call_hook, quick


def known_critic():
    """d(x) = 3 x_1 + 4 x_2, whose gradient has norm 5; f(x) = (x, 2x, 0) of length 6."""
    weights = torch.tensor([3.0, 4.0])
    return Known(lambda x: (x @ weights, torch.cat([x, 2 * x, torch.zeros_like(x)], dim=1)))


@pytest.fixture
def nets():
    """E(x) = 2x, G(z) = z / 4, so G(E(x)) = x / 2 and E(G(z)) = z / 2."""
    return {
        "generator": Known(lambda z: z / 4),
        "critic": known_critic(),
        "encoder": Known(lambda x: 2 * x),
        "place": Known(lambda like: torch.full_like(like, 0.3)),
    }


X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
Z = torch.tensor([[4.0, 0.0], [-4.0, 8.0]])
# x - G(E(x)) = x / 2: squares (.25, 1) and (.0625, .015625); f differs by (x/2, x, 0).
RESIDUAL = np.array([1.25, 0.078125]) / 2
FEATURES = 5 * np.array([1.25, 0.078125]) / 6
# E(x) - E(G(E(x))) = 2x - x.
LATENT = np.array([5.0, 0.3125]) / 2
# z - E(G(z)) = z / 2: squares (4, 0) and (4, 16).
ZIZ = np.array([4.0, 20.0]) / 2


# -------------------------------------------------------------------------------------- losses


def test_the_penalty_of_a_linear_critic():
    """Its gradient has norm 5 everywhere, so the penalty is (5 - 1)^2."""
    found = gradient_penalty(known_critic(), X, Z / 4, torch.tensor([0.3, 0.9]))
    assert found.item() == pytest.approx(16)


def test_the_penalty_is_taken_between_sample_and_fake():
    """The gradient of |x|^2 / 2 is x: at place 1/4 of the way its norm is known."""
    critic = Known(lambda x: (x.square().sum(1) / 2, x))
    x, fake = torch.tensor([[4.0, 0.0], [0.0, 8.0]]), torch.tensor([[0.0, 0.0], [4.0, 0.0]])
    found = gradient_penalty(critic, x, fake, torch.tensor([0.25, 0.5]))
    by_hand = np.mean([(3 - 1) ** 2, (np.hypot(2, 4) - 1) ** 2])  # at (3, 0) and (2, 4)
    assert found.item() == pytest.approx(by_hand)


def test_the_penalty_is_differentiated_by_the_weights():
    """d(x) = w x: the penalty (w - 1)^2 has the derivative 2 (w - 1)."""
    w = torch.tensor(3.0, requires_grad=True)
    x = torch.tensor([[0.5], [2.0]])
    penalty = gradient_penalty(Known(lambda x: (w * x[:, 0], x)), x, -x, torch.rand(2))
    penalty.backward()
    assert w.grad.item() == pytest.approx(4)


def test_the_penalty_of_images_has_one_place_an_image():
    critic = Known(lambda x: (x.square().flatten(1).sum(1) / 2, x))
    x = torch.randn(2, 1, 3, 4)
    found = gradient_penalty(critic, x, torch.zeros_like(x), torch.tensor([0.5, 0.0]))
    norms = x.flatten(1).norm(dim=1) * torch.tensor([0.5, 1.0])
    torch.testing.assert_close(found, (norms - 1).square().mean())


def test_the_critic_minimises_generated_minus_real_plus_ten_penalties():
    # d(x) = -5 and 2.5, mean -1.25; d(z / 4) = 3 and 5, mean 4.
    found = critic_loss(known_critic(), X, Z / 4, torch.tensor([0.3, 0.9]))
    assert found.item() == pytest.approx(4 + 1.25 + 10 * 16)


def test_losses_of_a_round_of_the_first_stage(nets):
    losses = list(FAnoGAN(n_critic=2)._losses(nets, X, Z))
    assert [(loss.name, loss.updates) for loss in losses] == [
        ("critic", ("critic",)),
        ("critic", ("critic",)),
        ("generator", ("generator",)),
    ]
    # Each step of the critic is on a batch of its own; the generator has the last one's z.
    values = [loss.value.item() for loss in losses]
    assert values == pytest.approx([3 + 5 + 160, 5 - 2.5 + 160, -5])
    assert not any(loss.adversary for loss in losses)  # the loss of a critic has no bounds


@pytest.mark.parametrize(
    ("training", "kappa", "value"),
    [
        ("izi_f", 1.0, RESIDUAL + FEATURES),
        ("izi_f", 0.5, RESIDUAL + 0.5 * FEATURES),
        ("izi", 1.0, RESIDUAL),
        ("ziz", 1.0, ZIZ),
    ],
)
def test_losses_of_a_round_of_the_second_stage(nets, training, kappa, value):
    detector = FAnoGAN(training=training, kappa=kappa, n_critic=2)
    losses = list(detector._encoder_losses(nets, X, Z))
    assert [loss.updates for loss in losses] == [("encoder",)] * 2
    np.testing.assert_allclose([loss.value for loss in losses], value, rtol=1e-6)


def test_batches_are_of_all_rows_once():
    rows = np.arange(13)
    found = [rows[part] for part in batch_slices(13, 5)]
    assert [len(part) for part in found] == [3, 3, 3, 3, 1]
    np.testing.assert_array_equal(np.concatenate(found), rows)
    assert len(batch_slices(3, 5)) == 3
    assert len(batch_slices(320, 5)) == 5


def test_squared_is_the_mean_over_a_sample():
    a, b = torch.zeros(2, 1, 2, 2), torch.tensor([1.0, 3.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    assert squared(a, b).tolist() == [1, 9]


# --------------------------------------------------------------------------------------- score


@pytest.mark.parametrize(
    ("score", "kappa", "value"),
    [
        ("izi_f", 1.0, RESIDUAL + FEATURES),
        ("izi_f", 3.0, RESIDUAL + 3 * FEATURES),
        ("izi", 3.0, RESIDUAL),
        ("ziz", 3.0, LATENT),
    ],
)
def test_the_score_is_the_papers(nets, score, kappa, value):
    found = call_hook(FAnoGAN(score_name=score, kappa=kappa), "_score", nets, X)
    np.testing.assert_allclose(found.total, value, rtol=1e-6)
    np.testing.assert_allclose(found.components["residual"], RESIDUAL, rtol=1e-6)
    np.testing.assert_allclose(found.residual, X.square() / 4, rtol=1e-6)


@pytest.mark.parametrize(("score", "features"), [("izi_f", 1), ("izi", 0), ("ziz", 1)])
def test_refinement_minimises_the_score_or_else_that_of_the_paper(nets, score, features):
    detector = FAnoGAN(score_name=score, kappa=3.0)
    found = detector._search_loss(nets, 2 * X, X, nets["critic"](X)[1], score)
    np.testing.assert_allclose(found, RESIDUAL + 3 * features * FEATURES, rtol=1e-6)


def test_the_prior_holds_the_latents_of_a_refinement_and_is_not_in_the_score(nets):
    free, held = FAnoGAN(refine_steps=1), FAnoGAN(refine_steps=1, prior_weight=6.0)
    known = (nets, 2 * X, X, nets["critic"](X)[1], "izi_f")
    added = held._search_loss(*known) - free._search_loss(*known)
    np.testing.assert_allclose(added, 3 * (4 * X.square()).mean(1), rtol=1e-5)
    z = call_hook(held, "_embed", nets, X)
    assert not torch.equal(z, call_hook(free, "_embed", nets, X))
    residual = (X - nets["generator"](z)).square().mean(1)
    np.testing.assert_allclose(
        call_hook(held, "_score", nets, X).components["residual"], residual, rtol=1e-5
    )


@pytest.mark.parametrize("score", FAnoGAN.scores)
def test_refinement_starts_at_the_encoder_and_lowers_its_loss(table, score):
    detector = quick(FAnoGAN).fit(table)
    encoded = detector.embed(table)
    loss = "izi" if score == "izi" else "izi_f"
    before = detector.set_params(score_name=loss).anomaly_score(table)
    detector.set_params(score_name=score, refine_steps=1)
    # A first step of Adam is as long as its rate in each direction.
    np.testing.assert_allclose(np.abs(detector.embed(table) - encoded).max(), 0.01, rtol=1e-3)
    detector.set_params(refine_steps=50)
    moved = detector.embed(table)
    after = detector.set_params(score_name=loss).anomaly_score(table)
    assert np.abs(moved - encoded).max() > 0.1
    assert (after < before).mean() > 0.95
    together = detector.set_params(score_name=score).anomaly_score(table)
    np.testing.assert_allclose(detector.anomaly_score(table[5:8]), together[5:8], rtol=1e-5)


# ----------------------------------------------------------------------------- the two stages


def state(nets, roles):
    return {
        (role, name): tensor.clone()
        for role in roles
        for name, tensor in nets[role].state_dict().items()
    }


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_stage_changes_not_a_bit_of_what_it_does_not_train(images, monkeypatch, ema_decay):
    """In the first the encoder, in the second generator and critic, statistics included."""
    first, second = FAnoGAN._losses, FAnoGAN._encoder_losses
    starts, ends = {}, {}

    def watched(stage, frozen, losses):
        def hook(self, nets, x, z):
            starts.setdefault(stage, state(nets, frozen))
            for loss in losses(self, nets, x, z):
                yield loss
                for role in frozen:
                    assert all(p.grad is None or stage == 2 for p in nets[role].parameters())
            ends[stage] = state(nets, frozen)

        return hook

    monkeypatch.setattr(FAnoGAN, "_losses", watched(1, ["encoder"], first))
    monkeypatch.setattr(FAnoGAN, "_encoder_losses", watched(2, ["generator", "critic"], second))
    detector = quick(FAnoGAN, max_steps=4, ema_decay=ema_decay).fit(images)
    assert any("running_mean" in name for _, name in starts[2])
    for stage in (1, 2):
        assert starts[stage]
        for key, tensor in starts[stage].items():
            assert torch.equal(ends[stage][key], tensor), key
    final = state(detector.networks_, ["generator", "critic", "encoder"])
    assert all(torch.equal(final[key], tensor) for key, tensor in ends[2].items())
    # The encoder learns in the second stage, statistics included.
    moving = [key for key in starts[1] if "running" in key[1]]
    assert moving
    assert not any(torch.equal(final[key], starts[1][key]) for key in moving)


def test_the_critic_has_n_critic_batches_for_one_step_of_the_generator(table, monkeypatch):
    sizes, losses = [], FAnoGAN._losses

    def watched(self, nets, x, z):
        sizes.append((len(x), len(z)))
        yield from losses(self, nets, x, z)

    monkeypatch.setattr(FAnoGAN, "_losses", watched)
    quick(FAnoGAN, max_steps=3, n_critic=3, batch_size=20).fit(table)
    assert sizes == [(60, 60)] * 3


def test_the_places_of_the_penalty_are_uniform_and_of_the_fits_generator(table, monkeypatch):
    seen = []

    def note(D, x, fake, place):
        seen.append(place)
        return critic_loss(D, x, fake, place)

    monkeypatch.setattr("oddgan.detectors.fanogan.critic_loss", note)
    for _ in range(2):
        quick(FAnoGAN, max_steps=4).fit(table)
    places = torch.cat(seen)
    half = len(seen) // 2
    assert all(torch.equal(a, b) for a, b in zip(seen[:half], seen[half:], strict=True))
    assert len(places.unique()) > 0.4 * len(places)
    assert 0 <= places.min() < 0.05 < 0.95 < places.max() < 1


# ------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize("encoder_output", ["tanh", "linear"])
def test_the_range_of_the_encoder(table, encoder_output):
    detector = quick(FAnoGAN, max_steps=3, encoder_output=encoder_output).fit(table)
    far = np.abs(detector.embed(1e3 * table)).max()
    assert far <= 1 if encoder_output == "tanh" else far > 1


def test_the_optimisers_are_those_of_the_paper():
    detector, weights = FAnoGAN.from_preset("paper-oct"), [nn.Parameter(torch.zeros(2))]
    for role in ("generator", "critic"):
        optimizer = detector._optimizer(role, weights, "image")
        assert isinstance(optimizer, torch.optim.Adam)
        assert optimizer.defaults["lr"] == 1e-4
        assert optimizer.defaults["betas"] == (0.0, 0.9)
    optimizer = detector._optimizer("encoder", weights, "image")
    assert isinstance(optimizer, torch.optim.RMSprop)
    assert optimizer.defaults["lr"] == 5e-5
    assert optimizer.defaults["alpha"] == 0.9  # TensorFlow's decay


def test_the_preset_is_that_of_the_official_code():
    detector = FAnoGAN.from_preset("paper-oct")
    assert (detector.latent_dim, detector.batch_size, detector.epochs) == (128, 64, 7)
    assert (detector.n_critic, detector.kappa, detector.encoder_output) == (5, 1.0, "tanh")
    assert (detector.width, detector.image_size, detector.max_steps) == (128, 64, None)
