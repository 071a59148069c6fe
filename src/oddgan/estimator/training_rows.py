"""The rows that train, as the networks see them: cut into patches, on the device or streamed."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan import inputs, training

from .encoding import Encoding
from .holdout import HoldOut, row_mask, seeds
from .hooks import Hooks
from .score_name import component_names

#: Samples that are read together.
READ = {"table": 65536, "image": 256}
_CPU = torch.device("cpu")


def training_rows(
    method: Hooks, hold_out: HoldOut, encoding: Encoding, device: torch.device, seed: int
) -> training.Rows:
    """Return the encoded rows as one tensor on the device if they fit, else read on demand."""
    every_row, shape = hold_out.train, encoding.joint_shape
    batch_size = method.batch_size * method._batches_per_step
    sources, stream = [train for train, _ in hold_out.members], method.stream
    if isinstance(encoding.samples, inputs.PatchCodec):  # their locations change each epoch
        budget = {True: 0, False: sys.maxsize, "auto": training.memory_budget(_CPU)}[stream]
        sources = [
            as_seen(method, encoding, source, cache_bytes=budget // len(sources))
            for source in sources
        ]
        stream = True
    if stream == "auto":
        stream = every_row.count() * int(np.prod(shape)) * 4 > training.memory_budget(device)
    epoch_seeds = [seed] if len(sources) == 1 else seeds(seed, len(sources))
    if stream:
        streams = [
            _streamed(source, encoding, batch_size, epoch_seed, device)
            for source, epoch_seed in zip(sources, epoch_seeds, strict=True)
        ]
        return streams[0] if len(sources) == 1 else training.EnsembleRows(streams)
    on_device = torch.empty(every_row.count(), *shape, device=device)
    numbers: list[NDArray[np.int64]] = []
    n_filled = 0
    for index, x in encoding.numbered_rows(every_row, READ[every_row.kind]):
        on_device[n_filled : n_filled + len(x)] = x.to(device)
        n_filled += len(x)
        numbers.append(index)
    on_device = on_device[:n_filled]
    if len(sources) == 1:
        return training.DeviceRows(on_device, batch_size, seed)
    numbering = np.concatenate(numbers)
    of_members = [
        torch.from_numpy(np.flatnonzero(row_mask(source)[numbering])).to(device)
        for source in sources
    ]
    batch_size = min(batch_size, *map(len, of_members))
    return training.EnsembleRows(
        [
            training.DeviceRows(on_device, batch_size, epoch_seed, member_rows)
            for epoch_seed, member_rows in zip(epoch_seeds, of_members, strict=True)
        ]
    )


def _streamed(
    source: inputs.Source, encoding: Encoding, batch_size: int, seed: int, device: torch.device
) -> training.StreamedRows:
    def read(rng: np.random.Generator) -> Iterator[Tensor]:
        return encoding.joint_rows(source, READ[source.kind], rng)

    # One pass before the first epoch finds a bad row now, and not after hours of training.
    n_readable = sum(len(x) for x in read(np.random.default_rng(seed)))
    buffer = 4 * READ[source.kind]
    return training.StreamedRows(read, n_readable, batch_size, seed, device, buffer)


# ------------------------------------------------------------------------------------- patches

#: Seed of the locations of patches that are cut once, not anew each epoch.
_SEED = 0


def patch_options(method: Hooks) -> dict[str, Any] | None:
    """Return the options of `inputs.PatchCodec.fit_chunks` for a method; None if nothing is cut."""
    if method.patch_size is None:
        for name in ("stride", "patch_augment", "normalize_by_location", "illumination_correction"):
            if getattr(method, name):
                raise ValueError(f"{name} is for images that are cut: give a patch_size too")
        return None
    if method.patch_aggregation == "map":
        check_map(method)
    sides = method.patch_size
    square = not isinstance(sides, tuple | list) or len(set(sides)) == 1
    if method.patch_augment == "turn" and not square:
        raise ValueError(f"patch_augment='turn' needs a square patch, not patch_size={sides}")
    return {
        "patch_size": method.patch_size,
        "stride": method.stride,
        "illumination_correction": method.illumination_correction,
        "patch_aggregation": method.patch_aggregation,
    }


def check_map(method: Hooks) -> None:
    """Refuse scores by maps where the score that is asked for has no map.

    Raises
    ------
    ValueError
        The score has shared components, or the method does not explain.
    """
    name = type(method).__name__
    if reason := method.unavailable.get("explain"):
        raise ValueError(f"patch_aggregation='map': {name} has no maps: {reason}")
    if component_names(method, method.score_name):
        raise ValueError(
            f"patch_aggregation='map' goes by the map of {name}'s own score, and "
            f"{method.score_name!r} has shared components: choose one of "
            f"{', '.join(method.scores)}, or another patch_aggregation"
        )


def as_seen(
    method: Hooks,
    encoding: Encoding,
    source: inputs.Source,
    *,
    training: bool = True,
    cache_bytes: int = 0,
) -> inputs.Source:
    """Return `source` as the networks see it: for images that are cut, patches at random places.

    Parameters
    ----------
    method : Hooks
        How many patches an image gives, and how they are augmented.
    encoding : Encoding
        How images are encoded.
    source : inputs.Source
        Samples.
    training : bool
        Whether they train, and so may be mirrored.
    cache_bytes : int
        As for `inputs.Patches`.
    """
    codec = encoding.samples
    if not isinstance(codec, inputs.PatchCodec):
        return source
    augment = method.patch_augment if training else None
    n_each = method.patches_per_image
    return inputs.Patches(source, codec, n_each, _SEED, augment=augment, cache_bytes=cache_bytes)
