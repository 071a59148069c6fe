"""Terms of training that methods share: reconstruction, denoising, and changes of images."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from oddgan import inputs, training
from oddgan.scores import COMBINATIONS

from .hooks import Hooks

#: Score components that gain from shifted images; the residual alone loses.
GAIN_FROM_SHIFTS = frozenset({*COMBINATIONS, *COMBINATIONS["local"]})
#: Deviation of the noise on numeric features beside swapped cells, in units of their scale.
TABLE_NOISE = 0.2
#: Maximum shift of an image, in pixels.
MAX_SHIFT = 2


def check_terms(method: Hooks, kind: str) -> None:
    """Refuse terms that this method, or this kind of samples, cannot be trained with.

    Raises
    ------
    ValueError
        The message names the parameter and the reason.
    """
    name = type(method).__name__
    for parameter in ("reconstruction_weight", "denoise"):
        if getattr(method, parameter) and not method._autoencoder:
            raise ValueError(
                f"{parameter} must be 0 for {name}, whose training has no place for a term of "
                "reconstruction"
            )
    if method.denoise and not method._denoised and not method.reconstruction_weight:
        raise ValueError(
            f"denoise corrupts the input of {name}'s reconstruction term, which is not trained: "
            "give a reconstruction_weight above 0 too"
        )
    augment = method.augment
    if augment in ("shift", "affine") and kind != "image":
        raise ValueError(f"augment={augment!r} is for images, but the samples are rows of a table")
    reconstructs = method._denoised or method.reconstruction_weight
    if augment == "affine" and not reconstructs:
        raise ValueError(
            f"augment='affine' transforms what {name} reconstructs, but it trains no reconstruction"
            + (": give a reconstruction_weight above 0" if method._autoencoder else "")
        )
    if augment == "shift" and method.closed_form:
        raise ValueError(f"augment must be None or 'auto' for {name}: it trains on no batches")


def with_terms(
    method: Hooks,
    losses: training.LossFunction,
    codec: inputs.Codec,
    generator: torch.Generator,
) -> training.LossFunction:
    """Return `losses` on shifted and corrupted samples, and the reconstruction term after them.

    Parameters
    ----------
    method : Hooks
        Its `reconstruction_weight`, `denoise` and `augment` apply.
    losses : training.LossFunction
        The method's own losses of a training step.
    codec : inputs.Codec
        How samples are encoded.
    generator : torch.Generator
        Draws everything that is random.
    """
    weight, role = method.reconstruction_weight, method._denoised
    corrupted = _corruption(codec, method, generator)
    shifted = shifts(method, codec.kind)

    def of_batch(nets: Mapping[str, nn.Module], x: Tensor, z: Tensor) -> Iterator[training.Loss]:
        if shifted:
            x = training.shift(x, MAX_SHIFT, generator)
        step_nets = nets
        if corrupted and role:
            step_nets = {**nets, role: nn.Sequential(_Layer(corrupted), nets[role])}
        yield from losses(step_nets, x, z)
        if weight:
            y = method._reconstruct(nets, corrupted(x) if corrupted else x, method.scores[0])
            yield training.Loss("reconstruction term", weight * mse_loss(y, x), method._autoencoder)

    return of_batch


def shifts(method: Hooks, kind: str) -> bool:
    """Return whether training shifts its images."""
    if method.augment != "auto":
        return method.augment == "shift"
    names = {method.score_name} if isinstance(method.score_name, str) else set(method.score_name)
    return kind == "image" and bool(names & (GAIN_FROM_SHIFTS | method._gain_from_shifts))


def _corruption(
    codec: inputs.Codec, method: Hooks, generator: torch.Generator
) -> Callable[[Tensor], Tensor] | None:
    """Return what `denoise` and `augment` do to samples that are reconstructed, if anything."""
    amount = method.denoise
    if isinstance(codec, inputs.ImageCodec) and method.augment == "affine":
        return lambda x: training.add_noise(training.affine(x, generator), amount, generator)
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
