"""Which shared components and own scores a score name stands for, and whether a method has them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from oddgan.networks import condition_on
from oddgan.scores import COMBINATIONS, SHARED_COMPONENTS, check_length, spaces_needed

from .encoding import Encoding
from .hooks import Hooks, MethodInfo, ScoreName


def parse_score_name(text: str) -> str | tuple[str, ...]:
    """Return the score name that a text holds; several components have commas between them."""
    return tuple(text.split(",")) if "," in text else text


def score_to_fit(method: MethodInfo, scores: Sequence[Any]) -> Any:
    """Return the score to fit with if all `scores` are to be asked for later.

    It is one of them if that one covers the components of all others, else all their components.
    """
    components = [component_names(method, score) for score in scores]
    needed = tuple(dict.fromkeys(name for names in components for name in names))
    pairs = zip(scores, components, strict=True)
    covering = (score for score, names in pairs if set(names) == set(needed))
    return next(covering, needed)


def component_names(method: MethodInfo, score: ScoreName) -> tuple[str, ...]:
    """Return the components that `score` names; none if it is one of the method's own scores.

    A component that counts twice is there twice.

    Raises
    ------
    ValueError
        A name is neither that of a shared component nor that of one of the method's own scores.
    """
    if isinstance(score, str):
        if score in method._score_names():
            return ()
        score = COMBINATIONS.get(score, (score,))
    for name in score:
        if name not in SHARED_COMPONENTS + method.scores:
            raise ValueError(
                f"score_name: {type(method).__name__} has no component {name!r}; there are "
                f"{', '.join(SHARED_COMPONENTS)} and its own {', '.join(method.scores)}"
            )
    if not score:
        raise ValueError(f"score_name names one or more components, not {score!r}")
    return tuple(score)


def needs_scale(method: MethodInfo) -> bool:
    """Return whether the score has a scale that is learned from normal samples."""
    return method.combine == "standardised" or bool(component_names(method, method.score_name))


def check_spaces(method: Hooks) -> None:
    """Refuse a score that needs what the method does not have.

    Raises
    ------
    ValueError
        It has no latent vectors, no reconstructions or no discriminator.
    """
    missing = {
        "latent": method.unavailable.get("embed"),
        "residual": method.unavailable.get("reconstruct"),
        "feature": method.without_features(),
    }
    for name in component_names(method, method.score_name):
        for space in sorted(spaces_needed([name])):
            if reason := missing.get(space):
                raise ValueError(
                    f"score_name: {type(method).__name__} cannot have {name}: {reason}"
                )


def check_lengths(method: Hooks, encoding: Encoding) -> None:
    """Refuse a covariance that is too large, before anything trains."""
    names = component_names(method, method.score_name)
    if not names:
        return
    spec = method._spec(encoding.samples)
    check_length(names, "residual", int(np.prod(spec.shape)))
    check_length(names, "latent", spec.latent_dim)
    if "feature_mahalanobis" in names:
        # On the meta device only shapes are computed.
        nets = method._build(encoding.samples, encoding.condition_dim, None)
        for network in nets.values():
            network.eval()
        x = torch.empty(2, *spec.shape, device="meta")
        condition = torch.empty(2, encoding.condition_dim, device="meta")
        with condition_on(condition if encoding.condition_dim else None):
            check_length(names, "feature", method._features(nets, x).flatten(1).shape[1])
