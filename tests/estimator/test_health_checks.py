"""The health of a fit: each planted fault is found, and told with its remedy."""

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

import oddgan
from oddgan import EGBAD, VAE, AnoGAN, Autoencoder, PCAReconstruction, health
from oddgan.networks import current_condition
from oddgan.scores import Score
from oddgan.training import Loss
from support import checks
from support.data import Known, fitted, make_images, make_table, quick

pytestmark = pytest.mark.filterwarnings("ignore:unhealthy fit")


def examined(cls, X, **params):
    """Return the names of what is wrong with a quick fit."""
    params = {"max_steps": 30, **params}
    return [check.name for check in quick(cls, health=True, **params).fit(X).health_]


# ----------------------------------------------------------------------- faults in a whole fit


class Collapsed(EGBAD):
    """Its generator makes one sample, whatever z."""

    def _finish(self, nets, chunks):
        one = next(chunks)[:1]
        nets["generator"] = Known(lambda z: one.expand(len(z), *one.shape[1:]))


class Repeating(VAE):
    """Its generator makes two samples, as far apart as the data are wide."""

    def _finish(self, nets, chunks):
        x = next(chunks)
        low, high = x.amin(0), x.amax(0)
        nets["generator"].forward = lambda z: torch.where(
            (z[:, 0] > 0).view(-1, *[1] * low.ndim), low, high
        )


class DeadEncoder(Autoencoder):
    """Its latents are those of a mean sample."""

    def _finish(self, nets, chunks):
        encoder = nets["encoder"]
        forward, one = encoder.forward, next(chunks)[:1]
        encoder.forward = lambda x: forward(one.expand_as(x) + 1e-4 * x)


class MeanDecoder(Autoencoder):
    """Its reconstructions are nearly those of a mean sample."""

    def _finish(self, nets, chunks):
        generator = nets["generator"]
        forward = generator.forward
        generator.forward = lambda z: 0.05 * forward(z) + 0.95 * forward(z * 0)


class FarEncoder(EGBAD):
    """Its latents are ten times too long."""

    def _finish(self, nets, chunks):
        encoder = nets["encoder"]
        forward, length = encoder.forward, self.latent_dim**0.5
        encoder.forward = lambda x: torch.nn.functional.normalize(forward(x)) * 10 * length


class UpsideDown(Autoencoder):
    """Its score is that of a critic that calls what is far out real."""

    def _score(self, nets, x, score):
        score = super()._score(nets, x, score)
        return Score({"l2": -score.components["l2"]}, score.residual)


class Blind(Autoencoder):
    """Its score is a number of the sample that has nothing to do with noise."""

    def _score(self, nets, x, score):
        score = super()._score(nets, x, score)
        return Score({"l2": (x.flatten(1).sum(1) * 1e3).sin()}, score.residual)


class Constant(Autoencoder):
    """Its score is the same for all samples."""

    def _score(self, nets, x, score):
        score = super()._score(nets, x, score)
        return Score({"l2": torch.ones(len(x))}, score.residual)


class DeadDiscriminator(EGBAD):
    """Its discriminator answers a constant."""

    def _losses(self, nets, x, z):
        with torch.no_grad():
            for parameter in nets["discriminator"].logit.parameters():
                parameter.zero_()
        yield from super()._losses(nets, x, z)


class SaturatedDiscriminator(EGBAD):
    """Its discriminator separates without a doubt, for fewer rounds than end a run."""

    def _losses(self, nets, x, z):
        for loss in super()._losses(nets, x, z):
            judged = 1e-4 * loss.value if loss.adversary else None
            yield Loss(loss.name, loss.value, loss.updates, loss.adversary, judged)


class Quarrelling(Autoencoder):
    """Each of its members has a direction of its own that is odd, by the sign of a weight."""

    def _score(self, nets, x, score):
        score = super()._score(nets, x, score)
        weights = next(nets["encoder"].parameters()).flatten()
        direction = torch.sin(1e4 * weights.sum() * torch.arange(1, x[0].numel() + 1))
        return Score({"l2": x.flatten(1) @ direction}, score.residual)


