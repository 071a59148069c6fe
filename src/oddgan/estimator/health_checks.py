"""The health of a fit: what is measured of it, without labels, and kept with the model."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oddgan import decisions, health, inputs

from .encoding import Encoding, Sample
from .ensemble import calibrated_scores
from .fit import FitResult, TrainedMember
from .fitted import Ensemble, Fitted, Model
from .holdout import subsample
from .hooks import Hooks
from .inference import as_floats, finite, in_batches
from .shared_components import score_compute, score_values, total_of

#: Samples in a set, at most and at least, and numbers that they have at most in between.
_MAX_SAMPLES, _MIN_SAMPLES, _NUMBERS = 256, 32, 2**23
#: Standard deviations of the noise, and the share of a sample that is taken from another.
_STRENGTHS = (1.0, 2.0, 4.0)
_SHARE = 0.5


def check_health(
    method: Hooks, fitted: Fitted, result: FitResult
) -> tuple[health.HealthCheck, ...]:
    """Measure a fit: its score on corrupted held-out samples, its networks and its rows.

    What is measured depends on what the method has: see `Hooks.prior` and the roles of its
    networks. It takes as long as scoring 1,536 samples. For a detector that searches for each it
    takes 64: only the strongest noise is tried there, and no sample that trained. The members of
    an ensemble are also asked for 512 samples together.
    """
    ensemble = Ensemble.of(method, fitted)
    of_members = [
        _check_member(model, trained, result.held_out_samples, result.seed)
        for model, trained in zip(ensemble.models, result.members, strict=True)
    ]
    checks = of_members[0]
    if len(of_members) > 1:
        together = _check_members_together(ensemble, result)
        checks = [*_worst(of_members), *([together] if together else [])]
    return (*_check_rows(method, fitted), *checks)


def warn(checks: tuple[health.HealthCheck, ...], verbose: int, stacklevel: int) -> None:
    """Warn about what did not pass: always if it is severe, the rest if `verbose`."""
    for check in checks:
        if not check.passed and (verbose or check.severity == "severe"):
            text = f"unhealthy fit: {check}"
            warnings.warn(text, health.HealthWarning, stacklevel=stacklevel + 1)


def _check_members_together(ensemble: Ensemble, result: FitResult) -> health.HealthCheck | None:
    """Check what the members of an ensemble say of the same samples."""
    generator = torch.Generator().manual_seed(result.seed)
    encoding = result.encoding
    n = _n_samples(ensemble.method, encoding)
    held_out = subsample(result.hold_out.held_out, n, [result.seed, 3])
    x, condition = _encoded(encoding, held_out)
    seen, _ = _encoded(encoding, subsample(result.members[0].references, n, [result.seed, 2]))
    both = torch.cat([x, health.noisy(x, seen, _STRENGTHS[-1], generator)])
    conditions = None if condition is None else torch.cat([condition, condition])
    scores = [_scores_and_residuals(model, both, conditions)[0] for model in ensemble.models]
    assert ensemble.scale
    return health.members_disagree(calibrated_scores(scores, ensemble.scale), _STRENGTHS[-1])


def _n_samples(method: Hooks, encoding: Encoding) -> int:
    most = _MIN_SAMPLES if method._searches else _MAX_SAMPLES
    return max(_MIN_SAMPLES, min(most, _NUMBERS // prod(encoding.samples.shape)))


def _check_member(
    model: Model, trained: TrainedMember, samples: inputs.Source, seed: int
) -> list[health.HealthCheck]:
    """Check a member of an ensemble, or a detector without one."""
    generator = torch.Generator().manual_seed(seed)
    encoding = model.encoding
    n = _n_samples(model.method, encoding)
    held_out = _encoded(encoding, subsample(samples, n, [seed, 1]))
    seen = _encoded(encoding, subsample(trained.references, n, [seed, 2]))
    checks = [
        *_check_scores(model, held_out, seen, generator),
        *health.discriminators(trained.judgements),
        *_check_networks(model, held_out, seen, generator),
    ]
    return [check for check in checks if check is not None]


def _worst(of_members: Sequence[Sequence[health.HealthCheck]]) -> list[health.HealthCheck]:
    """Return the checks of an ensemble: for each kind one that failed, if there is one."""
    by_name: dict[str, list[tuple[int, health.HealthCheck]]] = {}
    for k, checks in enumerate(of_members):
        for check in checks:
            by_name.setdefault(check.name, []).append((k, check))
    worst = []
    for same in by_name.values():
        failed = [(k, check) for k, check in same if not check.passed]
        k, first = (failed or same)[0]
        n = len({k for k, _ in failed})
        which = f"in {n} of {len(of_members)} members; in member {k}, " if n else ""
        worst.append(replace(first, measured=which + first.measured))
    return worst


def _encoded(encoding: Encoding, source: inputs.Source) -> Sample:
    """Return all samples of `source`, and their condition, on the CPU."""
    return encoding.split(torch.cat(list(encoding.joint_rows(source, source.count()))))


def _check_rows(method: Hooks, fitted: Fitted) -> list[health.HealthCheck]:
    n, fpr = len(fitted.calibration_scores), method.target_fpr
    needed = decisions.smallest_sample(fpr)
    checks = [health.few_held_out(n, needed, fpr, cross_fitted=fitted.cross_fitted)]
    codec = fitted.encoding.samples
    if codec.kind == "table":
        n_train = min(member.n_train for member in fitted.members)
        checks.append(health.few_training_rows(n_train, codec.shape[0]))
    return checks


def _check_scores(
    model: Model, held_out: Sample, seen: Sample, generator: torch.Generator
) -> list[health.HealthCheck | None]:
    """Check scores and residuals, of these samples and of held-out ones that were corrupted."""
    (x, condition), (x_seen, condition_seen) = held_out, seen
    codec, searches = model.encoding.samples, model.method._searches
    columns = codec.columns
    widths = torch.tensor([column.stop - column.start for column in columns], dtype=torch.long)
    owner = torch.repeat_interleave(torch.arange(len(columns)), widths)
    if searches:
        x_seen, condition_seen = x[:0], None if condition is None else condition[:0]
    strengths = _STRENGTHS[-1:] if searches else _STRENGTHS
    corrupted = [health.noisy(x, seen[0], strength, generator) for strength in strengths]
    if not searches:
        corrupted.append(health.mixed(x, _SHARE, owner, generator))
    conditions = None
    if condition is not None and condition_seen is not None:
        conditions = torch.cat([condition, condition_seen, *[condition] * len(corrupted)])
    every = torch.cat([x, x_seen, *corrupted])
    scores, residuals = _scores_and_residuals(model, every, conditions)
    n, n_seen = len(x), len(x_seen)
    clean, raised = scores[:n], scores[n + n_seen :].reshape(len(corrupted), n)
    checks = [
        health.score_distinguishes(clean, len(torch.unique(x, dim=0))),
        health.score_rises(clean, dict(zip(strengths, raised, strict=False))),
    ]
    if not searches:
        means = as_floats(residuals.flatten(1).mean(1))
        checks.append(health.score_sees_mixtures(clean, raised[-1]))
        checks.append(health.overfit(means[n : n + n_seen], means[:n]))
    # Beside categories and booleans, which are often reconstructed without error, a single numeric
    # column has the residual to itself.
    if sum(column.kind == "numeric" for column in columns) > 1:
        shares = codec.per_column(residuals[:n]).astype(np.float64)
        checks.append(health.dominating_column(shares, [column.name for column in columns]))
    return checks


def _scores_and_residuals(model: Model, x: Tensor, condition: Tensor | None) -> tuple[Any, Tensor]:
    """Return scores and residuals of encoded samples, in one pass where one gives both."""
    method, nets, score = model.method, model.networks, model.own_score
    if not model.components:
        total = total_of(model)

        def both(x: Tensor) -> dict[str, Tensor]:
            own_score = method._score(nets, x, score)
            return {"score": finite(total(own_score)), "residual": finite(own_score.residual)}

        tensors = in_batches(nets, x, condition, both)
        return as_floats(tensors["score"]), tensors["residual"]
    scores = score_values(model, in_batches(nets, x, condition, score_compute(model)))

    def residual(x: Tensor) -> dict[str, Tensor]:
        return {"": method._score(nets, x, score).residual}

    return scores, finite(in_batches(nets, x, condition, residual)[""])


def _check_networks(
    model: Model, held_out: Sample, seen: Sample, generator: torch.Generator
) -> list[health.HealthCheck | None]:
    """Check what networks make of draws of the prior, and of samples."""
    method, nets, score = model.method, model.networks, model.own_score
    checks = list[health.HealthCheck | None]()
    x, condition = seen
    rows = as_floats(x.flatten(1))
    if method.prior:
        G = nets["generator"]
        latent_dim = method._spec(model.encoding.samples).latent_dim
        z = torch.randn(len(x), latent_dim, generator=generator)
        generated = as_floats(in_batches(nets, z, condition, lambda z: {"": G(z)})[""].flatten(1))
        checks += [
            health.collapsed_generator(generated, rows),
            health.repeating_generator(generated, rows),
        ]
    reconstructs = "reconstruct" not in method.unavailable and not method._searches
    if reconstructs and method.prior != "matched":  # BiGANs are not trained to reconstruct
        y = in_batches(nets, x, condition, lambda x: {"": method._reconstruct(nets, x, score)})[""]
        checks.append(health.same_reconstruction(as_floats(y.flatten(1)), rows))
    if "encoder" in nets:
        embedded = in_batches(nets, *held_out, lambda x: {"": method._embed(nets, x, score)})
        latents = as_floats(embedded[""])
        checks.append(health.dead_encoder(latents))
        if method.prior == "matched":
            checks.append(health.encoder_apart(latents))
    return checks
