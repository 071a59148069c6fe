"""What training does to a batch: cells taken from other rows, noise, and shifts of images."""

import torch
from torch import Tensor
from torch.nn import functional as F


def swap_cells(x: Tensor, owner: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Give a share of the cells of a batch the value that the same column has in another row.

    Every column so keeps its distribution, and what is lost is how columns go together.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Encoded rows. A single row has no other to take from, and is returned as it is.
    owner : Tensor of shape (d,)
        The column, from 0, that each encoded feature is of; its features are taken together.
    share : float
        Probability that a cell is replaced, in [0, 1].
    generator : torch.Generator
        On the device of `x`; which cells and which rows are drawn from it.

    Returns
    -------
    Tensor of shape (n, d)
    """
    n = len(x)
    if n < 2:
        return x
    # There are at most as many columns as features.
    replaced = torch.rand(x.shape, generator=generator, device=x.device) < share
    away = torch.randint(1, n, x.shape, generator=generator, device=x.device)
    other = (torch.arange(n, device=x.device)[:, None] + away) % n
    return torch.where(replaced[:, owner], x.gather(0, other[:, owner]), x)


def add_noise(x: Tensor, deviation: float | Tensor, generator: torch.Generator) -> Tensor:
    """Return x + e with e ~ N(0, deviation^2) for each element, drawn from `generator`."""
    noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return x + deviation * noise


def shift(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `most` pixels along either axis; its edges are reflected.

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w)
        Images, with more than `most` pixels a side.
    most : int
        Greatest shift; every whole number of pixels from -`most` to `most` is as likely.
    generator : torch.Generator
        On the device of the images; the shifts are drawn from it.

    Returns
    -------
    Tensor of shape (n, c, h, w)
    """
    n, _, h, w = images.shape
    place = torch.randint(
        0, 2 * most + 1, (2, n, 1), generator=generator, device=images.device
    )  # of the upper left corner in the padded image
    padded = F.pad(images, (most, most, most, most), mode="reflect")
    rows = place[0] + torch.arange(h, device=images.device)
    columns = place[1] + torch.arange(w, device=images.device)
    image = torch.arange(n, device=images.device)
    # Indices around a slice put the channels last.
    return padded[image[:, None, None], :, rows[:, :, None], columns[:, None]].movedim(3, 1)
