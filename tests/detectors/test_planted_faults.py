"""Each check of the common suite notices the fault that it is there for.

The faults are those found in published code and in libraries of anomaly detection. A faulty
detector here differs from a right one in its fault alone, and the right one passes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from oddgan import EGBAD, VAE, all_detectors
from oddgan.estimator import fit
from oddgan.scores import Scale, binary_cross_entropy
from oddgan.training import Loss
from support import checks

# ----------------------------------------------------------------------- scores, and their sign


def with_parts(score, change):
    components = {name: change(values) for name, values in score.components.items()}
    return replace(score, components=components)


class UpsideDown(VAE):
    """The score is how normal a sample is."""

    def _score(self, nets, x, score):
        return with_parts(super()._score(nets, x, score), lambda part: -part)


class OneScoreForAllNames(EGBAD):
    """The parameter is documented and stored, and never used."""

    def _score(self, nets, x, score):
        return super()._score(nets, x, self.scores[0])


class DropoutLeftOn(EGBAD):
    """Nobody calls `eval`: every call gives other scores."""

    def _score(self, nets, x, score):
        nets["discriminator"].train()
        return super()._score(nets, x, score)


class BatchStatistics(EGBAD):
    """Batch norm uses, and updates its statistics on, the batch that is scored."""

    def _score(self, nets, x, score):
        nets["generator"].train()
        return super()._score(nets, x, score)


class WeightsMoveInScoring(EGBAD):
    """What is to move the latent vector alone moves the generator too."""

    def _score(self, nets, x, score):
        for weight in nets["generator"].parameters():
            weight.mul_(0.999)
        return super()._score(nets, x, score)


class DividedByTheBatch(VAE):
    """Scores are brought to [0, 1] batch by batch."""

    def _score(self, nets, x, score):
        return with_parts(super()._score(nets, x, score), lambda part: part / part.norm())


class NoiseByPlace(VAE):
    """Deterministic, but a draw belongs to a place in the batch and not to a sample."""

    def _score(self, nets, x, score):
        noise = torch.randn(len(x), generator=torch.Generator().manual_seed(0))
        return with_parts(super()._score(nets, x, score), lambda part: part + 1e-3 * noise)


class DependsOnRowsBefore(VAE):
    """A search that begins where that of the row before has ended."""

    def _score(self, nets, x, score):
        return with_parts(super()._score(nets, x, score), lambda part: part + 1e-3 * part.cumsum(0))


class DependsOnCallsBefore(VAE):
    """The same, from call to call."""

    _last = 0.0

    def _score(self, nets, x, score):
        own = with_parts(super()._score(nets, x, score), lambda part: part + 1e-3 * self._last)
        self._last = own.total.mean()
        return own


# ------------------------------------------------------------------------------------- training


class GeneratorHasNoLoss(EGBAD):
    def _losses(self, nets, x, z):
        return (loss for loss in super()._losses(nets, x, z) if loss.name != "generator")


class GeneratorIsNotInItsLoss(EGBAD):
    """The discriminator judges noise where it is to judge what is generated of it."""

    def _losses(self, nets, x, z):
        for loss in super()._losses(nets, x, z):
            if loss.name == "generator":
                logit, _ = nets["discriminator"](x.roll(1, 0), z)
                loss = Loss("generator", binary_cross_entropy(logit, 1).mean(), loss.updates)
            yield loss


class DetachedEncoder(VAE):
    """One network of two gets no gradient."""

    def _losses(self, nets, x, z):
        fixed = {**nets, "encoder": lambda x: nets["encoder"](x).detach()}
        return super()._losses(fixed, x, z)


class TwoStages(VAE):
    """A right detector: in a second stage the encoder alone learns."""

    _stages = ("_losses", "_second_losses")

    def _second_losses(self, nets, x, z):
        nets["generator"].eval()
        yield from self._encoder_loss(nets, x)

    def _encoder_loss(self, nets, x):
        y = nets["generator"](nets["encoder"](x).chunk(2, dim=1)[0])
        yield Loss("encoder", (x - y).square().mean(), ("encoder",))


class FrozenStatisticsMove(TwoStages):
    """The frozen generator's batch norm goes on learning."""

    def _second_losses(self, nets, x, z):
        yield from self._encoder_loss(nets, x)


class FrozenWeightsMove(TwoStages):
    """The second stage begins with clipping the weights of a network that it does not train."""

    def _second_losses(self, nets, x, z):
        for weight in nets["generator"].parameters():
            weight.data.mul_(0.9)
        yield from super()._second_losses(nets, x, z)


