"""Explanations: what contributes to the score of a sample, and what was expected there."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from oddgan import inputs
from oddgan.scores import MapScale

from .contributions import explained
from .encoding import Chunk
from .explanation import Explanation, ImageExplanation, TableExplanation, stack_maps
from .fitted import Ensemble, Model
from .inference import Tensors, map_as_cut, patches_of
from .location_scale import map_compute

#: How often the most anomalous value of a row is replaced by what is expected there.
N_REPAIRS = 4
#: Pixels of maps that are yielded together.
_PIXELS = 2**25


def explain_chunk(
    ensemble: Ensemble, chunk: Chunk, tensors: Tensors
) -> Iterator[tuple[NDArray[np.int64], Explanation]]:
    """Yield (row numbers, explanation) of a chunk, from the mean of what the members say."""
    codec = ensemble.encoding.samples
    if isinstance(chunk.x, inputs.PatchedImage):
        maps = tensors["contributions"].numpy()
        yield chunk.rows, ImageExplanation(maps, _threshold(ensemble))
    elif isinstance(codec, inputs.TableCodec):
        repaired = _repaired(ensemble, codec, chunk.x, chunk.condition, tensors)
        yield chunk.rows, _of_table(codec, chunk.raw, repaired)
    else:
        yield from _of_images(codec, chunk, tensors, _threshold(ensemble))


def mean_explanation(answers: list[Tensors]) -> Tensors:
    """Return the mean of what the members say."""
    return {name: torch.stack([each[name] for each in answers]).mean(0) for name in answers[0]}


# --------------------------------------------------------------------------------------- tables


def _repaired(
    ensemble: Ensemble,
    codec: inputs.TableCodec,
    x: Tensor,
    condition: Tensor | None,
    tensors: Tensors,
) -> Tensors:
    """Return the same, but for what is expected once the most anomalous column is as expected.

    The reconstruction of a row leans towards its anomalous value. So this value is replaced by what
    is expected there, again and again: in the end the expectation agrees with the other columns
    alone. It would take too long where each reconstruction is searched for.
    """
    if "expected" not in tensors or ensemble.method._searches:
        return tensors
    oddest = codec.per_column(tensors["contributions"]).argmax(1)
    replaced = codec.owners()[None] == torch.from_numpy(oddest)[:, None]
    expected = tensors["expected"]
    for _ in range(N_REPAIRS):
        repaired = torch.where(replaced, expected, x)
        answers = [explained(model, repaired, condition) for model in ensemble.models]
        expected = mean_explanation(answers)["expected"]
    return {**tensors, "expected": expected}


def _of_table(codec: inputs.TableCodec, raw: inputs.Raw, tensors: Tensors) -> TableExplanation:
    values, expected = codec.as_frame(raw), None
    if "expected" in tensors:
        expected = pd.DataFrame(codec.decode(tensors["expected"]), columns=values.columns)
    return TableExplanation(codec.per_column(tensors["contributions"]), values, expected)


# --------------------------------------------------------------------------------------- images


def _of_images(
    codec: inputs.ImageCodec, chunk: Chunk, tensors: Tensors, threshold: float
) -> Iterator[tuple[NDArray[np.int64], ImageExplanation]]:
    """Yield the maps in the size of the images, so many together that they fit the memory."""
    maps, sizes = codec.per_column(tensors["contributions"]), codec.sizes(chunk.raw)
    largest = max(h * w for h, w in sizes)
    together = max(1, _PIXELS // largest)
    for start in range(0, len(maps), together):
        part = slice(start, start + together)
        yield chunk.rows[part], ImageExplanation(_resized(maps[part], sizes[part]), threshold)


def map_of_image(model: Model, image: inputs.PatchedImage, condition: Tensor | None) -> Tensors:
    """Return the map of an image that is cut, (1, h, w); with scores by maps, the very map."""
    codec, scale = model.encoding.samples, model.member.location_scale
    if isinstance(scale, MapScale):
        assert isinstance(codec, inputs.PatchCodec)
        as_cut = map_as_cut(codec, model.networks, image, condition, map_compute(model))
        scaled = torch.from_numpy(scale.apply(as_cut)).float()[None]
        return {"contributions": image.at_original_size(scaled).clamp(min=0)}
    maps = (
        (corners, explained(model, x, same)["contributions"])
        for corners, x, same in patches_of(image, condition)
    )
    blended = image.blended(maps)[None]
    return {"contributions": torch.from_numpy(codec.per_column(blended))}


def _threshold(ensemble: Ensemble) -> float:
    """Return the threshold of pixels; infinite until it is known."""
    threshold = ensemble.pixel_threshold
    return np.inf if threshold is None else threshold


def _resized(maps: NDArray[Any], sizes: list[tuple[int, int]]) -> NDArray[Any]:
    """Return maps, each in one of these sizes: their values are interpolated and not shared out."""
    if all(size == maps.shape[1:] for size in sizes):
        return maps
    resized = [
        F.interpolate(
            torch.from_numpy(one_map)[None, None],
            size,
            mode="bilinear",
            antialias=True,
            align_corners=False,
        )[0, 0].numpy()
        for one_map, size in zip(maps, sizes, strict=True)
    ]
    return stack_maps(resized)
