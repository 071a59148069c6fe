"""Features of a sample relative to its neighbours among reference rows.

There are three views of a row: its values, the normal scores of its ranks, and both together. In
each view the features are logarithms of the distances to the nearest references, and of the ratios
of these to the distances among the neighbours (a local density ratio, as in Breunig et al. 2000).
Two more features are the rarity of the row's values, column by column (:mod:`.rarity`).
"""

from collections.abc import Iterable, Iterator
from math import sqrt

import torch
from torch import Tensor, nn

from oddgan.networks.condition import current_condition

from .columns import Columns
from .core import Core
from .nearest import BLOCK, SPARE, padded, squared
from .rarity import rarity

#: Neighbours whose distances are features, and numbers of neighbours of the density ratios.
NEIGHBOURS = (1, 2, 3, 5, 8, 12, 20)
RATIOS = (5, 20)
N_VIEWS = 3
N_NEAR = N_VIEWS * (len(NEIGHBOURS) + len(RATIOS))
#: Rarity of the columns: the sum of all and the mean of the rarest fifth.
N_FEATURES = N_NEAR + 2
#: Indices of the features: distance to the 5th neighbour by values, and the sum of rarities.
DISTANCE, RARITY = NEIGHBOURS.index(5), N_NEAR

#: Maximum number of elements of the references, and of rows for the scale of the features.
MOST_NUMBERS = 2_000_000
N_SCALED = 4000

_CLIP = 10.0


