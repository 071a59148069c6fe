"""Terms of training that detectors share: reconstruction, denoising, shifts and warps of images."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from oddgan import inputs, training
from oddgan.scores import COMBINATIONS

if TYPE_CHECKING:
    from .detector import Detector

#: Parts of a score that gain from shifted images; the residual by itself loses.
GAIN_FROM_SHIFTS = frozenset({*COMBINATIONS, *COMBINATIONS["local"]})
#: Deviation of the noise on numeric features beside swapped cells, in units of their scale.
TABLE_NOISE = 0.2
#: Greatest shift of an image, in pixels.
MOST_SHIFTED = 2


def check_terms(detector: "Detector", kind: str) -> None:
    """Refuse terms that this detector, or this kind of samples, cannot be trained with.

    Raises
    ------
    ValueError
        Naming the parameter, and why it cannot be.
    """
    name = type(detector).__name__
    for parameter in ("reconstruction_weight", "denoise"):
        if getattr(detector, parameter) and not detector._autoencoder:
            raise ValueError(
                f"{parameter} must be 0 for {name}, whose training has no place for a term of "
                "reconstruction"
            )
    if detector.denoise and not detector._denoised and not detector.reconstruction_weight:
        raise ValueError(
            f"denoise corrupts the input of {name}'s reconstruction term, which is not trained: "
            "give a reconstruction_weight above 0 too"
        )
    how = detector.augment
    if how in ("shift", "warp") and kind != "image":
        raise ValueError(f"augment={how!r} is for images, but the samples are rows of a table")
    reconstructs = detector._denoised or detector.reconstruction_weight
    if how == "warp" and not reconstructs:
        raise ValueError(
            f"augment='warp' warps what {name} reconstructs, but it trains no reconstruction"
            + (": give a reconstruction_weight above 0" if detector._autoencoder else "")
        )
    if how == "shift" and detector.closed_form:
        raise ValueError(f"augment must be None or 'auto' for {name}: it sees no batches")


def with_terms(
    detector: "Detector",
    losses: training.LossFunction,
    codec: inputs.Codec,
    generator: torch.Generator,
) -> training.LossFunction:
    """Return `losses` on shifted and corrupted samples, and the reconstruction term after them.

    Parameters
    ----------
    detector : Detector
        Whose `reconstruction_weight`, `denoise` and `augment` are used.
    losses : training.LossFunction
        Losses of a round of its own.
    codec : inputs.Codec
        How its samples are encoded.
    generator : torch.Generator
        All that is drawn is drawn from it.
    """
    weight, own_input = detector.reconstruction_weight, detector._denoised
    corrupted = _corruption(codec, detector, generator)
    shifted = shifts(detector, codec.kind)

    def of_batch(nets: Mapping[str, nn.Module], x: Tensor, z: Tensor) -> Iterator[training.Loss]:
        if shifted:
            x = training.shift(x, MOST_SHIFTED, generator)
        own = nets
        if corrupted and own_input:
            own = {**nets, own_input: nn.Sequential(_Layer(corrupted), nets[own_input])}
        yield from losses(own, x, z)
        if weight:
            y = detector._reconstruct(nets, corrupted(x) if corrupted else x)
            yield training.Loss(
                "reconstruction term", weight * mse_loss(y, x), detector._autoencoder
            )

    return of_batch


def shifts(detector: "Detector", kind: str) -> bool:
    """Return whether training shifts its images."""
    if detector.augment != "auto":
        return detector.augment == "shift"
    names = {detector.score} if isinstance(detector.score, str) else set(detector.score)
    return kind == "image" and bool(names & (GAIN_FROM_SHIFTS | detector._gain_from_shifts))


def _corruption(
    codec: inputs.Codec, detector: "Detector", generator: torch.Generator
) -> Callable[[Tensor], Tensor] | None:
    """Return what `denoise` and `augment` do to samples that are reconstructed, if anything."""
    amount = detector.denoise
    if isinstance(codec, inputs.ImageCodec) and detector.augment == "warp":
        return lambda x: training.add_noise(training.warp(x, generator), amount, generator)
    if not amount:
        return None
    if isinstance(codec, inputs.ImageCodec):
        return lambda x: training.add_noise(x, amount, generator)
    widths = torch.tensor([column.stop - column.start for column in codec.columns])
    owner = torch.arange(len(widths)).repeat_interleave(widths).to(generator.device)
    deviation = torch.zeros(*codec.shape, device=generator.device)
    for block in codec.blocks():
        if block.kind == "gaussian":
            deviation[block.start : block.stop] = TABLE_NOISE

    def swapped_and_noisy(x: Tensor) -> Tensor:
        swapped = training.swap_cells(x, owner, amount, generator)
        return training.add_noise(swapped, deviation, generator)

    return swapped_and_noisy


class _Layer(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)
