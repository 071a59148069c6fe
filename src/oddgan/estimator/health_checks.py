"""The health of a fit: what is measured of it, without labels, and kept with the model."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from oddgan import decisions, health, inputs

from .encoding import Encoding, Sample
from .ensemble import calibrated, scale_of
from .fit import FitResult, TrainedMember
from .holdout import subsample
from .inference import as_floats, finite, in_batches
from .score_names import shared_names
from .shared_components import how_to_answer, own

if TYPE_CHECKING:
    from .detector import Detector

#: Samples in a set, at most and at least, and numbers that they have at most in between.
_MOST, _LEAST, _NUMBERS = 256, 32, 2**23
#: Deviations of the noise, and the share of a sample that is another's.
_STRENGTHS = (1.0, 2.0, 4.0)
_SHARE = 0.5


class Health:
    """What a fitted detector says of its own fit."""

    health_checks_: tuple[health.HealthCheck, ...]

    @property
    def health_(self) -> tuple[health.HealthCheck, ...]:
        """What is wrong with the fit; empty if nothing was found or `health` was False."""
        return tuple(check for check in self.health_checks_ if not check.passed)

    def health_report(self) -> str:
        """Return what was checked of the fit, in words: one line each, what is wrong first."""
        check_is_fitted(self)
        if not self.health_checks_:
            return "The health of this fit was not checked (health=False)."
        wrong_first = sorted(self.health_checks_, key=lambda check: check.passed)
        return "\n".join(
            f"{'passed' if check.passed else check.severity}: {check}" for check in wrong_first
        )


def examine(detector: "Detector", fit: FitResult) -> tuple[health.HealthCheck, ...]:
    """Measure a fit: its score on corrupted held-out samples, its networks and its rows.

    What is measured depends on what the detector has: see `Method.prior` and the roles of its
    networks. It takes as long as scoring 1,536 samples; of a detector that searches for each, 64:
    only the strongest noise is looked at there, and no sample that trained. The members of a
    population are also asked for 512 samples together.
    """
    members = detector.members_ or [detector]
    of_members = [
        _of_member(one, fit.encoding, trained, fit.seed)
        for one, trained in zip(members, fit.members, strict=True)
    ]
    checks = of_members[0]
    if detector.members_:
        together = _of_members_together(detector, fit)
        checks = [*_worst(of_members), *([together] if together else [])]
    return (*_of_rows(detector, fit), *checks)


def _of_members_together(detector: "Detector", fit: FitResult) -> health.HealthCheck | None:
    """Check what the members of a population say of the same samples."""
    generator = torch.Generator().manual_seed(fit.seed)
    n = _n_samples(detector, fit.encoding)
    x, c = _encoded(fit.encoding, subsample(fit.split.held_out, n, [fit.seed, 3]))
    like, _ = _encoded(fit.encoding, subsample(fit.members[0].references, n, [fit.seed, 2]))
    both = torch.cat([x, health.noisy(x, like, _STRENGTHS[-1], generator)])
    contexts = None if c is None else torch.cat([c, c])
    scores = [_asked(one, both, contexts)[0] for one in detector.members_]
    together = calibrated(scores, scale_of(detector.members_))
    return health.members_disagree(together, _STRENGTHS[-1])


def _n_samples(detector: "Detector", encoding: Encoding) -> int:
    most = _LEAST if detector._searches else _MOST
    return max(_LEAST, min(most, _NUMBERS // prod(encoding.samples.shape)))


def _of_member(
    detector: "Detector", encoding: Encoding, trained: TrainedMember, seed: int
) -> list[health.HealthCheck]:
    """Check a member of a population, or a detector that has none."""
    generator = torch.Generator().manual_seed(seed)
    n = _n_samples(detector, encoding)
    held_out = _encoded(encoding, subsample(trained.held_out_samples, n, [seed, 1]))
    seen = _encoded(encoding, subsample(trained.references, n, [seed, 2]))
    checks = [
        *_of_answers(detector, held_out, seen, generator),
        *health.discriminators(trained.judgements),
        *_of_networks(detector, held_out, seen, generator),
    ]
    return [check for check in checks if check is not None]


def _worst(of_members: Sequence[Sequence[health.HealthCheck]]) -> list[health.HealthCheck]:
    """Return the checks of a population: of each kind one that failed, if there is one."""
    alike: dict[str, list[tuple[int, health.HealthCheck]]] = {}
    for k, checks in enumerate(of_members):
        for check in checks:
            alike.setdefault(check.name, []).append((k, check))
    found = []
    for same in alike.values():
        failed = [(k, check) for k, check in same if not check.passed]
        k, first = (failed or same)[0]
        n = len({k for k, _ in failed})
        which = f"in {n} of {len(of_members)} members; in member {k}, " if n else ""
        found.append(replace(first, measured=which + first.measured))
    return found


def _encoded(encoding: Encoding, source: inputs.Source) -> Sample:
    """Return all samples of `source`, and their context, on the CPU."""
    return encoding.split(torch.cat(list(encoding.joint_rows(source, source.count()))))


def _of_rows(detector: "Detector", fit: FitResult) -> list[health.HealthCheck]:
    n, fpr = len(detector.calibration_scores_), detector.target_fpr
    needed = decisions.smallest_sample(fpr)
    found = [health.few_held_out(n, needed, fpr, crossed=detector.crossed_)]
    if detector.codec_.kind == "table":
        n_train = min(trained.n_train for trained in fit.members)
        found.append(health.few_training_rows(n_train, detector.codec_.shape[0]))
    return found


def _of_answers(
    detector: "Detector", held_out: Sample, trained: Sample, generator: torch.Generator
) -> list[health.HealthCheck | None]:
    """Check scores and residuals, of these samples and of held-out ones that were corrupted."""
    (x, c), (x_trained, c_trained) = held_out, trained
    columns = detector.codec_.columns
    widths = torch.tensor([column.stop - column.start for column in columns], dtype=torch.long)
    owner = torch.repeat_interleave(torch.arange(len(columns)), widths)
    if detector._searches:
        x_trained, c_trained = x[:0], None if c is None else c[:0]
    strengths = _STRENGTHS[-1:] if detector._searches else _STRENGTHS
    odd = [health.noisy(x, trained[0], strength, generator) for strength in strengths]
    if not detector._searches:
        odd.append(health.mixed(x, _SHARE, owner, generator))
    contexts = None
    if c is not None and c_trained is not None:
        contexts = torch.cat([c, c_trained, *[c] * len(odd)])
    scores, residuals = _asked(detector, torch.cat([x, x_trained, *odd]), contexts)
    n = len(x)
    clean, corrupted = scores[:n], scores[n + len(x_trained) :].reshape(len(odd), n)
    found = [
        health.score_distinguishes(clean, len(torch.unique(x, dim=0))),
        health.score_rises(clean, dict(zip(strengths, corrupted, strict=False))),
    ]
    if not detector._searches:
        means = as_floats(residuals.flatten(1).mean(1))
        found.append(health.score_sees_mixtures(clean, corrupted[-1]))
        found.append(health.overfit(means[n : n + len(x_trained)], means[:n]))
    # Beside categories and booleans, which are often reconstructed without error, the only
    # number has the residual to itself.
    if sum(column.kind == "numeric" for column in columns) > 1:
        shares = detector.codec_.per_column(residuals[:n]).astype(np.float64)
        found.append(health.dominating_column(shares, [column.name for column in columns]))
    return found


def _asked(detector: "Detector", x: Tensor, c: Tensor | None) -> tuple[Any, Tensor]:
    """Return scores and residuals of encoded samples, in one pass where one gives both."""
    nets = detector.networks_
    if not shared_names(detector):

        def both(x: Tensor) -> dict[str, Tensor]:
            score = detector._score(nets, x)
            return {"score": finite(detector._total(score)), "residual": finite(score.residual)}

        found = in_batches(nets, x, c, both)
        return as_floats(found["score"]), found["residual"]
    compute, convert = how_to_answer(detector, "anomaly_score")
    scores = convert(in_batches(nets, x, c, compute))
    asked = own(detector)
    return scores, finite(
        in_batches(nets, x, c, lambda x: {"": asked._score(nets, x).residual})[""]
    )


def _of_networks(
    detector: "Detector", held_out: Sample, trained: Sample, generator: torch.Generator
) -> list[health.HealthCheck | None]:
    """Check what networks make of draws of the prior, and of samples."""
    nets, found = detector.networks_, list[health.HealthCheck | None]()
    x, c = trained
    rows = as_floats(x.flatten(1))
    if detector.prior:
        G = nets["generator"]
        z = torch.randn(len(x), detector._spec(detector.codec_).latent_dim, generator=generator)
        made = as_floats(in_batches(nets, z, c, lambda z: {"": G(z)})[""].flatten(1))
        found += [health.collapsed_generator(made, rows), health.repeating_generator(made, rows)]
    reconstructs = "reconstruct" not in detector.unavailable and not detector._searches
    if reconstructs and detector.prior != "matched":  # BiGANs are not trained to reconstruct
        y = in_batches(nets, x, c, lambda x: {"": detector._reconstruct(nets, x)})[""]
        found.append(health.same_reconstruction(as_floats(y.flatten(1)), rows))
    if "encoder" in nets:
        compute, convert = how_to_answer(detector, "embed")
        latents = convert(in_batches(nets, *held_out, compute))
        found.append(health.dead_encoder(latents))
        if detector.prior == "matched":
            found.append(health.encoder_apart(latents))
    return found


def warn(checks: tuple[health.HealthCheck, ...], verbose: int, stacklevel: int) -> None:
    """Warn of what did not pass: of what is severe always, of the rest if `verbose`."""
    for check in checks:
        if not check.passed and (verbose or check.severity == "severe"):
            text = f"unhealthy fit: {check}"
            warnings.warn(text, health.HealthWarning, stacklevel=stacklevel + 1)


def state(checks: tuple[health.HealthCheck, ...]) -> list[dict[str, Any]]:
    """Return what a model file holds of them."""
    return [asdict(check) for check in checks]


def restored(held: list[dict[str, Any]]) -> tuple[health.HealthCheck, ...]:
    """Return the checks of a model file."""
    return tuple(health.HealthCheck(**fields) for fields in held)
