"""From samples to answers: the one path that scores, explanations and latents come by."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oddgan import inputs
from oddgan.networks import given
from oddgan.scores import LocationScale, MapScale

from .encoding import Encoding
from .explanation import Explanation, in_one

#: Samples that are read together, and numbers that go through the networks together: what
#: bounds the memory of scoring.
READ = {"table": 16384, "image": 256}
_COMPUTED = 2**19
#: Batches are filled up to a multiple of this many samples. Matrix products of other sizes round
#: differently, and a sample's score must not depend on its batch mates.
_MULTIPLE = 32

Answer = Mapping[str, Tensor]
Compute = Callable[[Tensor], Answer]
How = tuple[Compute, Callable[[Answer], Any]]
Places = LocationScale | MapScale
Query = Literal[
    "anomaly_score",
    "member_scores",
    "score_components",
    "explain",
    "reconstruct",
    "embed",
    "features",
]


def as_floats(values: Tensor) -> NDArray[np.float64]:
    """Return `values` as 64-bit floats."""
    return values.double().numpy()


def finite(scores: Tensor) -> Tensor:
    """Return `scores` with the largest number where they overflow: beyond all that is normal.

    A NaN would compare as not odd.
    """
    largest = torch.finfo(scores.dtype).max
    return torch.nan_to_num(scores, nan=largest, posinf=largest)


def as_frame(values: Mapping[str, Tensor]) -> pd.DataFrame:
    """Return one column of 64-bit floats for each name."""
    return pd.DataFrame({name: as_floats(column) for name, column in values.items()})


def joined(chunks: Sequence[Any]) -> Any:
    """Join the answers to all chunks into one array, frame or explanation."""
    if not chunks:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if isinstance(chunks[0], Explanation):
        return type(chunks[0]).joined(chunks)
    if isinstance(chunks[0], pd.DataFrame):
        return pd.concat(chunks, ignore_index=True)
    if len({chunk.shape[1:] for chunk in chunks}) > 1:  # images of varying size
        return in_one([one for chunk in chunks for one in chunk])
    return np.concatenate(chunks)


def answers(
    networks: Mapping[str, nn.Module],
    encoding: Encoding,
    source: inputs.Source,
    compute: Compute,
    convert: Callable[[Answer], Any],
    question: Query = "anomaly_score",
    places: Places | None = None,
) -> Iterator[tuple[NDArray[np.int64], Any]]:
    """Yield (row numbers, what `compute` says of these rows), chunk by chunk.

    Parameters
    ----------
    networks : mapping of str to nn.Module
        What `compute` uses; put into evaluation mode.
    encoding : Encoding
        Turns raw samples, and their context, into tensors.
    source : inputs.Source
        The samples.
    compute : callable
        From n encoded samples to tensors of n results by name; each result is of its own sample
        alone. The networks are given the context.
    convert : callable
        From these results, on the CPU, to what is yielded.
    question : str
        What is asked: the answers of an image's patches become its own accordingly.
    places : LocationScale or MapScale, optional
        The scale of patches' scores, or of the pixels that `compute` tells of.
    """
    for index, x, c in encoding.read(source, READ[source.kind]):
        if isinstance(x, Tensor):
            yield index, convert(in_batches(networks, x, c, compute))
        elif question == "reconstruct":
            yield index, convert({"": reconstruction(networks, x, c, compute)})
        else:
            yield index, of_image(encoding, networks, x, c, (compute, convert), places)


def reconstruction(
    networks: Mapping[str, nn.Module],
    x: Tensor | inputs.PatchedImage,
    c: Tensor | None,
    compute: Compute,
) -> Tensor:
    """Return what `compute` makes of encoded samples, and of an image that is cut, (1, c, h, w)."""
    if isinstance(x, Tensor):
        return in_batches(networks, x, c, compute)[""]
    made = blended(x, c, lambda cut, same: in_batches(networks, cut, same, compute)[""])
    return x.as_it_was(made)


def blended(
    whole: inputs.PatchedImage, c: Tensor | None, ask: Callable[[Tensor, Tensor | None], Tensor]
) -> Tensor:
    """Return the map of an image, (1, c, h, w), of what `ask` says of its patches and context."""
    return whole.blended((at, ask(cut, same)) for at, cut, same in _cut(whole, c))[None]


def of_image(
    encoding: Encoding,
    networks: Mapping[str, nn.Module],
    whole: inputs.PatchedImage,
    c: Tensor | None,
    how: How,
    places: Places | None = None,
) -> Any:
    """Return the answer for an image that is cut into patches, of its patches' answers."""
    codec = encoding.samples
    assert isinstance(codec, inputs.PatchCodec)
    if isinstance(places, MapScale):
        return np.array([places.score(map_as_cut(codec, networks, whole, c, how[0]))])
    told = of_patches(networks, whole, c, how)
    return codec.of_image(places.apply(whole.places(), told) if places else told)


def map_as_cut(
    codec: inputs.PatchCodec,
    networks: Mapping[str, nn.Module],
    whole: inputs.PatchedImage,
    c: Tensor | None,
    compute: Compute,
) -> NDArray[Any]:
    """Return the map of an image, (h, w) as it was cut, that `compute` makes of its patches."""
    maps = ((at, in_batches(networks, x, same, compute)[""]) for at, x, same in _cut(whole, c))
    found: NDArray[Any] = codec.per_column(whole.blended_as_cut(maps)[None])[0]
    return found


def of_patches(
    networks: Mapping[str, nn.Module], whole: inputs.PatchedImage, c: Tensor | None, how: How
) -> Any:
    """Return the answers for all patches of an image."""
    compute, convert = how
    return joined(
        [convert(in_batches(networks, x, same, compute)) for _, x, same in _cut(whole, c)]
    )


def _cut(
    whole: inputs.PatchedImage, c: Tensor | None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Yield the patches of an image, some at a time: corners, patches, and their context."""
    for corners, patches in whole.patches():
        yield corners, patches, None if c is None else c.expand(len(patches), -1)


@torch.inference_mode()
def in_batches(
    networks: Mapping[str, nn.Module], x: Tensor, c: Tensor | None, compute: Compute
) -> Answer:
    """Return what `compute` says of encoded samples `x` with context `c`, on the CPU."""
    for network in networks.values():
        network.eval()
    state = (tensor for net in networks.values() for tensor in net.state_dict().values())
    device = next(state).device
    size = max(1, _COMPUTED // x[0].numel() // _MULTIPLE) * _MULTIPLE
    results: list[Answer] = []
    for start in range(0, len(x), size):
        batch = slice(start, start + size)
        with given(None if c is None else _filled(c[batch]).to(device)):
            found = compute(_filled(x[batch]).to(device))
        n = len(x[batch])
        results.append({name: values[:n].cpu() for name, values in found.items()})
    return {name: torch.cat([result[name] for result in results]) for name in results[0]}


def _filled(batch: Tensor) -> Tensor:
    missing = -len(batch) % _MULTIPLE
    return torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])])