FAULTS = {
    Collapsed: "collapsed generator",
    Repeating: "repeating generator",
    DeadEncoder: "dead encoder",
    MeanDecoder: "same reconstruction",
    FarEncoder: "encoder and prior apart",
    UpsideDown: "score upside down",
    Blind: "score blind to noise",
    Constant: "tied scores",
    DeadDiscriminator: "dead discriminator",
    SaturatedDiscriminator: "saturated discriminator",
}


@cache
def found_in(cls):
    X = np.tile(make_table(), (2, 1)) + 0.1 * np.random.default_rng(0).normal(size=(600, 4))
    return examined(cls, X, calibration_fraction=0.5, max_steps=60)


@pytest.mark.parametrize("faulty", FAULTS, ids=lambda cls: cls.__name__)
def test_a_planted_fault_is_found_and_not_without_it(faulty):
    assert FAULTS[faulty] in found_in(faulty)
    assert FAULTS[faulty] not in found_in(faulty.__base__)


@pytest.mark.parametrize("faulty", [Collapsed, DeadEncoder, UpsideDown], ids=lambda c: c.__name__)
def test_a_planted_fault_is_found_in_images(faulty):
    assert FAULTS[faulty] in examined(faulty, make_images(), max_steps=2, calibration_fraction=0.4)


def test_a_column_of_another_scale_decides_everything(table):
    table = table * [1, 1, 1e4, 1]
    detector = quick(PCAReconstruction, health=True, scaling="none", latent_dim=1)
    found = {check.name: check for check in detector.fit(table * [1, 1, -1, 1]).health_}
    assert "a column that decides everything" not in found  # the component takes it
    table[:, 2] = 1e4 * np.random.default_rng(0).standard_cauchy(len(table))
    table[:, 1] = 3e4 * np.random.default_rng(1).normal(size=len(table))
    found = {check.name: check for check in detector.fit(table).health_}
    assert "column 'x" in found["a column that decides everything"].measured
    assert "a column that decides everything" not in examined(PCAReconstruction, table)


def test_the_only_number_of_a_table_may_have_the_residual_to_itself(table):
    frame = pd.DataFrame({"a": 1e4 * table[:, 0], "b": table[:, 1] > 0, "c": table[:, 2] > 0})
    detector, name = (
        quick(Autoencoder, health=True, scaling="none"),
        "a column that decides everything",
    )
    assert name not in [check.name for check in detector.fit(frame).health_checks_]
    with_another = frame.assign(d=table[:, 3])
    assert name in [check.name for check in detector.fit(with_another).health_]


def test_few_rows(table):
    assert examined(Autoencoder, table) == []
    assert "few held-out rows" in examined(Autoencoder, table[:150])  # 15 of them, 19 needed
    wide = np.random.default_rng(0).normal(size=(60, 40))
    assert "few training rows" in examined(PCAReconstruction, wide, calibration_fraction=0.4)
    assert "few training rows" not in examined(Autoencoder, table[:20])


def test_components_of_few_rows_overfit():
    wide = np.random.default_rng(0).normal(size=(80, 60))
    params = {"calibration_fraction": 0.4, "latent_dim": 30}
    assert "overfit" in examined(PCAReconstruction, wide, **params)
    assert "overfit" not in examined(PCAReconstruction, wide[:, :3], **params)


# ----------------------------------------------------------------------------- what is made of it


class Seeing(VAE):
    """Notes the samples and the context that its networks are given when it scores."""

    def _score(self, nets, x, score):
        self.seen = x, current_condition()
        return super()._score(nets, x, score)