class Neighbourhood(nn.Module):
    """Reference rows, and the features of a row relative to them, standardised over the references.

    Parameters
    ----------
    columns : Columns
        The kinds of the columns of a row.
    condition_dim : int
        Length of the condition of a row, which neighbours have to share.
    capacity : int
        Maximum number of references; fewer if these had more than two million elements.
    scaled : bool
        Whether values are scaled already; those of a latent space are not.
    """

    def __init__(
        self, columns: Columns, condition_dim: int, capacity: int, *, scaled: bool
    ) -> None:
        super().__init__()
        self.columns = columns
        self.scaled = scaled
        d = len(columns)
        capacity = min(capacity, max(1000, MOST_NUMBERS // d))
        self.count: Tensor
        self.rows: Tensor
        self.context: Tensor
        self.sorted: Tensor
        self.ranks: Tensor
        self.column: Tensor
        self.own: Tensor
        self.floor: Tensor
        self.scale: Tensor
        self.register_buffer("count", torch.empty((), dtype=torch.int64))
        self.register_buffer("rows", torch.empty(capacity, d))
        self.register_buffer("context", torch.empty(capacity, condition_dim))
        self.register_buffer("sorted", torch.empty(d, capacity))  # each column, then infinity
        self.register_buffer("ranks", torch.empty(capacity, d))
        # For each column: centre and factor of its values, deviation, median, width of the kernel.
        self.register_buffer("column", torch.empty(5, d))
        self.register_buffer("own", torch.empty(capacity, N_VIEWS, len(RATIOS)))
        self.register_buffer("floor", torch.empty(N_VIEWS))
        self.register_buffer("scale", torch.empty(2, N_FEATURES))
        self.core = Core(capacity)

    def draw(self, generator: torch.Generator) -> None:
        """Start without references."""
        for buffer in self.buffers():
            buffer.zero_()

    @property
    def n(self) -> int:
        """Number of references."""
        return int(self.count)

    @property
    def references(self) -> Tensor:
        """The reference rows, shape (n, d)."""
        return self.rows[: self.n]

    def fill(self, chunks: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Set the references to all rows, or to a random sample of `capacity` rows.

        Parameters
        ----------
        chunks : iterable of (Tensor of shape (m, d), Tensor of shape (m,))
            All training rows, each with a number drawn from U[0, 1). Their condition is the
            current one.
        """
        capacity = len(self.rows)
        sample: list[Tensor] = []
        for rows, key in chunks:
            condition = self._current(rows)
            sample = [torch.cat([key[:, None], rows, condition], dim=1), *sample]
            candidates = torch.cat(sample)
            sample = [candidates[candidates[:, 0].argsort()[:capacity]]]
        (references,) = sample
        n, d = len(references), len(self.columns)
        self.count.fill_(n)
        self.rows.zero_()[:n] = references[:, 1 : d + 1]
        self.context.zero_()[:n] = references[:, d + 1 :]
        self.sorted.fill_(torch.inf)[:, :n] = self.references.T.sort(1).values
        self._fit_columns()
        self.ranks.zero_()[:n] = self.normal_scores(self.references)
        self._fit_scales()

    def _fit_columns(self) -> None:
        x, n = self.references, self.n
        deviation = x.std(0, correction=0)
        quartiles = [self.sorted[:, round(q * (n - 1))] for q in (0.25, 0.5, 0.75)]
        factor = self.columns.factors(x).clamp(max=_CLIP)
        centre = torch.zeros_like(deviation)
        if not self.scaled:
            centre = x.mean(0)
            factor = 1 / torch.where(deviation > 1e-9, deviation, 1.0)
        deviation = torch.where(deviation > 1e-9, deviation, 1.0)
        # Silverman's rule (1986, equation 3.31), for a box with the deviation of a normal kernel.
        spread = (quartiles[2] - quartiles[0]) / 1.349
        spread = torch.where(spread > 1e-6 * deviation, spread.minimum(deviation), deviation)
        width = sqrt(3) * (0.9 * spread * n**-0.2).maximum(1e-3 * deviation)
        self.column.copy_(torch.stack([centre, factor, deviation, quartiles[1], width]))

    def _fit_scales(self) -> None:
        n = self.n
        rows, ranks, condition = self.references, self.ranks[:n], self.context[:n]
        blocks = self._search(rows, ranks, condition, torch.arange(n, device=rows.device))
        distances = torch.cat([distances for distances, _ in blocks])
        k = distances.shape[2]
        for j, ratio in enumerate(RATIOS):
            self.own[:n, :, j] = distances[..., min(ratio, k) - 1].clamp_min(1e-6)
        self.floor.copy_(1e-2 * distances[..., :5].mean((0, 2)) + 1e-9)
        self.scale[0], self.scale[1] = 0.0, 1.0
        features = self.of_references()
        self.scale[0] = features.mean(0)
        # At least a hundredth: the features of two rows, or of copies, do not vary.
        self.scale[1] = features.std(0, correction=0).clamp_min(1e-2)
        if condition.shape[1]:  # the core might have no row of a rare condition
            self.core.keep_all(n)
        else:
            self.core.choose(torch.cat(self._views(rows, ranks, condition), dim=1))

    def forward(
        self, x: Tensor, condition: Tensor | None = None, leave_out: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the features of rows, and their nearest references.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Rows.
        condition : Tensor of shape (n, condition_dim) or None
            Their condition; None is the current one.
        leave_out : Tensor of shape (n,) or None
            The reference to leave out for each row: the row itself, or the one it is a copy of.

        Returns
        -------
        features : Tensor of shape (n, N_FEATURES)
            Standardised; higher is more anomalous.
        nearest : Tensor of shape (n, k)
            Nearest references in both views, in order; k is 20, or all but one.
        """
        condition = self._current(x) if condition is None else condition
        features, nearest = self._features(x, condition, leave_out)
        return (features - self.scale[0]) / self.scale[1], nearest

    def from_core(self, x: Tensor) -> Tensor:
        """Return the log distance of rows to the 5th neighbour in the core of the references; (n,).

        It is standardised like the distance to all references, which all are the core if there is a
        condition.
        """
        query = self._views(x, x, self._current(x))[0]  # of values only: ranks are not needed
        references = self._views(self.references, self.references, self.context[: self.n])[0]
        distances: Tensor = (self.core(query, references) + self.floor[0]).log()
        return (distances - self.scale[0, DISTANCE]) / self.scale[1, DISTANCE]

    def of_references(self) -> Tensor:
        """Return the features of at most 4,000 references, each relative to all others."""
        index = torch.arange(min(self.n, N_SCALED), device=self.rows.device)
        features, _ = self(self.rows[index], self.context[index], index)
        return features  # type: ignore[no-any-return]

    def _features(
        self, x: Tensor, condition: Tensor, leave_out: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the features of rows before standardisation, and their nearest references."""
        by_distance, nearest = [], []
        for distances, index in self._search(x, self.normal_scores(x), condition, leave_out):
            k = distances.shape[2]
            features = [self._log(distances[..., min(j, k) - 1]) for j in NEIGHBOURS]
            for j, ratio in enumerate(RATIOS):
                radii = [self.own[i, v, j] for v, i in enumerate(index[..., :ratio].unbind(1))]
                distance = self._log(distances[..., :ratio].mean(2))
                features.append(distance - self._log(torch.stack(radii, 1).mean(2)))
            by_distance.append(torch.stack(features, 2).flatten(1))
            nearest.append(index[:, -1])
        left_out = None if leave_out is None else self.rows[leave_out]
        by_rarity = rarity(x, self.columns, self.sorted, self.n, self.column[2:], left_out)
        return torch.cat([torch.cat(by_distance), by_rarity], dim=1), torch.cat(nearest)

    def _log(self, distances: Tensor) -> Tensor:
        """Return logarithms of distances (m, N_VIEWS), which are finite for copies."""
        return (distances + self.floor).log()

    def normal_scores(self, x: Tensor) -> Tensor:
        """Return the normal scores of the mid-ranks, the same for ties; (n, d).

        Outside the range of a column they continue linearly, in units of its standard deviation:
        otherwise far outside would be as near as just outside.
        """
        n, columns = self.n, x.T.contiguous()
        first_rank = torch.searchsorted(self.sorted, columns)
        last_rank = torch.searchsorted(self.sorted, columns, right=True)
        mid_rank = (first_rank.clamp(max=n) + last_rank.clamp(max=n) + 1) / 2
        scores: Tensor = torch.special.ndtri(mid_rank / (n + 1))
        first, last = self.sorted[:, 0], self.sorted[:, n - 1]
        beyond = (x - last).clamp_min(0) - (first - x).clamp_min(0)
        return scores.T + beyond / self.column[2]

    def shares(self, x: Tensor, index: Tensor) -> Tensor:
        """Return the contribution of each column to the squared distances from references; (n, d).

        The mean over the references `index`, shape (n, k), of the distances in both views.
        """
        values, ranks = self._values(x), self.columns.halved(self.normal_scores(x))
        references = self._values(self.references), self.columns.halved(self.ranks)
        total = torch.zeros_like(x)
        for i in index.unbind(1):
            total += (values - references[0][i]).square() + (ranks - references[1][i]).square()
        return total / (2 * index.shape[1])

    def _current(self, x: Tensor) -> Tensor:
        condition = current_condition()
        return x.new_empty(len(x), 0) if condition is None else condition

    def _values(self, x: Tensor) -> Tensor:
        centre, factor = self.column[0], self.column[1]
        v = (x - centre) * factor
        return v if self.scaled else _CLIP * torch.tanh(v / _CLIP)

    def _views(self, x: Tensor, ranks: Tensor, condition: Tensor) -> list[Tensor]:
        """Return values and ranks, each with the condition, which weighs as much as all columns."""
        views = [self._values(x), self.columns.halved(ranks)]
        if condition.shape[1]:
            variance = self.context[: self.n].var(0, correction=0).sum().clamp_min(1e-9)
            spread = self._values(self.references).var(0, correction=0).sum()
            condition = condition * (spread / variance).sqrt()
        return [torch.cat([view, condition], dim=1) for view in views]

    def _search(
        self, x: Tensor, ranks: Tensor, condition: Tensor, leave_out: Tensor | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield sorted distances and indices of the nearest references, both (m, N_VIEWS, k)."""
        n = self.n
        k = min(max(NEIGHBOURS), n - 1)
        references = self._views(self.references, self.ranks[:n], self.context[:n])
        norms = [view.square().sum(1) for view in references]
        queries = self._views(x, ranks, condition)
        for start in range(0, len(x), BLOCK):
            m = min(BLOCK, len(x) - start)
            block = [padded(view[start : start + m]) for view in queries]
            left_out = None if leave_out is None else padded(leave_out[start : start + m])
            # Squared distances without the norm of the row, which does not affect the order.
            by_values, by_ranks = (
                torch.addmm(r2, q, r.T, alpha=-2)
                for q, r, r2 in zip(block, references, norms, strict=True)
            )
            nearest = []
            views = ((by_values, [0]), (by_ranks, [1]), (by_values + by_ranks, [0, 1]))
            for approximate, view in views:
                if left_out is not None:
                    approximate.scatter_(1, left_out[:, None], torch.inf)
                n_candidates = min(k + SPARE, n)
                rough, index = approximate.topk(n_candidates, dim=1, largest=False, sorted=False)
                exact = torch.stack([squared(block[v], references[v][index]) for v in view])
                distance = torch.where(rough < torch.inf, exact.mean(0).sqrt(), torch.inf)
                distance, order = distance.sort(1)
                nearest.append((distance[:m, :k], index.gather(1, order)[:m, :k]))
            yield torch.stack([d for d, _ in nearest], 1), torch.stack([i for _, i in nearest], 1)
