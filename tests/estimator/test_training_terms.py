"""Terms of training that detectors share: reconstruction, denoising and shifts of images."""

import numpy as np
import pandas as pd
import pytest
import torch

from oddgan import ALAD, EGBAD, VAE, Autoencoder, SkipGANomaly, all_detectors, training
from oddgan.estimator.training_terms import MAX_SHIFT, shifts, with_terms
from support import checks
from support.data import DATA, fitted, quick

PAIRS = [cls for cls in all_detectors().values() if getattr(cls, "_autoencoder", ())]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------ what is drawn


def test_swapped_cells_are_those_of_another_row_and_a_columns_features_go_together():
    n = 400
    # Two columns: one feature, and three one-hot features. Row and feature tell each cell.
    x = torch.arange(n * 4.0).reshape(n, 4)
    owner = torch.tensor([0, 1, 1, 1])
    swapped = training.swap_cells(x, owner, 0.25, generator())
    source = (swapped - torch.arange(4)) / 4  # the row that each cell is from
    assert torch.equal(source, source.round())  # of the same column
    assert torch.equal(source[:, 1], source[:, 2])
    assert torch.equal(source[:, 1], source[:, 3])
    moved = source != torch.arange(n)[:, None]
    shares = moved[:, :2].float().mean(0)
    assert ((shares - 0.25).abs() < 4 * (0.25 * 0.75 / n) ** 0.5).all()
    together = (moved[:, 0] & moved[:, 1]).float().mean()
    assert abs(together - 0.25**2) < 0.05  # the columns are drawn apart
    everything = training.swap_cells(x, owner, 1.0, generator())
    assert (everything != x).all()  # never its own row's
    assert torch.equal(training.swap_cells(x[:1], owner, 1.0, generator()), x[:1])


def test_shifted_images_are_whole_shifts_of_their_own_with_reflected_edges():
    images = torch.rand(300, 2, 5, 6, generator=generator())
    shifted = training.shift(images, 2, generator(1))
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    places = torch.stack(
        [
            (shifted == padded[:, :, i : i + 5, j : j + 6]).flatten(1).all(1)
            for i in range(5)
            for j in range(5)
        ]
    )
    assert (places.sum(0) == 1).all()  # each image is one of the 25
    counts = places.sum(1)
    assert counts.min() > 0
    assert counts.max() < 30  # of 12 on average


def test_noise_has_its_deviation_by_feature():
    x = torch.ones(5000, 3)
    noisy = training.add_noise(x, torch.tensor([0.0, 0.2, 1.0]), generator())
    torch.testing.assert_close(noisy.std(0), torch.tensor([0.0, 0.2, 1.0]), atol=0.04, rtol=0)
    torch.testing.assert_close(noisy.mean(0), torch.ones(3), atol=0.06, rtol=0)


# --------------------------------------------------------------------- the reconstruction term


class Stopped(Exception):  # noqa: N818 - it is no error
    pass


def first_round(detector, X, given=None):
    """Return losses, networks and rows of a fit's first round; `given` notes networks' inputs.

    Losses are (name, value, roles, {(role, name) of parameters that have a gradient from it}).
    """
    found = []

    def run(trainer):
        x = next(trainer.rows.epoch(0))
        z = torch.randn(len(x), trainer.settings.latent_dim, generator=trainer.generator)
        for role, net in trainer.networks.items():
            if given is not None:
                net.register_forward_pre_hook(lambda _, a, role=role: given.append((role, a[0])))
        losses = [
            (loss.name, loss.value.item(), loss.updates, graded(loss, trainer.networks))
            for loss in trainer.stages[0](trainer.networks, x, z)
        ]
        found.extend([losses, trainer.networks, x])
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Trainer, "run", run)
        with pytest.raises(Stopped):
            detector.fit(X)
    return found


def graded(loss, networks):
    parameters = {
        (role, name): p for role, net in networks.items() for name, p in net.named_parameters()
    }
    gradients = torch.autograd.grad(
        loss.value, list(parameters.values()), allow_unused=True, retain_graph=True
    )
    return {key for key, g in zip(parameters, gradients, strict=True) if g is not None and g.any()}


@pytest.mark.parametrize("kind", ["table", "image"])
@pytest.mark.parametrize("cls", PAIRS, ids=lambda cls: cls.__name__)
def test_the_term_reaches_encoder_and_generator_and_nothing_else(cls, kind):
    X = DATA[kind]()
    losses, nets, _ = first_round(quick(cls, reconstruction_weight=3.0, denoise=0.2), X)
    name, _, updates, reached = losses[-1]
    assert name == "reconstruction term"
    assert updates == cls._autoencoder
    assert reached == {
        (role, name) for role in updates for name, _ in nets[role].named_parameters()
    }
    plain, *_ = first_round(quick(cls), X)
    assert [loss[0] for loss in plain] == [loss[0] for loss in losses[:-1]]  # its own come first