def test_samples_are_examined_in_their_own_context():
    kind = np.random.default_rng(0).integers(0, 2, 400)
    X = np.random.default_rng(1).normal(size=(400, 3)) + 50 * kind[:, None]
    detector = quick(Seeing, health=True, max_steps=2).fit(X, condition=kind.astype(str))
    x, context = detector.seen
    n = 40 + 256  # held-out samples and samples that trained; the others have noise
    assert len(x) == len(context) >= n + 4 * 40
    first, others = context[:n].argmax(1), context[n : n + 40].argmax(1)
    assert (first.bool() == (x[:n, 0] > 0)).float().mean() in (0, 1)
    assert torch.equal(others, first[:40])


def test_severe_findings_warn_and_all_do_where_progress_is_shown(table):
    for verbose, categories in ((0, ["severe"]), (1, ["severe", "mild"])):
        detector = quick(UpsideDown, health=True, calibration_fraction=0.05, verbose=verbose)
        with pytest.warns(health.HealthWarning) as seen:
            detector.fit(table)
        texts = [str(w.message) for w in seen if w.category is health.HealthWarning]
        of = {f"unhealthy fit: {check}": check.severity for check in detector.health_}
        assert [of[text] for text in texts].count("severe") == 1
        assert {of[text] for text in texts} == set(categories)
        assert all(w.filename == __file__ for w in seen if w.category is health.HealthWarning)


def test_without_it_nothing_is_checked_and_the_fit_is_the_same(table):
    with_it = quick(EGBAD, health=True).fit(table)
    without = fitted(EGBAD, "table")
    assert with_it.health_checks_
    assert without.health_checks_ == without.health_ == ()
    assert "health=False" in without.health_report()
    np.testing.assert_array_equal(with_it.anomaly_score(table), without.anomaly_score(table))


def test_it_is_saved_with_the_model_and_told_in_words(table, tmp_path):
    detector = quick(UpsideDown, max_steps=30, health=True).fit(table)
    detector.__class__ = Autoencoder  # the file names a detector that there is
    detector.save(tmp_path / "m")
    again = oddgan.load(tmp_path / "m")
    assert again.health_checks_ == detector.health_checks_
    assert (again.n_train_, again.versions_) == (270, detector.versions_)
    lines = again.health_report().splitlines()
    assert lines[0].startswith("severe: score upside down: held-out samples with noise")
    assert lines[0].endswith("higher score does not mean more anomalous here.")
    assert all(line.startswith("passed: ") for line in lines[1:])
    assert len(lines) == len(detector.health_checks_)


def test_a_detector_declares_a_prior_if_and_only_if_it_learns_from_draws(detector_class):
    """A new detector that forgets to would never be told of a collapsed generator."""
    kind = detector_class.kinds[0]
    detector = fitted(type(checks.method_of(detector_class(), kind)), kind)
    x = torch.zeros(16, *detector.codec_.shape)
    z = torch.zeros(16, 4, requires_grad=True)
    drawn = False
    for stage in detector._stages if not detector.closed_form else ():
        for loss in getattr(detector, stage)(detector.networks_, x, z):
            reached = loss.value.requires_grad and torch.autograd.grad(
                loss.value, z, retain_graph=True, allow_unused=True
            )
            drawn |= bool(reached) and reached[0] is not None
    assert (detector.prior is not None) == drawn


# ------------------------------------------------------------------------------- checks by hand


def rng(seed=0):
    return np.random.default_rng(seed)


def test_auroc_and_its_error_by_hand():
    area, error = health.auroc(np.array([1.0, 2.0]), np.array([2.0, 3.0, 0.0]))
    assert area == pytest.approx((1 + 0.5 + 1 + 1) / 6)
    assert error == pytest.approx((6 / 72) ** 0.5)


def test_mixtures_that_score_lower_are_noticed():
    clean = rng().normal(size=200)
    assert health.score_sees_mixtures(clean, clean[::-1]).passed
    check = health.score_sees_mixtures(clean, clean - 1)
    assert not check.passed
    assert check.value == pytest.approx(0.24, abs=0.05)  # Phi(-1 / sqrt 2)