class LastStageIsNotTrained(TwoStages):
    """Its gradient is zero, and weights move by the momentum of the first stage alone."""

    def _second_losses(self, nets, x, z):
        nets["generator"].eval()
        for loss in self._encoder_loss(nets, x):
            yield replace(loss, value=loss.value * 0 + nets["generator"](z).mean())


# ------------------------------------------------------------------------------- first weights


def layers(nets):
    for net in nets.values():
        for layer in net.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                yield layer


class InitialisationIsNoOp(EGBAD):
    """The rule is asked of the container, which is no convolution: PyTorch's own weights stay."""

    def _build(self, *args):
        nets = super()._build(*args)
        with torch.random.fork_rng():
            torch.manual_seed(args[-1].initial_seed())
            for layer in layers(nets):
                layer.reset_parameters()
        return nets


class WeightsAreUninitialised(EGBAD):
    def _build(self, *args):
        nets = super()._build(*args)
        for layer in layers(nets):
            layer.to_empty(device="cpu")
        return nets


class WeightsAreZero(EGBAD):
    def _build(self, *args):
        nets = super()._build(*args)
        for layer in layers(nets):
            nn.init.zeros_(layer.weight)
        return nets


class WeightsIgnoreTheSeed(EGBAD):
    def _build(self, *args):
        return super()._build(*args[:-1], torch.Generator().manual_seed(0))


# ---------------------------------------------------------------------------- fit and its state


class ThresholdOfOtherScores(EGBAD):
    """The scores of training and those of new rows are made by different functions."""

    def fit(self, X, y=None):
        super().fit(X)
        held_out = np.isin(self.anomaly_score(X), self.calibration_scores_)
        others = np.sort(self.score_components(X)["residual"][held_out])
        return self.adopt(replace(self.fitted_, calibration_scores=others))


class TrainedOnHeldOutRows(VAE):
    def fit(self, X, y=None):
        def on_all(rows):
            every = rows.train.source
            return replace(rows, train=every, members=[(every, None)])

        hold_outs = fit.hold_outs
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fit, "hold_outs", lambda *args: [*map(on_all, hold_outs(*args))])
            return super().fit(X)


class SeedsTheWorld(VAE):
    def fit(self, X, y=None):
        torch.manual_seed(self.random_state)
        return super().fit(X)


class ShufflesByTheWorld(VAE):
    def fit(self, X, y=None):
        np.random.default_rng(0).shuffle(order := np.arange(len(X)))
        np.random.shuffle(order)  # noqa: NPY002
        return super().fit(X[order])


class DrawsFromTheWorld(VAE):
    def _losses(self, nets, x, z):
        return super()._losses(nets, x, torch.randn(z.shape))


class ForgetsToBeginAnew(VAE):
    """A refit continues where the last fit ended."""

    def _build(self, *args):
        return getattr(self, "networks_", None) or super()._build(*args)


class AddsThePartsAsTheyAre(EGBAD):
    """The scale of the parts is learnt and stored, and not used."""

    def fit(self, X, y=None):
        super().fit(X)
        scale = self.fitted_.members[0].component_scale
        if scale is None:
            return self
        as_they_are = Scale(dict.fromkeys(scale.means, 0.0), dict.fromkeys(scale.means, 1.0))
        member = replace(self.fitted_.members[0], component_scale=as_they_are)
        return self.adopt(replace(self.fitted_, members=(member,)))


def ignoring(cls, name, value):
    """Return a subclass that trains with this value of a parameter, whatever it is given."""

    def fit(self, X, y=None):
        given = getattr(self, name)
        setattr(self, name, value)
        try:
            return cls.fit(self, X)
        finally:
            setattr(self, name, given)

    return type(f"{cls.__name__}Ignoring{name.title()}", (cls,), {"fit": fit})


class AnEpochIsOneBatch(VAE):
    def fit(self, X, y=None):
        params = self.get_params()
        try:
            return super(AnEpochIsOneBatch, self.set_params(max_steps=self.epochs)).fit(X)
        finally:
            self.set_params(**params)


# ------------------------------------------------------------------------------------ the faults


@dataclass
class Planted:
    """A fault, the detector that it was planted in, and the check that has to notice."""

    faulty: type
    check: Callable[..., object]
    kind: str | None = "table"

    @property
    def right(self):
        return self.faulty.__bases__[0]

    def run(self, cls):
        self.check(cls, **({"kind": self.kind} if self.kind else {}))

    def __str__(self):
        return f"{self.faulty.__name__}-{getattr(self.check, 'func', self.check).__name__}"