def test_the_term_is_the_weighted_mean_square_of_the_residual(table):
    losses, nets, x = first_round(quick(EGBAD, reconstruction_weight=3.0), table)
    with torch.no_grad():
        y = nets["generator"](nets["encoder"](x))
    by_hand = 3 * sum(((x[i] - y[i]) ** 2).sum() / 4 for i in range(len(x))) / len(x)
    assert losses[-1][1] == pytest.approx(float(by_hand), rel=1e-5)


def test_the_term_ties_encoder_and_generator_together(table):
    free, tied = (
        fitted(EGBAD, "table", max_steps=150, **params)
        for params in ({}, {"reconstruction_weight": 10.0})
    )
    errors = [np.square(d.reconstruct(table) - table).mean() for d in (free, tied)]
    assert errors[1] < errors[0] / 2
    assert "reconstruction term" in tied.history_[-1]


# -------------------------------------------------------------------------------- denoising


@pytest.mark.parametrize("kind", ["table", "image"])
@pytest.mark.parametrize("cls", PAIRS, ids=lambda cls: cls.__name__)
def test_only_what_is_reconstructed_is_corrupted(cls, kind):
    """With no other randomness, what a discriminator is given is the same with `denoise`."""
    X = DATA[kind]()
    seen = {}
    for denoise in (0.0, 0.3):
        params = {"reconstruction_weight": 1.0, "denoise": denoise}
        if cls._denoised:
            params.pop("reconstruction_weight")
        seen[denoise] = []
        *_, x = first_round(quick(cls, **params), X, seen[denoise])
    clean, noisy = seen[0.0], seen[0.3]
    for (role, before), (_, after) in zip(clean, noisy, strict=True):
        if "discriminator" in role and torch.equal(before, x):
            assert torch.equal(after, x), role
    entered = "generator" if cls is SkipGANomaly else "encoder"
    of_samples = [a for role, a in noisy if role == entered and a.shape == x.shape]
    corrupted = [a for a in of_samples if not torch.equal(a, x)]
    assert corrupted
    # A BiGAN's own E(x) is of the samples as they are.
    assert torch.equal(of_samples[0], x) == (cls._denoised is None)
    if kind == "image":
        assert 0.27 < float((corrupted[-1] - x).std()) < 0.33
    assert len(clean) == len(noisy)


def test_categories_are_swapped_whole_and_get_no_noise():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.normal(size=90), "c": rng.choice(["x", "y", "z"], 90), "b": rng.random(90) < 0.5}
    )
    detector = quick(Autoencoder, denoise=0.5).fit(frame)
    x = torch.cat([detector.codec_.encode(*raw) for raw in _chunks(detector, frame)])
    seen = []

    def losses(nets, x, z):
        seen.append(nets["encoder"](x))
        yield from ()

    stage = with_terms(detector, losses, detector.codec_, generator())
    assert not list(stage({"encoder": torch.nn.Identity()}, x, x))
    numbers, rest = seen[0][:, :1], seen[0][:, 1:]
    assert torch.isin(rest, torch.tensor([0.0, 1.0])).all()
    assert (rest[:, :-1].sum(1) == 1).all()
    assert not torch.isin(numbers, x[:, :1]).any()
    assert 0.2 < float((rest != x[:, 1:]).any(1).float().mean()) < 0.9


def _chunks(detector, frame):
    return [(raw, rows) for rows, raw in detector.source(frame).chunks(1000)]


# ------------------------------------------------------------------------------ augmentation


def test_images_are_shifted_only_when_asked_for(images):
    for augment, score, shifted in [
        ("auto", "l2", False),
        ("auto", "local", True),
        ("auto", ("l2", "latent_density"), True),
        ("auto", ("l2",), False),
        ("shift", "l2", True),
        (None, "local", False),
    ]:
        assert shifts(Autoencoder(augment=augment, score_name=score), "image") == shifted
    assert not shifts(Autoencoder(score_name="local"), "table")


def test_all_losses_of_a_round_see_the_same_shifted_images(images):
    given = []
    detector = quick(Autoencoder, augment="shift", reconstruction_weight=1.0)
    *_, rows = first_round(detector, images, given)
    seen = [x for role, x in given if role == "encoder"]
    assert len(seen) == 2  # its own loss, and the term
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], rows)
    padded = torch.nn.functional.pad(rows, (MAX_SHIFT,) * 4, mode="reflect")
    assert torch.isin(seen[0], padded).all()