def test_few_rows_leave_the_benefit_of_the_doubt():
    """The same difference is found with many samples and not with few."""
    few, many = (rng().normal(size=(2, n)) for n in (6, 600))
    assert health.score_rises(few[0], {4.0: few[1] - 0.5}).passed
    check = health.score_rises(many[0], {1.0: many[1], 4.0: many[1] - 0.5})
    assert (check.name, check.passed) == ("score upside down", False)
    assert re.search(r"AUROC 0\.\d\d at 1, 0\.\d\d at 4 deviations", check.measured)


def test_copies_of_one_sample_may_share_a_score():
    scores = np.repeat(np.arange(12.0), 5)
    assert health.score_distinguishes(scores, n_distinct=12).passed
    assert not health.score_distinguishes(scores, n_distinct=30).passed
    assert health.score_distinguishes(scores[:9], n_distinct=2) is None


def test_the_share_of_a_column_is_that_of_the_average_sample():
    even = np.ones((50, 3))
    even[0] = [1e9, 1e-9, 1e-9]  # one sample does not make a column decide everything
    check = health.dominating_column(even, ["a", "b", "c"])
    assert check.passed
    assert check.value == pytest.approx((49 / 3 + 1) / 50)
    check = health.dominating_column(even * [1, 1, 100], ["a", "b", "c"])
    assert (check.passed, "'c'" in check.measured) == (False, True)
    assert not health.dominating_column(even * [1, 1, np.inf], ["a", "b", "c"]).passed
    assert health.dominating_column(np.zeros((5, 3)), ["a", "b", "c"]) is None
    assert health.dominating_column(np.ones((5, 2)), ["a", "b"]) is None


def test_spread_and_distances_are_ratios_to_those_of_the_data():
    rows = rng().normal(size=(200, 3))
    assert health.collapsed_generator(0.5 * rows, rows).value == pytest.approx(0.5)
    assert health.repeating_generator(0.5 * rows, rows).value == pytest.approx(0.5)
    assert health.collapsed_generator(rows, 0 * rows) is None
    assert health.repeating_generator(rows, 0 * rows) is None  # the data repeat themselves


def test_reconstructions_are_to_vary_by_a_tenth_of_their_samples():
    rows = rng().normal(size=(200, 1)) * [1, 2, -1, 0.5, 1] + 3
    for share, passed in ((1.0, True), (0.2, True), (0.05, False), (0.0, False)):
        check = health.same_reconstruction(3 + share * (rows - 3), rows)
        assert check.value == pytest.approx(share)
        assert check.passed == passed
    noise = rng().normal(size=(200, 5))
    for nothing_to_tell in (0 * rows, noise):
        assert health.same_reconstruction(0 * rows, nothing_to_tell) is None


def test_latents_are_compared_with_the_radius_of_the_prior():
    latents = rng().normal(size=(500, 32))
    assert health.encoder_apart(latents).value == pytest.approx(1, abs=0.02)
    for factor, passed in ((0.03, False), (0.1, True), (5, True), (10, False)):
        assert health.encoder_apart(factor * latents).passed == passed
    assert health.dead_encoder(latents).value == pytest.approx(1, abs=0.01)
    assert not health.dead_encoder(0 * latents).passed
    assert not health.dead_encoder(1e-3 * latents + 1).passed


def test_only_the_second_half_of_training_judges_a_discriminator():
    coin, sure = 2 * np.log(2), 1e-4
    reports = [{"step": i, "discriminator": loss} for i, loss in enumerate([sure] * 5 + [1.0] * 5)]
    assert [check.passed for check in health.discriminators(reports)] == [True]
    reports = [{"step": i, "d_1": coin, "d_2": sure, "d_3": coin - 1e-3} for i in range(4)]
    one, two, three = health.discriminators(reports)
    assert (one.name, two.name) == ("d_1 dead discriminator", "d_2 saturated discriminator")
    assert [one.passed, two.passed, three.passed] == [False, False, True]
    assert health.discriminators([]) == []


