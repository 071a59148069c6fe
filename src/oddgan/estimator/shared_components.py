"""The anomaly score and its components: the method's own, and those that all methods share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from oddgan import inputs
from oddgan.scores import SHARED_COMPONENTS, FittedComponents, Score, spaces_needed

from .fitted import Model
from .inference import READ, Compute, Tensors, as_floats, as_frame, finite, in_batches
from .shared_parameters import SharedParameters

Floats = NDArray[Any]

#: Neighbours whose mean distance "knn" takes.
N_NEAREST = {"table": 5, "image": 20}
#: Longer side of the images that are compared by their pixels. In larger ones an object that lies
#: a little aside is far, and what is kept of each training image costs memory and time.
INPUT_SIDE = 16
#: Prefix of a method's own scores among what the networks give.
_OWN = "own/"


def fit_components(
    model: Model, training: inputs.Source, held_out: inputs.Source
) -> FittedComponents | None:
    """Fit what the components of the model's score need to know of normal samples.

    None if the score is one of the method's own.
    """
    names = model.components
    if not names:
        return None
    shared = tuple(name for name in names if name in SHARED_COMPONENTS)
    spaces = _all_samples(model, shared, training, _arrays)
    critic = model.method.space_critic

    def train_critic(rows: NDArray[Any]) -> Any:
        return critic.fit(rows, like=model.method)

    n_nearest = N_NEAREST[model.encoding.samples.kind]
    components = FittedComponents.fit(shared, spaces, n_nearest, train_critic)

    def values(tensors: Tensors) -> dict[str, Floats]:
        return component_values(components, names, tensors)

    return components.scaled(_all_samples(model, names, held_out, values))


def _all_samples(
    model: Model,
    names: Sequence[str],
    source: inputs.Source,
    convert: Callable[[Tensors], Mapping[str, Floats]],
) -> dict[str, Floats]:
    """Return what `convert` makes of every sample of `source` in the spaces of these components."""
    compute = in_spaces(model, names)
    chunks = []
    for chunk in model.encoding.read(source, READ[source.kind]):
        assert isinstance(chunk.x, Tensor)
        chunks.append(convert(in_batches(model.networks, chunk.x, chunk.condition, compute)))
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def in_spaces(model: Model, names: Sequence[str]) -> Compute:
    """Return what gives samples in each space of these components, and their own scores."""
    method, nets, spaces = model.method, model.networks, spaces_needed(names)
    score = model.own_score

    def compute(x: Tensor) -> Tensors:
        rows = {}
        if "input" in spaces:
            rows["input"] = _small(x) if x.ndim > 2 else x
        if "feature" in spaces:
            rows["feature"] = method._features(nets, x)
        if "latent" in spaces:
            rows["latent"] = method._embed(nets, x, score)
        if "residual" in spaces:
            # A latent vector that took a search is not searched for a second time.
            if "latent" in rows and method.decodes_latents():
                y = nets["generator"](rows["latent"])
            else:
                y = method._reconstruct(nets, x, score)
            rows["residual"] = x - y
        rows = {space: tensor.flatten(1) for space, tensor in rows.items()}
        for name in names:
            if name not in SHARED_COMPONENTS:
                rows[_OWN + name] = method._score(nets, x, name).total
        return rows

    return compute


def _small(x: Tensor) -> Tensor:
    """Return images averaged over squares, to at most `INPUT_SIDE` pixels along the longer side."""
    height, width = x.shape[2:]
    edge = -(-max(height, width) // INPUT_SIDE)
    return adaptive_avg_pool2d(x, (-(-height // edge), -(-width // edge)))


def _arrays(tensors: Tensors) -> dict[str, Floats]:
    return {name: values.numpy() for name, values in tensors.items()}


def component_values(
    components: FittedComponents, names: Sequence[str], tensors: Tensors
) -> dict[str, Floats]:
    """Return the components of samples by name, in this order; `tensors` are from `in_spaces`."""
    shared = components.measure(names, _arrays(tensors))
    return {n: shared[n] if n in shared else as_floats(tensors[_OWN + n]) for n in names}


def components_of(model: Model) -> FittedComponents:
    """Return what the model's fit left for the components that its score names.

    Raises
    ------
    ValueError
        A component was not fitted, or parameters have changed since.
    """
    components, names = model.member.components, model.components
    if components is None or not components.names.issuperset(names):
        fitted_names = components.names if components else frozenset()
        missing = [name for name in names if name not in fitted_names]
        raise ValueError(
            f"score_name: {type(model.method).__name__} was fitted with the score "
            f"{model.params['score_name']!r}, which has no {', '.join(missing)}: fit again with "
            f"score_name={model.score!r}"
        )
    check_unchanged(model, "a score of shared components has the scale")
    return components


def check_unchanged(model: Model, what: str, *also: str) -> None:
    """Refuse to use the scale of score components if a parameter behind them has changed.

    These are the method's own parameters and the shared ones in `also`.
    """
    method, before = model.method, model.params
    own_params = before.keys() - SharedParameters.parameters.keys() - {"score_name"}
    for name in (*also, *sorted(own_params)):
        now = model.score if name == "score_name" else getattr(method, name)
        if differ(now, before[name]):
            raise ValueError(
                f"{what} of the components as they were fitted, and {name} has changed since: "
                "fit again"
            )


def differ(a: Any, b: Any) -> bool:
    """Return whether two values of a parameter say different things; lists are as tuples."""
    return bool(a != b) and not (
        isinstance(a, tuple | list) and isinstance(b, tuple | list) and list(a) == list(b)
    )


# ----------------------------------------------------------------------------- the score


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