def test_warped_images_are_moved_apart_and_compared_with_themselves_as_they_were(images):
    given = []
    losses, nets, rows = first_round(quick(Autoencoder, augment="affine"), images, given)
    (seen,) = [x for role, x in given if role == "encoder"]
    assert not torch.isclose(seen, rows).flatten(1).all(1).any()
    with torch.no_grad():
        y = nets["generator"](nets["encoder"](seen))
    assert losses[0][1] == pytest.approx(float((rows - y).square().sum() / len(rows)), rel=1e-4)


def test_a_warp_is_the_affine_map_that_was_drawn(monkeypatch):
    """Two pixels to the left, then a turn by 15 degrees: by hand."""
    image = torch.arange(28.0).expand(1, 1, 28, 28)  # a pixel is its column
    draws = torch.tensor([0.0, 0, 0, 0, 1, 0])[:, None]
    monkeypatch.setattr(torch, "rand", lambda *size, **kwargs: (draws + 1) / 2)
    moved = training.affine(image, generator())
    torch.testing.assert_close(moved[..., :26], image[..., 2:])
    draws[0], draws[4] = 1.0, 0.0  # a turn of 15 degrees
    rise = training.affine(image, generator())[0, 0, 14, 10:18].diff()
    torch.testing.assert_close(rise, torch.full((7,), np.cos(np.pi / 12), dtype=torch.float32))


# --------------------------------------------------- repeatable, resumed, refused where no use


SETTINGS = [
    (ALAD, "table", {"reconstruction_weight": 5.0, "denoise": 0.2}),
    (Autoencoder, "image", {"denoise": 0.2, "augment": "shift"}),
    (Autoencoder, "image", {"augment": "affine"}),
]


@pytest.mark.parametrize(("cls", "kind", "params"), SETTINGS)
def test_what_is_drawn_is_repeated_and_resumed(cls, kind, params, tmp_path):
    X = DATA[kind]()
    scores = fitted(cls, kind, **params).anomaly_score(X)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    np.testing.assert_array_equal(quick(cls, **params).fit(X).anomaly_score(X), scores)
    assert torch.equal(torch.get_rng_state(), before)
    assert not np.array_equal(quick(cls, **params, random_state=1).fit(X).anomaly_score(X), scores)

    def stopped(trainer):
        if trainer.step == 10:
            trainer._save()
            raise KeyboardInterrupt
        report(trainer)

    report = training.Trainer._report
    checkpoint = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Trainer, "_report", stopped)
        with pytest.raises(KeyboardInterrupt):
            quick(cls, **params, checkpoint=checkpoint).fit(X)
    resumed = quick(cls, **params, checkpoint=checkpoint).fit(X)
    np.testing.assert_array_equal(resumed.anomaly_score(X), scores)


@pytest.mark.parametrize(
    ("cls", "kind", "params", "message"),
    [
        (VAE, "table", {"reconstruction_weight": 1.0}, "reconstruction_weight must be 0 for VAE"),
        (VAE, "table", {"denoise": 0.1}, "denoise must be 0 for VAE"),
        (EGBAD, "table", {"denoise": 0.1}, "give a reconstruction_weight above 0"),
        (EGBAD, "table", {"augment": "shift"}, "augment='shift' is for images"),
        (EGBAD, "table", {"denoise": 1.0}, "denoise"),
        (Autoencoder, "table", {"augment": "affine"}, "augment='affine' is for images"),
        (EGBAD, "image", {"augment": "affine"}, "give a reconstruction_weight above 0"),
        (VAE, "image", {"augment": "affine"}, "it trains no reconstruction"),
    ],
)
def test_a_term_of_no_use_is_refused_before_training(cls, kind, params, message, monkeypatch):
    monkeypatch.setattr(training.Trainer, "run", lambda self: pytest.fail("it trained"))
    with pytest.raises(ValueError, match=message):
        quick(cls, **params).fit(DATA[kind]())


def test_every_detector_without_a_pair_refuses(detector_class, table, images):
    if checks.method_of(detector_class(), detector_class.kinds[0])._autoencoder:
        return
    X = table if "table" in detector_class.kinds else images
    with pytest.raises(ValueError, match=r"must be 0 for"):
        quick(detector_class, reconstruction_weight=1.0).fit(X)


def test_a_turn_keeps_distances_on_images_that_are_not_square(monkeypatch):
    image = torch.zeros(1, 1, 21, 61)
    image[0, 0, 10, 30 + 20] = 1  # 20 pixels to the right of the middle
    draws = torch.tensor([1.0, 0.5, 0.5, 0.5, 0.5, 0.5])[:, None]  # 15 degrees and nothing else
    monkeypatch.setattr(torch, "rand", lambda *size, **how: draws)
    turned = training.affine(image, torch.Generator())[0, 0]
    y, x = divmod(int(turned.argmax()), 61)
    assert np.hypot(y - 10, x - 30) == pytest.approx(20, abs=1)
    assert abs(np.arctan2(y - 10, x - 30)) == pytest.approx(np.pi / 12, abs=0.05)
