"""From samples to explanations: what contributes to the score, and what was expected there."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from oddgan import decisions, inputs
from oddgan.scores import MapScale

from .contributions import explained
from .ensemble import as_it_is
from .explanation import Explanation, ImageExplanation, TableExplanation, in_one
from .holdout import HoldOut, subsample
from .inference import READ, Answer, blended, map_as_cut
from .shared_components import map_by

if TYPE_CHECKING:
    from .detector import Detector

#: Held-out images, and pixels of each, that the threshold of pixels is learnt from at most. The
#: maps of detectors that search take hundreds of times as long.
N_MAPS, N_MAPS_SEARCHED, N_PIXELS = 256, 32, 4096
#: How often the oddest value of a row is replaced by what is expected there.
N_REPAIRS = 4
#: Pixels of maps that are told together.
_TOLD = 2**25


def explanations(
    detector: "Detector", source: inputs.Source
) -> Iterator[tuple[NDArray[np.int64], Explanation]]:
    """Yield (row numbers, explanation) chunk by chunk; of a population the mean of its members."""
    codec = detector.codec_
    if isinstance(codec, inputs.PatchCodec):
        yield from _of_cut_images(detector, source)
        return
    for index, raw in source.chunks(READ[source.kind]):
        x, c = detector._encoding.encode(source, index, raw)
        found = _by_members(detector, x, c)
        if isinstance(codec, inputs.TableCodec):
            yield index, _of_table(codec, raw, _repaired(detector, codec, x, c, found))
        else:
            yield from _of_images(codec, index, raw, found, _threshold(detector))


def _by_members(detector: "Detector", x: Tensor, c: Tensor | None) -> Answer:
    found = [explained(one, x, c) for one in _members(detector)]
    return {name: torch.stack([each[name] for each in found]).mean(0) for name in found[0]}


def _members(detector: "Detector") -> Sequence["Detector"]:
    return as_it_is(detector) if detector.members_ else [detector]


# --------------------------------------------------------------------------------------- tables


def _repaired(
    detector: "Detector", codec: inputs.TableCodec, x: Tensor, c: Tensor | None, found: Answer
) -> Answer:
    """Return the same, but for what is expected once the oddest column is as expected.

    The counterpart of a row leans towards its odd value. So this value is replaced by what is
    expected there, again and again: in the end it agrees with the other columns alone. It would
    take too long where each counterpart is searched for.
    """
    if "expected" not in found or detector._searches:
        return found
    oddest = codec.per_column(found["contributions"]).argmax(1)
    replaced = codec.owners()[None] == torch.from_numpy(oddest)[:, None]
    expected = found["expected"]
    for _ in range(N_REPAIRS):
        expected = _by_members(detector, torch.where(replaced, expected, x), c)["expected"]
    return {**found, "expected": expected}


def _of_table(codec: inputs.TableCodec, raw: inputs.Raw, found: Answer) -> TableExplanation:
    values, expected = codec.as_frame(raw), None
    if "expected" in found:
        expected = pd.DataFrame(codec.decode(found["expected"]), columns=values.columns)
    return TableExplanation(codec.per_column(found["contributions"]), values, expected)


# --------------------------------------------------------------------------------------- images


def _of_images(
    codec: inputs.ImageCodec,
    index: NDArray[np.int64],
    raw: inputs.Raw,
    found: Answer,
    threshold: float,
) -> Iterator[tuple[NDArray[np.int64], ImageExplanation]]:
    """Yield the maps in the size of the images, so many together that they fit the memory."""
    maps, sizes = codec.per_column(found["contributions"]), codec.sizes(raw)
    largest = max(h * w for h, w in sizes)
    together = max(1, _TOLD // largest)
    for start in range(0, len(maps), together):
        part = slice(start, start + together)
        yield index[part], ImageExplanation(_resized(maps[part], sizes[part]), threshold)


def _of_cut_images(
    detector: "Detector", source: inputs.Source
) -> Iterator[tuple[NDArray[np.int64], ImageExplanation]]:
    """Yield the map of one image after the other, blended of those of its patches."""
    members = _members(detector)
    for index, x, c in detector._encoding.read(source, READ["image"]):
        assert isinstance(x, inputs.PatchedImage)
        maps = torch.stack([_of_cut_image(one, x, c) for one in members])
        yield index, ImageExplanation(maps.mean(0).numpy(), _threshold(detector))


def _of_cut_image(detector: "Detector", whole: inputs.PatchedImage, c: Tensor | None) -> Tensor:
    """Return the map of an image, (1, h, w); where the score goes by it, as the score has it."""
    codec, places = detector.codec_, detector.place_scale_
    if isinstance(places, MapScale):
        assert isinstance(codec, inputs.PatchCodec)
        as_cut = map_as_cut(codec, detector.networks_, whole, c, map_by(detector))
        return whole.as_given(torch.from_numpy(places.apply(as_cut)).float()[None]).clamp(min=0)
    found = blended(whole, c, lambda cut, same: explained(detector, cut, same)["contributions"])
    return torch.from_numpy(codec.per_column(found))


def _threshold(detector: "Detector") -> float:
    """Return the threshold of pixels; infinite while it is learnt."""
    at = detector.pixel_threshold_
    return np.inf if at is None else at


def _resized(maps: NDArray[Any], sizes: list[tuple[int, int]]) -> NDArray[Any]:
    """Return maps, each in one of these sizes: their values are interpolated and not shared out."""
    if all(size == maps.shape[1:] for size in sizes):
        return maps
    found = [
        F.interpolate(
            torch.from_numpy(one)[None, None],
            size,
            mode="bilinear",
            antialias=True,
            align_corners=False,
        )[0, 0].numpy()
        for one, size in zip(maps, sizes, strict=True)
    ]
    return in_one(found)


def learn_pixel_threshold(detector: "Detector", split: HoldOut, seed: int) -> None:
    """Set what pixels of held-out normal images stay below, all but a share of `pixel_fpr`.

    It is the quantile over at most 4,096 pixels of each of at most 256 images (32 for detectors
    that search), both drawn at random. Where the members of a population leave out rows in turn,
    each explains those that it left out.
    """
    every = (*detector.members_, detector)
    for one in every:
        one.pixel_threshold_ = None
    if detector.codec_.kind == "table" or "explain" in detector.unavailable:
        return
    parts: list[tuple[Detector, inputs.Source]] = [(detector, split.held_out)]
    if split.crossed:
        left_out = [held_out for _, held_out in split.members]
        parts = list(zip(detector.members_, left_out, strict=True))
    most = (N_MAPS_SEARCHED if detector._searches else N_MAPS) // len(parts)
    rng, pixels = np.random.default_rng(seed), list[NDArray[Any]]()
    for one, held_out in parts:
        for _, found in explanations(one, subsample(held_out, max(1, most), [seed, 1])):
            pixels += [_some(rng, one_map) for one_map in np.asarray(found)]
    threshold = decisions.conformal_threshold(np.concatenate(pixels), detector.pixel_fpr)
    for one in every:
        one.pixel_threshold_ = threshold


def _some(rng: np.random.Generator, one_map: NDArray[Any]) -> NDArray[np.float64]:
    """Return at most `N_PIXELS` pixels of a map."""
    flat = one_map.ravel().astype(np.float64)
    return flat if len(flat) <= N_PIXELS else rng.choice(flat, N_PIXELS, replace=False)
