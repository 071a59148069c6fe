"""What a score finds anomalous about each input, and which value it would have expected there."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan.scores import N_NEIGHBOURS, SHARED_COMPONENTS, FittedComponents

from .fitted import Model
from .inference import Compute, Tensors, finite, in_batches
from .shared_components import component_values, components_of, in_spaces

#: What a component counts at least, in units of its spread over normal samples: each has a say.
_LEAST = 0.01


class View(NamedTuple):
    """How samples are compared with normal ones: in which space, with how many neighbours.

    "own" is the comparison that the method makes itself, whatever the space; without neighbours
    the critic of the space compares.
    """

    space: str
    k: int = 0


def explained(model: Model, x: Tensor, condition: Tensor | None) -> Tensors:
    """Return what a member says of encoded samples, in the shape of `x`.

    By name "contributions" and, for tables with a reconstruction, "expected". With a score of
    shared components of a table each component divides its value, on the scale of the score, among
    the inputs by the squared differences from what it compares with. The contributions are the
    mean over the components, and the expected values the mean with the same weights. For images it
    is the residual whatever the score: maps of the differences from neighbours showed no clear
    gain on tiles.
    """
    names = model.components
    if not names or x.ndim > 2:
        return in_batches(model.networks, x, condition, own_contributions(model))
    components = components_of(model)
    spaces = in_batches(model.networks, x, condition, in_spaces(model, names))
    values = components.scaled_components(component_values(components, names, spaces))
    weights: dict[View, NDArray[np.float64]] = {}
    for name in names:
        view = _view(model, components, name)
        weights[view] = weights.get(view, 0.0) + np.maximum(values[name], _LEAST)
    compared = {view: _compare(model, components, view, x, condition, spaces) for view in weights}
    total, shares = sum(weights.values()), dict[str, Tensor]()
    for view, weight in weights.items():
        differences = compared[view]["contributions"].double()
        sums = differences.sum(1, keepdim=True)
        divided = torch.where(sums > 0, differences / sums, 1 / differences.shape[1])
        weighted = {"contributions": divided * _column(weight / len(names))}
        if all("expected" in each for each in compared.values()):
            weighted["expected"] = compared[view]["expected"].double() * _column(weight / total)
        shares = {name: shares.get(name, 0) + weighted[name] for name in weighted}
    return {name: finite(values.float()) for name, values in shares.items()}


def own_contributions(model: Model) -> Compute:
    """Return what the method says by one of its own scores."""
    method, nets, score = model.method, model.networks, model.own_score

    def compute(x: Tensor) -> Tensors:
        contributions, expected = method._explain(nets, x, score)
        tensors = {"contributions": finite(contributions)}
        return tensors if expected is None else {**tensors, "expected": expected}

    return compute


def _view(model: Model, components: FittedComponents, name: str) -> View:
    """Return how the component `name` compares samples, as far as the inputs show it."""
    space, _, measure = name.partition("_")
    if name not in SHARED_COMPONENTS:
        return View("own")
    by_measure = {"knn": components.n_nearest, "density": N_NEIGHBOURS, "critic": 0}
    # Only a latent space with a way back, G(z), says what its neighbours look like.
    decodable = space == "input" or (space == "latent" and model.method.decodes_latents())
    if decodable and measure in by_measure:
        return View(space, by_measure[measure])
    if name == "residual_mahalanobis":
        return View("covariance")
    return View("residual") if space == "residual" else View("own")


def _compare(
    model: Model,
    components: FittedComponents,
    view: View,
    x: Tensor,
    condition: Tensor | None,
    spaces: Tensors,
) -> Tensors:
    """Return contributions and expected values of rows in this view, (n, d)."""
    if view.space == "own":
        return in_batches(model.networks, x, condition, own_contributions(model))
    if view.space == "input":
        mean, squares = _nearest(components, view, x)
        return _compared(torch.from_numpy(squares), torch.from_numpy(mean))
    if view.space == "latent":
        mean, _ = _nearest(components, view, spaces["latent"])
        z, G = torch.from_numpy(mean).float(), model.networks["generator"]
        y = in_batches({"generator": G}, z, condition, lambda z: {"": G(z)})[""]
        return _compared((x - y).square(), y)
    residual = spaces["residual"]
    y = x - residual
    if view.space == "residual":
        return _compared(residual.square(), y)
    added = components.gaussians["residual"].contributions(residual.numpy())
    return _compared(torch.from_numpy(added).clamp(min=0), y)


def _nearest(
    components: FittedComponents, view: View, rows: Tensor
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what is expected of rows of the space, and how far each number is from it."""
    if view.k:
        return components.indexes[view.space].nearest(rows.numpy(), view.k)
    return components.critics[view.space].nearest(rows.numpy())


def _compared(contributions: Tensor, expected: Tensor) -> Tensors:
    return {"contributions": contributions, "expected": expected}


def _column(values: Any) -> Tensor:
    return torch.from_numpy(np.asarray(values))[:, None]
