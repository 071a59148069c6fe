"""Normal samples that were made odd: what a score of oddness must notice.

All in encoded space, so that nothing depends on what a column or a pixel meant.
"""

import torch
from torch import Tensor


def noisy(x: Tensor, like: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise to every input.

    Parameters
    ----------
    x : Tensor of shape (n, d) or (n, c, h, w)
        Encoded samples.
    like : Tensor of the same kind
        Training samples: the noise of a column has `strength` times its deviation over them, that
        of a pixel `strength` times the deviation of all pixels. Images stay in their range.
    strength : float
        At least 0.
    generator : torch.Generator
        Where the noise is drawn from.
    """
    noise = torch.randn(x.shape, generator=generator)
    if x.ndim == 2:
        return x + strength * like.std(dim=0, correction=0) * noise
    return (x + strength * like.std(correction=0) * noise).clamp(like.min(), like.max())


def mixed(x: Tensor, share: float, owner: Tensor, generator: torch.Generator) -> Tensor:
    """Give samples what belongs to others: cells of other rows, or a patch of another image.

    Each value alone stays as common as it was; only what goes together is broken. Where columns
    are independent nothing is.

    Parameters
    ----------
    x : Tensor of shape (n, d) or (n, c, h, w)
        Encoded samples.
    share : float
        Share of the columns that are replaced, each with this probability, or of the area.
    owner : Tensor of shape (d,)
        The column that each encoded input belongs to; unused for images.
    generator : torch.Generator
        Where cells and places are drawn from.
    """
    n = len(x)
    other = x[_others(n, generator)]
    if x.ndim == 2:
        swapped = torch.rand(n, int(owner.max()) + 1, generator=generator) < share
        return torch.where(swapped[:, owner], other, x)
    h, w = x.shape[2:]
    ph, pw = (max(1, round(side * share**0.5)) for side in (h, w))
    # The patch comes from one place for all, and goes to one of its own in each image.
    top, left = _places(h - ph, n, generator), _places(w - pw, n, generator)
    rows, columns = top[:, None] + torch.arange(ph), left[:, None] + torch.arange(pw)
    first, second = (_places(most, 1, generator) for most in (h - ph, w - pw))
    patch = other[:, :, first : first + ph, second : second + pw]
    made = x.clone()
    index = torch.arange(n)[:, None, None]
    made[index, :, rows[:, :, None], columns[:, None, :]] = patch.permute(0, 2, 3, 1)
    return made


def _others(n: int, generator: torch.Generator) -> Tensor:
    """Return for each of n samples another one; of a single one itself."""
    order = torch.randperm(n, generator=generator)
    others = torch.empty_like(order)
    others[order] = order.roll(1)
    return others


def _places(most: int, n: int, generator: torch.Generator) -> Tensor:
    return torch.randint(most + 1, (n,), generator=generator)
