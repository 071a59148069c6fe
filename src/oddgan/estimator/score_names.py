"""Which shared parts and scores of its own a detector's `score` names, and whether it has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from oddgan.networks import given
from oddgan.scores import COMBINATIONS, SHARED_COMPONENTS, check_length, spaces_needed

from .encoding import Encoding
from .hooks import Method


def score_named(text: str) -> str | tuple[str, ...]:
    """Return the `score` that a text names; several parts have commas between them."""
    return tuple(text.split(",")) if "," in text else text


def score_to_learn(detector: Method, scores: Sequence[Any]) -> Any:
    """Return the score to fit with if all `scores` are to be asked for: one of them if it can be.

    None of them can if each needs what no other has learnt; then it is all of their parts.
    """
    parts = [shared_names(clone(detector).set_params(score=score)) for score in scores]
    needed = tuple(dict.fromkeys(name for names in parts for name in names))
    covering = (s for s, names in zip(scores, parts, strict=True) if set(names) == set(needed))
    return next(covering, needed)


def shared_names(detector: Method) -> tuple[str, ...]:
    """Return the parts that `detector.score` names; none if it is a score of its own.

    One that counts twice is there twice.

    Raises
    ------
    ValueError
        A name is neither that of a shared part nor that of a score of the detector's own.
    """
    score: Any = detector.score
    if isinstance(score, str):
        if score in detector.scores or score in detector._handed_over:
            return ()
        score = COMBINATIONS.get(score, (score,))
    for name in score:
        if name not in SHARED_COMPONENTS + detector.scores:
            raise ValueError(
                f"score: {type(detector).__name__} has no part {name!r}; there are "
                f"{', '.join(SHARED_COMPONENTS)} and its own {', '.join(detector.scores)}"
            )
    if not score:
        raise ValueError(f"score names one or more parts, not {detector.score!r}")
    return tuple(score)


def check_spaces(detector: Method) -> None:
    """Refuse a score that needs what the detector does not have.

    Raises
    ------
    ValueError
        It has no latent vectors, no reconstructions or no discriminator.
    """
    cls = type(detector)
    without = {
        "latent": cls.unavailable.get("embed"),
        "residual": cls.unavailable.get("reconstruct"),
        "feature": without_features(cls),
    }
    for name in shared_names(detector):
        for space in sorted(spaces_needed([name])):
            if reason := without.get(space):
                raise ValueError(f"score: {cls.__name__} cannot have {name}: {reason}")


def without_features(cls: type[Method]) -> str | None:
    """Return why a detector has no discriminator's features; None if it has."""
    if cls._features is Method._features:
        return "it has no discriminator with a hidden layer to measure in"
    return None


def check_lengths(detector: Method, encoding: Encoding) -> None:
    """Refuse a covariance that is too large, before anything is trained."""
    names, spec = shared_names(detector), detector._spec(encoding.samples)
    check_length(names, "residual", int(np.prod(spec.shape)))
    check_length(names, "latent", spec.latent_dim)
    if "feature_mahalanobis" in names:
        # On the meta device nothing is computed but shapes.
        nets = detector._build(encoding.samples, encoding.condition_dim, None)
        for network in nets.values():
            network.eval()
        x, c = (torch.empty(2, *n, device="meta") for n in (spec.shape, (encoding.condition_dim,)))
        with given(c if encoding.condition_dim else None):
            check_length(names, "feature", detector._features(nets, x).flatten(1).shape[1])
