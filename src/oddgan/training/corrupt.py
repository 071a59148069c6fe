"""Corruption and augmentation of a batch: swapped cells, noise, shifts and affine maps."""

from math import pi

import torch
from torch import Tensor
from torch.nn import functional as F


def swap_cells(x: Tensor, owner: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Replace a share of the cells of a batch with the value of the same column in another row.

    Every column keeps its distribution; only the dependence between columns is broken.

    Parameters
    ----------
    x : Tensor of shape (n, d)
        Encoded rows. A single row is returned unchanged.
    owner : Tensor of shape (d,)
        The column, from 0, of each encoded feature; features of a column are replaced together.
    share : float
        Probability that a cell is replaced, in [0, 1].
    generator : torch.Generator
        On the device of `x`; draws cells and rows.

    Returns
    -------
    Tensor of shape (n, d)
    """
    n = len(x)
    if n < 2:
        return x
    # There are at most as many columns as features.
    replaced = torch.rand(x.shape, generator=generator, device=x.device) < share
    offset = torch.randint(1, n, x.shape, generator=generator, device=x.device)
    donor = (torch.arange(n, device=x.device)[:, None] + offset) % n
    return torch.where(replaced[:, owner], x.gather(0, donor[:, owner]), x)


def add_noise(x: Tensor, deviation: float | Tensor, generator: torch.Generator) -> Tensor:
    """Return x + e with e ~ N(0, deviation^2) for each element, drawn from `generator`."""
    noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return x + deviation * noise


def shift(images: Tensor, max_shift: int, generator: torch.Generator) -> Tensor:
    """Shift each image by up to `max_shift` pixels along each axis; its edges are reflected.

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w)
        Images, with more than `max_shift` pixels a side.
    max_shift : int
        Largest shift; all whole numbers from -`max_shift` to `max_shift` are equally likely.
    generator : torch.Generator
        On the device of the images; draws the shifts.

    Returns
    -------
    Tensor of shape (n, c, h, w)
    """
    n, _, h, w = images.shape
    corner = torch.randint(
        0, 2 * max_shift + 1, (2, n, 1), generator=generator, device=images.device
    )  # the upper left corner in the padded image
    padded = F.pad(images, [max_shift] * 4, mode="reflect")
    rows = corner[0] + torch.arange(h, device=images.device)
    columns = corner[1] + torch.arange(w, device=images.device)
    image = torch.arange(n, device=images.device)
    # Indices around a slice put the channels last.
    return padded[image[:, None, None], :, rows[:, :, None], columns[:, None]].movedim(3, 1)


def affine(images: Tensor, generator: torch.Generator) -> Tensor:
    """Apply a random affine map to each image; its edges are reflected.

    Drawn uniformly: a rotation of up to 15 degrees either way, each side scaled by up to 15 %, a
    shear of up to 0.1, and a translation of up to 1/14 of each side (2 of 28 pixels).

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w)
        Images.
    generator : torch.Generator
        On the device of the images; draws the maps.

    Returns
    -------
    Tensor of shape (n, c, h, w)
    """
    n, _, h, w = images.shape
    draws = 2 * torch.rand(6, n, generator=generator, device=images.device) - 1
    angle, shear = pi / 12 * draws[0], 0.1 * draws[1]
    scale, translation = 1 + 0.15 * draws[2:4], draws[4:6] / 7  # sides are 2 long in a grid
    cos, sin = angle.cos(), angle.sin()
    first_row = torch.stack([cos * scale[0], shear - h / w * sin * scale[1], translation[0]], 1)
    second_row = torch.stack([w / h * sin * scale[0], cos * scale[1], translation[1]], 1)
    maps = torch.stack([first_row, second_row], 1).to(images.dtype)
    grid = F.affine_grid(maps, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
