"""What can be asked of a fitted detector: one table, and the loop that answers from it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan import inputs

from .contributions import explained
from .encoding import Chunk
from .ensemble import calibrated_scores
from .explain import explain_chunk, map_of_image, mean_explanation
from .fitted import Ensemble, Floats, Model
from .inference import READ, Compute, Tensors, as_floats, concatenate, in_batches, patches_of
from .location_scale import image_score
from .shared_components import (
    check_unchanged,
    component_frame,
    components_compute,
    score_compute,
    score_values,
)

Output = Literal[
    "anomaly_score",
    "member_scores",
    "score_components",
    "explain",
    "reconstruct",
    "embed",
    "features",
]


@dataclass(frozen=True)
class Query:
    """One thing that can be asked.

    Attributes
    ----------
    compute : callable
        ``compute(model)`` returns what the networks of a member compute for encoded samples. None
        if `answer` does it.
    answer : callable
        ``answer(model, tensors, x, condition)`` makes an answer for these samples of it.
    of_image : callable
        ``of_image(model, image, condition)`` answers for an image that is cut into patches.
    merge : callable
        ``merge(ensemble, answers)`` makes one answer of those of the members.
    finish : callable
        ``finish(ensemble, chunk, answer)`` yields (row numbers, output) of the chunk.
    """

    compute: Callable[[Model], Compute] | None
    answer: Callable[[Model, Tensors, Tensor, Tensor | None], Any]
    of_image: Callable[[Model, inputs.PatchedImage, Tensor | None], Any]
    merge: Callable[[Ensemble, list[Any]], Any]
    finish: Callable[[Ensemble, Chunk, Any], Iterator[tuple[NDArray[np.int64], Any]]]


def outputs(
    ensemble: Ensemble, source: inputs.Source, output: Output
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    """Yield (row numbers, output) chunk by chunk, in constant memory.

    Raises
    ------
    ValueError
        The detector cannot give this output, or its parameters have changed since the fit.
    """
    query = QUERIES[output]
    check(ensemble, output)
    models = ensemble.models
    computes = [query.compute(model) if query.compute else None for model in models]
    return _outputs(ensemble, source, query, computes)


def _outputs(
    ensemble: Ensemble,
    source: inputs.Source,
    query: Query,
    computes: Sequence[Compute | None],
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    for chunk in ensemble.encoding.read(source, READ[source.kind]):
        x, condition, answers = chunk.x, chunk.condition, []
        for model, compute in zip(ensemble.models, computes, strict=True):
            if isinstance(x, inputs.PatchedImage):
                answers.append(query.of_image(model, x, condition))
                continue
            tensors = in_batches(model.networks, x, condition, compute) if compute else {}
            answers.append(query.answer(model, tensors, x, condition))
        yield from query.finish(ensemble, chunk, query.merge(ensemble, answers))


def check(ensemble: Ensemble, output: Output) -> None:
    """Refuse what the detector cannot give."""
    method, name = ensemble.method, type(ensemble.method).__name__
    if reason := method.unavailable.get(output):
        raise ValueError(f"{name} cannot {output}: {reason}")
    if output == "features" and (reason := method.without_features()):
        raise ValueError(f"{name} cannot embed in feature space: {reason}")
    if output == "member_scores" and ensemble.scale is None:
        raise ValueError(
            f"this {name} has no members to disagree: return_std needs one that is fitted with "
            "n_members of at least 2"
        )
    if output in ("anomaly_score", "member_scores") and ensemble.scale is not None:
        what = "an ensemble has the scale of its members' scores"
        check_unchanged(ensemble.models[0], what, "score_name", "combine")


def ask(ensemble: Ensemble, source: inputs.Source, output: Output) -> Any:
    """Return an output for every sample of `source`, in one piece."""
    return concatenate([answer for _, answer in outputs(ensemble, source, output)])


# ------------------------------------------------------------------------------- the functions


def _first(model: Model, tensors: Tensors, x: Tensor, condition: Tensor | None) -> Floats:
    return as_floats(tensors[""])


def _scores(model: Model, tensors: Tensors, x: Tensor, condition: Tensor | None) -> Floats:
    return score_values(model, tensors)


def _components(
    model: Model, tensors: Tensors, x: Tensor, condition: Tensor | None
) -> pd.DataFrame:
    return component_frame(model, tensors)


def _explanation(model: Model, tensors: Tensors, x: Tensor, condition: Tensor | None) -> Tensors:
    return explained(model, x, condition)


def _tensor(model: Model, tensors: Tensors, x: Tensor, condition: Tensor | None) -> Tensor:
    return tensors[""]


def _reconstruct(model: Model) -> Compute:
    return lambda x: {"": model.method._reconstruct(model.networks, x, model.own_score)}


def _embed(model: Model) -> Compute:
    return lambda x: {"": model.method._embed(model.networks, x, model.own_score)}


def _features(model: Model) -> Compute:
    return lambda x: {"": model.method._features(model.networks, x).flatten(1)}


# Answers for images that are cut into patches.


def _components_of_image(
    model: Model, image: inputs.PatchedImage, condition: Tensor | None
) -> pd.DataFrame:
    codec, compute = model.encoding.samples, components_compute(model)
    assert isinstance(codec, inputs.PatchCodec)
    frames = [
        component_frame(model, in_batches(model.networks, x, same, compute))
        for _, x, same in patches_of(image, condition)
    ]
    frame: pd.DataFrame = codec.aggregate(concatenate(frames))
    return frame


def _reconstruction_of_image(
    model: Model, image: inputs.PatchedImage, condition: Tensor | None
) -> Tensor:
    compute = _reconstruct(model)
    patches = (
        (corners, in_batches(model.networks, x, same, compute)[""])
        for corners, x, same in patches_of(image, condition)
    )
    return image.without_correction(image.blended(patches)[None])


def _mean_over_patches(
    compute_of: Callable[[Model], Compute],
) -> Callable[[Model, inputs.PatchedImage, Tensor | None], Floats]:
    def of_image(model: Model, image: inputs.PatchedImage, condition: Tensor | None) -> Floats:
        compute = compute_of(model)
        rows = [
            as_floats(in_batches(model.networks, x, same, compute)[""])
            for _, x, same in patches_of(image, condition)
        ]
        mean: Floats = np.concatenate(rows).mean(0, keepdims=True)
        return mean

    return of_image


# One answer of those of the members.


def _mean_score(ensemble: Ensemble, answers: list[Floats]) -> Floats:
    if ensemble.scale is None:
        return answers[0]
    mean: Floats = calibrated_scores(answers, ensemble.scale).mean(1)
    return mean


def _member_scores(ensemble: Ensemble, answers: list[Floats]) -> Floats:
    assert ensemble.scale
    return calibrated_scores(answers, ensemble.scale)


def _mean(ensemble: Ensemble, answers: list[Any]) -> Any:
    return sum(answers[1:], start=answers[0]) / len(answers)


def _side_by_side(ensemble: Ensemble, answers: list[Floats]) -> Floats:
    return np.concatenate(answers, axis=1)


def _mean_explanation(ensemble: Ensemble, answers: list[Tensors]) -> Tensors:
    return mean_explanation(answers)


def _mean_tensor(ensemble: Ensemble, answers: list[Tensor]) -> Tensor:
    return torch.stack(answers).mean(0)


# The output of a chunk.


def _whole(
    ensemble: Ensemble, chunk: Chunk, answer: Any
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    yield chunk.rows, answer


def _decoded(
    ensemble: Ensemble, chunk: Chunk, answer: Tensor
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    yield chunk.rows, ensemble.encoding.samples.decode(answer)


#: The table: computed by the networks, answered, for patches, for members, for a chunk.
QUERIES: dict[Output, Query] = {
    "anomaly_score": Query(score_compute, _scores, image_score, _mean_score, _whole),
    "member_scores": Query(score_compute, _scores, image_score, _member_scores, _whole),
    "score_components": Query(components_compute, _components, _components_of_image, _mean, _whole),
    "explain": Query(None, _explanation, map_of_image, _mean_explanation, explain_chunk),
    "reconstruct": Query(_reconstruct, _tensor, _reconstruction_of_image, _mean_tensor, _decoded),
    "embed": Query(_embed, _first, _mean_over_patches(_embed), _side_by_side, _whole),
    "features": Query(_features, _first, _mean_over_patches(_features), _side_by_side, _whole),
}
