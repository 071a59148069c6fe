"""What training does to a batch: cells of other rows, noise, shifts and warps of images."""

from math import pi

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


def warp(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, stretch, slant and move each image by a random affine map; its edges are reflected.

    Each is drawn uniformly: a turn of up to 15 degrees either way, each side stretched or shrunk
    by up to 15 %, a slant of up to 0.1, and a move of up to 1/14 of each side (2 of 28 pixels).

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w)
        Images.
    generator : torch.Generator
        On the device of the images; the maps are drawn from it.

    Returns
    -------
    Tensor of shape (n, c, h, w)
    """
    n, _, h, w = images.shape
    draws = 2 * torch.rand(6, n, generator=generator, device=images.device) - 1
    angle, slant = pi / 12 * draws[0], 0.1 * draws[1]
    stretch, move = 1 + 0.15 * draws[2:4], draws[4:6] / 7  # sides are 2 long in a grid
    cos, sin = angle.cos(), angle.sin()
    along = torch.stack([cos * stretch[0], slant - h / w * sin * stretch[1], move[0]], 1)
    across = torch.stack([w / h * sin * stretch[0], cos * stretch[1], move[1]], 1)
    maps = torch.stack([along, across], 1).to(images.dtype)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