def test_members_that_disagree_are_found_and_others_are_not(table):
    found = quick(Quarrelling, n_members=4, max_steps=2, batch_size=64, health=True).fit(table)
    assert "members disagree" in [check.name for check in found.health_]
    sound = quick(EGBAD, n_members=3, max_steps=30, health=True).fit(table)
    (check,) = (c for c in sound.health_checks_ if c.name == "members disagree")
    assert check.passed, check


def test_disagreement_is_the_share_of_variance_that_samples_have_not():
    samples = rng().normal(size=(4000, 1))
    noise = rng(1).normal(size=(4000, 3))
    assert health.members_disagree(samples + 0.5 * noise, 4.0).value == pytest.approx(0.2, abs=0.02)
    check = health.members_disagree(samples + 2 * noise, 4.0)
    assert (check.severity, check.passed) == ("severe", False)
    assert check.value == pytest.approx(0.8, abs=0.02)
    assert health.members_disagree(noise[:20] * 0, 4.0) is None
    assert health.members_disagree(noise[:9], 4.0) is None


def test_noise_has_the_deviation_of_its_column_and_leaves_images_in_range():
    generator = torch.Generator().manual_seed(0)
    x = torch.tensor([[0.0, 5.0, 7.0], [2.0, 5.0, -3.0]]).repeat(2000, 1)
    change = health.noisy(x, x, 2.0, generator) - x
    np.testing.assert_allclose(change.std(0), [2, 0, 10], rtol=0.05)
    images = torch.rand(9, 1, 8, 8, generator=generator)
    noisy = health.noisy(images, images, 4.0, generator)
    assert noisy.min() == images.min()
    assert noisy.max() == images.max()
    assert (noisy != images).float().mean() > 0.5


def test_mixed_rows_take_whole_columns_of_others():
    """Each column keeps its values, and the inputs of one column stay together."""
    generator = torch.Generator().manual_seed(0)
    x = torch.arange(4000.0).view(1000, 4)
    made = health.mixed(x, 0.25, torch.tensor([0, 1, 1, 2]), generator)
    swapped = made != x
    np.testing.assert_allclose(swapped.float().mean(0), [0.25] * 4, atol=0.04)
    assert torch.equal(swapped[:, 1], swapped[:, 2])
    assert torch.equal(made[:, 2] - made[:, 1], torch.ones(1000))
    assert torch.equal(made % 4, x % 4)  # each value is one of its own column
    assert not torch.equal(swapped[:, 0], swapped[:, 1])


def test_mixed_images_have_a_patch_of_one_other():
    generator = torch.Generator().manual_seed(0)
    x = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 2, 8, 12)
    made = health.mixed(x, 0.25, torch.empty(0), generator)
    for i, image in enumerate(made):
        assert (image != i).sum() == 2 * 4 * 6
        assert len(image.unique()) == 2
        rows, columns = torch.where((image != i).all(0))
        assert (rows.max() - rows.min(), columns.max() - columns.min()) == (3, 5)


def test_a_detector_that_searches_is_asked_for_few_samples(table):
    detector = quick(AnoGAN, health=True, max_steps=2, n_steps=2, calibration_fraction=0.5)
    searched, search = [], detector._search
    detector._search = lambda nets, x, f, score: (
        searched.append(len(x)) or search(nets, x, f, score)
    )
    detector.fit(table)
    assert sum(searched) == 160 + 64  # the 150 held-out rows, in full batches, and 2 sets of 32
    names = {check.name for check in detector.health_checks_}
    assert "collapsed generator" in names
    assert not {"overfit", "mixtures less odd", "dead encoder"} & names