BATCH_MATES = checks.check_a_score_depends_on_its_own_sample_only
SCORING = checks.check_scoring_repeats_itself_and_changes_no_weights
LOSSES = checks.check_every_loss_trains_its_networks_and_nothing_else
WEIGHTS = checks.check_first_weights_follow_the_rule
GLOBAL = checks.check_global_random_state_is_neither_changed_nor_read


def used(name, value):
    return partial(checks.check_a_parameter_is_used, name=name, value=value)


def rounds(case):
    return partial(checks.check_the_number_of_rounds, case=case)


HELD_OUT = checks.check_held_out_rows_neither_train_nor_set_a_scale
FAULTS = [
    Planted(UpsideDown, checks.check_planted_outliers_in_a_table_score_higher, None),
    Planted(UpsideDown, checks.check_planted_outliers_among_images_score_higher, None),
    Planted(OneScoreForAllNames, checks.check_every_name_of_a_score_gives_another),
    Planted(DropoutLeftOn, SCORING),
    Planted(DropoutLeftOn, BATCH_MATES),
    Planted(BatchStatistics, SCORING, "image"),
    Planted(BatchStatistics, BATCH_MATES, "image"),
    Planted(WeightsMoveInScoring, SCORING),
    Planted(DividedByTheBatch, BATCH_MATES),
    Planted(NoiseByPlace, BATCH_MATES),
    Planted(DependsOnRowsBefore, BATCH_MATES),
    Planted(DependsOnCallsBefore, SCORING),
    Planted(DependsOnCallsBefore, checks.check_training_and_new_rows_go_through_the_same_path),
    Planted(GeneratorHasNoLoss, LOSSES),
    Planted(GeneratorIsNotInItsLoss, LOSSES),
    Planted(DetachedEncoder, LOSSES),
    Planted(FrozenStatisticsMove, LOSSES, "image"),
    Planted(FrozenWeightsMove, LOSSES),
    Planted(LastStageIsNotTrained, LOSSES),
    Planted(InitialisationIsNoOp, WEIGHTS, "image"),
    Planted(InitialisationIsNoOp, WEIGHTS),
    Planted(WeightsAreUninitialised, WEIGHTS),
    Planted(WeightsAreZero, WEIGHTS),
    Planted(WeightsIgnoreTheSeed, WEIGHTS),
    Planted(ThresholdOfOtherScores, checks.check_training_and_new_rows_go_through_the_same_path),
    Planted(TrainedOnHeldOutRows, partial(HELD_OUT, kind="table"), None),
    Planted(SeedsTheWorld, GLOBAL),
    Planted(ShufflesByTheWorld, GLOBAL),
    Planted(DrawsFromTheWorld, GLOBAL),
    Planted(DrawsFromTheWorld, checks.check_same_random_state_same_scores),
    Planted(ForgetsToBeginAnew, checks.check_same_random_state_same_scores),
    Planted(ignoring(VAE, "random_state", 0), checks.check_same_random_state_same_scores),
    Planted(ignoring(VAE, "scaling", "standard"), used("scaling", "robust")),
    Planted(ignoring(VAE, "batch_size", 64), used("batch_size", 32)),
    Planted(ignoring(VAE, "learning_rate", None), used("learning_rate", 1e-2)),
    Planted(ignoring(VAE, "ema_decay", 0.0), used("ema_decay", 0.5)),
    Planted(
        ignoring(VAE, "channels", "last"), checks.check_the_axis_of_the_channels_is_as_told, None
    ),
    Planted(ignoring(VAE, "epochs", 3), rounds("epochs")),
    Planted(AnEpochIsOneBatch, rounds("epochs")),
    Planted(ignoring(VAE, "min_steps", 1), rounds("min_steps")),
    Planted(ignoring(VAE, "max_steps", None), rounds("max_steps")),
    Planted(
        ignoring(VAE, "target_fpr", 0.05),
        checks.check_a_higher_rate_of_false_alarms_lowers_the_threshold,
    ),
    Planted(
        AddsThePartsAsTheyAre,
        partial(checks.check_standardised_parts_are_summed, score="sigma"),
    ),
]


@pytest.mark.parametrize("planted", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(planted):
    planted.run(planted.right)
    with pytest.raises(AssertionError):
        planted.run(planted.faulty)


def test_faulty_detectors_are_not_offered():
    assert not {planted.faulty for planted in FAULTS} & set(all_detectors().values())
