"""Corrupted copies of normal rows, with known scales of corruption."""

import torch
from torch import Tensor, nn

from oddgan.networks.layers import Noise

from .neighbourhood import Neighbourhood

#: Standard deviations of the noise at the smallest and at the largest scale.
LEAST, GREATEST = 0.39, 3.0


def corrupt(
    references: Neighbourhood, n: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return `n` corrupted copies of references, the indices of these, and scales in [0, 1).

    A third each gets noise on its values, noise on the normal scores of its ranks, and cells of
    other rows; half of the copies only in a random subset of the variables. Within the range of a
    column each value is then replaced by the nearest value in the column: otherwise broken ties
    would reveal the noise. Categories and booleans get the value of another row, as often as noise
    of that scale would flip a balanced one.

    Returns
    -------
    corrupted, source, scale : Tensor of shapes (n, d), (n,) and (n,)
    """
    draws = _Draws(n, references.rows.device, generator)
    rows, columns = references.references, references.columns
    variable, continuous = columns.variable(rows.device), columns.continuous(rows.device)
    g = columns.n_variables
    source, scale = draws.integers(len(rows)), draws.uniform()
    x = rows[source]
    sigma = (LEAST * (GREATEST / LEAST) ** scale)[:, None]
    noise = sigma * draws.normal(len(columns))
    kind = draws.integers(3)[:, None]

    subset = draws.uniform(g) < draws.uniform(1).clamp_min(1.5 / g)
    with_noise = subset | (draws.uniform(1) < 0.5)
    with_noise[torch.arange(n, device=rows.device), draws.integers(g)] = True
    swapped = draws.uniform(g) < (0.5 + 0.5 * scale[:, None]).clamp_min(1.2 / g)
    flipped = draws.uniform(g) < torch.erfc(1 / (sigma * 2**0.5))
    donors = rows[draws.integers(len(rows), g)[:, variable], torch.arange(len(columns))]

    noisy = torch.where(
        kind == 0, x + noise * rows.std(0, correction=0), _by_rank(references, x, noise)
    )
    noisy = _snapped(references, noisy)
    noisy = torch.where(continuous, noisy, torch.where(flipped[:, variable], donors, x))
    y = torch.where(with_noise[:, variable], noisy, x)
    return torch.where(kind == 2, torch.where(swapped[:, variable], donors, x), y), source, scale


#: Number of corrupted rows for training, number of candidates of the adversary, and the maximum
#: distance of their ranks by scale, as a share of all.
N_CORRUPTED, N_CANDIDATES, REACH = 4000, 4, 1 / 40


class CorruptionPool(nn.Module):
    """Features of normal and of corrupted rows, computed once and sampled in each training step.

    They follow from the references and a seed, and are deleted after training; a resumed run
    computes them again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noise = Noise("uniform")
        self.seed: Tensor
        self.register_buffer("seed", torch.empty((), dtype=torch.int64))
        self.normal = self.corrupted = self.scales = torch.empty(0)

    def draw(self, generator: torch.Generator) -> None:
        """Start without a seed."""
        self.seed.zero_()

    def begin(self) -> None:
        """Draw a seed for new features."""
        self.clear()
        self.seed.copy_((self.noise(torch.empty((), device=self.seed.device)) * 2**31).long())

    def _fill(self, references: Neighbourhood) -> None:
        generator = torch.Generator(self.seed.device).manual_seed(int(self.seed))
        self.normal = references.of_references()
        y, source, scales = corrupt(references, N_CORRUPTED, generator)
        self.scales, order = scales.sort()
        self.corrupted = references(y, references.context[source], source)[0][order]

    def clear(self) -> None:
        """Delete the features."""
        self.normal = self.corrupted = self.scales = torch.empty(0)

    def forward(self, references: Neighbourhood, n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sample features of normal and of corrupted rows for one training step.

        Returns
        -------
        normal, corrupted : Tensor of shape (n, n_features)
        candidates : Tensor of shape (n, N_CANDIDATES, n_features)
            Corrupted rows of similar scale, for an adversary to choose from.
        scales : Tensor of shape (n, 1 + N_CANDIDATES)
            Of `corrupted` and of `candidates`.
        """
        if not len(self.normal):
            self._fill(references)
        m = len(self.corrupted)
        u = self.noise(self.corrupted.new_empty(n, 3 + N_CANDIDATES))
        reach = max(1, round(REACH * m))
        offset = (u[:, 3:] * (2 * reach + 1)).long() - reach
        index = torch.cat([u[:, 1:2] * m, (u[:, 2:3] * m).floor() + offset], dim=1)
        index = index.long().clamp(0, m - 1)
        normal = self.normal[(u[:, 0] * len(self.normal)).long()]
        corrupted = self.corrupted[index]
        return normal, corrupted[:, 0], corrupted[:, 1:], self.scales[index]


class _Draws:
    def __init__(self, n: int, device: torch.device, generator: torch.Generator) -> None:
        self.n, self.device, self.generator = n, device, generator

    def uniform(self, *size: int) -> Tensor:
        return torch.rand((self.n, *size), device=self.device, generator=self.generator)

    def normal(self, *size: int) -> Tensor:
        return torch.randn((self.n, *size), device=self.device, generator=self.generator)

    def integers(self, high: int, *size: int) -> Tensor:
        size = (self.n, *size)
        return torch.randint(high, size, device=self.device, generator=self.generator)


def _by_rank(references: Neighbourhood, x: Tensor, noise: Tensor) -> Tensor:
    """Add noise to the normal scores, and return the values with these scores."""
    n = references.n
    scores = references.normal_scores(x) + noise
    rank = torch.special.ndtr(scores) * n - 0.5
    index = rank.round().clamp(0, n - 1).long()
    values = references.sorted.gather(1, index.T).T
    end: Tensor = torch.special.ndtri(torch.tensor((n - 0.5) / n, device=x.device))
    beyond: Tensor = (scores - end).clamp_min(0) - (-end - scores).clamp_min(0)
    return values + beyond * references.references.std(0, correction=0)


def _snapped(references: Neighbourhood, x: Tensor) -> Tensor:
    """Replace values within the range of a column by the nearest value in the column."""
    n, sorted_columns = references.n, references.sorted
    columns = x.T.contiguous()
    above = torch.searchsorted(sorted_columns, columns).clamp(1, n - 1)
    high, low = sorted_columns.gather(1, above), sorted_columns.gather(1, above - 1)
    near = torch.where((high - columns).abs() < (low - columns).abs(), high, low)
    first, last = sorted_columns[:, :1], sorted_columns[:, n - 1 : n]
    return torch.where((columns >= first) & (columns <= last), near, columns).T
