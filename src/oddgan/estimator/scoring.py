"""The anomaly score and its components, from what networks say of samples."""

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor

from oddgan.scores import Score

from .fitted import Floats, Model
from .inference import Compute, Tensors, as_floats, as_frame, finite
from .shared_components import check_unchanged, component_values, components_of, in_spaces


def score_compute(model: Model) -> Compute:
    """Return what networks compute for the anomaly score."""
    if names := model.components:
        return in_spaces(model, names)
    method, nets, score, total = model.method, model.networks, model.own_score, total_of(model)
    return lambda x: {"": finite(total(method._score(nets, x, score)))}


def score_values(model: Model, tensors: Tensors) -> Floats:
    """Return the anomaly scores, shape (n,), from what `score_compute` gave."""
    names = model.components
    if not names:
        return as_floats(tensors[""])
    components = components_of(model)
    values = component_values(components, names, tensors)
    # In 32 bit copies of a sample tie, though products of other sizes round differently.
    return as_floats(finite(torch.from_numpy(components.total(names, values)).float()))


def total_of(model: Model) -> Callable[[Score], Tensor]:
    """Return what makes one number of the components of one of the method's own scores."""
    scale = model.member.component_scale
    if scale is None and model.method.combine == "paper":
        return lambda score: score.total
    check_unchanged(model, "combine='standardised' has the scale", "combine")
    if not scale:
        raise ValueError(
            "combine='standardised' has no scale for the components of this score: fit with it"
        )
    return lambda score: score.combined(scale.apply(score.components))


def components_compute(model: Model) -> Compute:
    """Return what networks compute for the components of the score."""
    if names := model.components:
        return in_spaces(model, names)
    method, nets, score = model.method, model.networks, model.own_score
    return lambda x: method._score(nets, x, score).components


def component_frame(model: Model, tensors: Tensors) -> pd.DataFrame:
    """Return a column for each component, from what `components_compute` gave."""
    names = model.components
    if not names:
        return as_frame(tensors)
    return pd.DataFrame(component_values(components_of(model), names, tensors))
