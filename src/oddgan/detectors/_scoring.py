"""From samples to answers: the one path that scores, explanations and latents come by."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import inputs

#: Samples that are read together, and numbers that go through the networks together: what
#: bounds the memory of scoring.
_READ = {"table": 16384, "image": 256}
_COMPUTED = 2**19
#: Batches are filled up to a multiple of this many samples. Matrix products of other sizes round
#: differently, and a sample's score must not depend on its batch mates.
_MULTIPLE = 32

Compute = Callable[[Tensor], Tensor]
Convert = Callable[[Tensor], NDArray[Any]]


def as_floats(values: Tensor) -> NDArray[np.float64]:
    """Return `values` as 64-bit floats."""
    return values.double().numpy()


def answers(
    networks: Mapping[str, nn.Module],
    codec: inputs.Codec,
    source: inputs.Source,
    compute: Compute,
    convert: Convert = as_floats,
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Yield (row numbers, what `compute` says of these rows), chunk by chunk.

    Parameters
    ----------
    networks : mapping of str to nn.Module
        What `compute` uses; put into evaluation mode.
    codec : inputs.Codec
        Turns raw samples into tensors.
    source : inputs.Source
        The samples.
    compute : callable
        From encoded samples of shape (n, ...) to n results, each of its own sample alone.
    convert : callable
        From results on the CPU to an array.
    """
    for index, raw in source.chunks(_READ[source.kind]):
        yield index, convert(_in_batches(networks, codec.encode(raw, index), compute))


@torch.inference_mode()
def _in_batches(networks: Mapping[str, nn.Module], x: Tensor, compute: Compute) -> Tensor:
    for network in networks.values():
        network.eval()
    device = next(p.device for network in networks.values() for p in network.parameters())
    size = max(1, _COMPUTED // x[0].numel() // _MULTIPLE) * _MULTIPLE
    results = []
    for batch in x.split(size):
        missing = -len(batch) % _MULTIPLE
        full = torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])])
        results.append(compute(full.to(device))[: len(batch)].cpu())
    return torch.cat(results)
