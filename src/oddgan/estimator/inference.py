"""From encoded samples to what networks say of them: the one path that all outputs take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oddgan import inputs
from oddgan.networks import condition_on

from .explanation import Explanation, stack_maps

#: Samples that are read together, and numbers that go through the networks together: they bound
#: the memory of scoring.
READ = {"table": 16384, "image": 256}
_COMPUTED = 2**19
#: Batches are filled up to a multiple of this many samples. Matrix products of other sizes round
#: differently, and a sample's score must not depend on its batch mates.
_MULTIPLE = 32

#: Results for n samples by name, each of n rows.
Tensors = Mapping[str, Tensor]
#: What networks compute for encoded samples; each result depends on its own sample only.
Compute = Callable[[Tensor], Tensors]


@torch.inference_mode()
def in_batches(
    networks: Mapping[str, nn.Module], x: Tensor, condition: Tensor | None, compute: Compute
) -> Tensors:
    r"""Return what `compute` says of encoded samples `x`, on the CPU.

    Parameters
    ----------
    networks : mapping of str to nn.Module
        What `compute` uses; put into evaluation mode. They see the condition.
    x : Tensor of shape (n, \*shape)
        Encoded samples.
    condition : Tensor of shape (n, condition_dim), or None
        Their encoded condition.
    compute : callable
        From encoded samples to tensors by name.
    """
    for network in networks.values():
        network.eval()
    state = (tensor for net in networks.values() for tensor in net.state_dict().values())
    device = next(state).device
    size = max(1, _COMPUTED // x[0].numel() // _MULTIPLE) * _MULTIPLE
    results: list[Tensors] = []
    for start in range(0, len(x), size):
        batch = slice(start, start + size)
        with condition_on(None if condition is None else _filled(condition[batch]).to(device)):
            tensors = compute(_filled(x[batch]).to(device))
        n = len(x[batch])
        results.append({name: values[:n].cpu() for name, values in tensors.items()})
    return {name: torch.cat([result[name] for result in results]) for name in results[0]}


def _filled(batch: Tensor) -> Tensor:
    missing = -len(batch) % _MULTIPLE
    return torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])])


# ------------------------------------------------------------------------------------- patches


def patches_of(
    image: inputs.PatchedImage, condition: Tensor | None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Yield the patches of an image, some at a time: corners, patches, and their condition."""
    for corners, patches in image.patches():
        same = None if condition is None else condition.expand(len(patches), -1)
        yield corners, patches, same


def map_as_cut(
    codec: inputs.PatchCodec,
    networks: Mapping[str, nn.Module],
    image: inputs.PatchedImage,
    condition: Tensor | None,
    compute: Compute,
) -> NDArray[Any]:
    """Return the map of an image, (h, w) as it was cut, that `compute` makes of its patches."""
    maps = (
        (corners, in_batches(networks, x, same, compute)[""])
        for corners, x, same in patches_of(image, condition)
    )
    anomaly_map: NDArray[Any] = codec.per_column(image.blended_as_cut(maps)[None])[0]
    return anomaly_map


# ------------------------------------------------------------------------------------- results


def as_floats(values: Tensor) -> NDArray[np.float64]:
    """Return `values` as 64-bit floats."""
    return values.double().numpy()


def finite(scores: Tensor) -> Tensor:
    """Return `scores` with the largest number where they overflow: beyond all that is normal.

    A NaN would compare as not anomalous.
    """
    largest = torch.finfo(scores.dtype).max
    return torch.nan_to_num(scores, nan=largest, posinf=largest)


def as_frame(values: Tensors) -> pd.DataFrame:
    """Return one column of 64-bit floats for each name."""
    return pd.DataFrame({name: as_floats(column) for name, column in values.items()})


def concatenate(chunks: Sequence[Any]) -> Any:
    """Join the outputs for all chunks into one array, frame or explanation."""
    if not chunks:
        raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
    if isinstance(chunks[0], Explanation):
        return type(chunks[0]).joined(chunks)
    if isinstance(chunks[0], pd.DataFrame):
        return pd.concat(chunks, ignore_index=True)
    if len({chunk.shape[1:] for chunk in chunks}) > 1:  # images of varying size
        return stack_maps([image for chunk in chunks for image in chunk])
    return np.concatenate(chunks)
