"""What a score finds odd about each input of a sample, and which normal sample it compares with."""

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan.scores import N_NEIGHBOURS, SHARED_COMPONENTS, FittedComponents

from .hooks import Method
from .inference import Answer, finite, in_batches
from .score_names import shared_names
from .shared_components import in_spaces, learnt_for, own, part_values

if TYPE_CHECKING:
    from .detector import Detector

#: What a part counts at least, in units of its spread over normal samples: each has a say.
_LEAST = 0.01


class View(NamedTuple):
    """How samples are compared with normal ones: in which space, with how many neighbours.

    "own" is the comparison that the detector makes itself, whatever the space; without neighbours
    it is that of the critic of the space.
    """

    space: str
    k: int = 0


def explained(detector: "Detector", x: Tensor, c: Tensor | None) -> Answer:
    """Return what a detector without members says of encoded samples, in the shape of `x`.

    By name "contributions" and, for tables with a normal counterpart, "expected". For tables with
    a score of shared parts each part divides its value, on the scale of the score, among the
    inputs by the squared differences from what it compares with; the contributions are the mean
    over the parts, what is expected is that by the same weights. For images it is the residual
    whatever the score: maps of the differences from neighbours showed no clear gain on tiles.
    """
    names = shared_names(detector)
    if not names or x.ndim > 2:
        return _own(detector, x, c)
    learnt = learnt_for(detector, names)
    spaces = in_batches(detector.networks_, x, c, partial(in_spaces, detector, names))
    parts = learnt.scaled_components(part_values(learnt, names, spaces))
    weights: dict[View, NDArray[np.float64]] = {}
    for name in names:
        view = _view(detector, learnt, name)
        weights[view] = weights.get(view, 0.0) + np.maximum(parts[name], _LEAST)
    found = {view: _seen(detector, learnt, view, x, c, spaces) for view in weights}
    total, shares = sum(weights.values()), dict[str, Tensor]()
    for view, weight in weights.items():
        differences = found[view]["contributions"].double()
        of_all = differences.sum(1, keepdim=True)
        divided = torch.where(of_all > 0, differences / of_all, 1 / differences.shape[1])
        counted = {"contributions": divided * _column(weight / len(names))}
        if all("expected" in each for each in found.values()):
            counted["expected"] = found[view]["expected"].double() * _column(weight / total)
        shares = {name: shares.get(name, 0) + counted[name] for name in counted}
    return {name: finite(values.float()) for name, values in shares.items()}


def _view(detector: "Detector", learnt: FittedComponents, name: str) -> View:
    """Return how the part `name` compares samples, as far as inputs tell of it."""
    space, _, measure = name.partition("_")
    if name not in SHARED_COMPONENTS:
        return View("own")
    if measure in ("knn", "density", "critic"):
        # Only a latent space with a way back, G(z), says what its neighbours look like.
        way_back = type(detector)._reconstruct is Method._reconstruct
        if space == "input" or (space == "latent" and way_back):
            by_measure = {"knn": learnt.n_nearest, "density": N_NEIGHBOURS, "critic": 0}
            return View(space, by_measure[measure])
    if name == "residual_mahalanobis":
        return View("covariance")
    return View("residual") if space == "residual" else View("own")


def _seen(
    detector: "Detector",
    learnt: FittedComponents,
    view: View,
    x: Tensor,
    c: Tensor | None,
    spaces: Answer,
) -> Answer:
    """Return contributions and what is expected as this view of rows has them, (n, d)."""
    if view.space == "own":
        return _own(detector, x, c)
    if view.space == "input":
        mean, squares = _nearest(learnt, view, x)
        return _told(torch.from_numpy(squares), torch.from_numpy(mean))
    if view.space == "latent":
        mean, _ = _nearest(learnt, view, spaces["latent"])
        z, G = torch.from_numpy(mean).float(), detector.networks_["generator"]
        y = in_batches({"generator": G}, z, c, lambda z: {"": G(z)})[""]
        return _told((x - y).square(), y)
    residual = spaces["residual"]
    y = x - residual
    if view.space == "residual":
        return _told(residual.square(), y)
    added = learnt.gaussians["residual"].added(residual.numpy())
    return _told(torch.from_numpy(added).clamp(min=0), y)


def _nearest(
    learnt: FittedComponents, view: View, rows: Tensor
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what is expected of rows of the space, and how far each number is from it."""
    if view.k:
        return learnt.references[view.space].nearest(rows.numpy(), view.k)
    return learnt.critics[view.space].nearest(rows.numpy())


def _told(contributions: Tensor, expected: Tensor) -> Answer:
    return {"contributions": contributions, "expected": expected}


def _own(detector: "Detector", x: Tensor, c: Tensor | None) -> Answer:
    """Return what the detector says by a score of its own."""
    asked = own(detector)

    def compute(x: Tensor) -> Answer:
        contributions, expected = asked._explain(detector.networks_, x)
        found = {"contributions": finite(contributions)}
        return found if expected is None else {**found, "expected": expected}

    return in_batches(detector.networks_, x, c, compute)


def _column(values: Any) -> Tensor:
    return torch.from_numpy(np.asarray(values))[:, None]
