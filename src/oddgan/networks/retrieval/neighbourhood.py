"""What a sample looks like from its neighbours among reference rows.

Two views of a row, its values and the normal scores of its ranks, and both together; in each the
logarithms of the distances to near references, and of how these compare with the distances that the
neighbours have among themselves (a local density ratio, as in Breunig et al. 2000). WithoutColumns
them two figures of the single columns: how rare are this row's values, each by itself?
"""

from collections.abc import Iterable, Iterator
from math import sqrt

import torch
from torch import Tensor, nn

from oddgan.networks.condition import current_condition

from .columns import Columns
from .core import Core
from .nearest import BLOCK, SPARE, filled, squared
from .rarity import rarity

#: Neighbours whose distances are features, and numbers of neighbours of the density ratios.
NEIGHBOURS = (1, 2, 3, 5, 8, 12, 20)
RATIOS = (5, 20)
N_VIEWS = 3
N_NEAR = N_VIEWS * (len(NEIGHBOURS) + len(RATIOS))
#: Of the columns by themselves: the sum of all and the mean of the rarest fifth.
N_FEATURES = N_NEAR + 2
#: Places of the distance between values to the 5th neighbour, and of the sum.
DISTANCE, RARITY = NEIGHBOURS.index(5), N_NEAR

#: References hold at most this many numbers, and features are put on the scale of so many rows.
MOST_NUMBERS = 2_000_000
N_SCALED = 4000

_CLIP = 10.0


class Neighbourhood(nn.Module):
    """Reference rows, and the features of a row among them, standardised over the references.

    Parameters
    ----------
    columns : Columns
        What the columns of a row are.
    condition_dim : int
        Length of the known context of a row, which neighbours have to share.
    capacity : int
        References at most; fewer if these were more than two million numbers.
    scaled : bool
        Whether numbers are scaled already; those of a learnt latent space are not.
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
        # Of each column: centre and factor of its values, deviation, median, width of the kernel.
        self.register_buffer("column", torch.empty(5, d))
        self.register_buffer("own", torch.empty(capacity, N_VIEWS, len(RATIOS)))
        self.register_buffer("floor", torch.empty(N_VIEWS))
        self.register_buffer("scale", torch.empty(2, N_FEATURES))
        self.core = Core(capacity)

    def draw(self, generator: torch.Generator) -> None:
        """Begin without references."""
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

    # ------------------------------------------------------------------------------- learning

    def fill(self, chunks: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Keep references, drawn at random if the rows are more than find place.

        Parameters
        ----------
        chunks : iterable of (Tensor of shape (m, d), Tensor of shape (m,))
            All training rows, each with a number drawn from U[0, 1). The context of the rows is
            the current one.
        """
        capacity = len(self.rows)
        kept: list[Tensor] = []
        for rows, key in chunks:
            c = current_condition()
            context = rows.new_empty(len(rows), 0) if c is None else c
            kept = [torch.cat([key[:, None], rows, context], dim=1), *kept]
            together = torch.cat(kept)
            kept = [together[together[:, 0].argsort()[:capacity]]]
        (drawn,) = kept
        n, d = len(drawn), len(self.columns)
        self.count.fill_(n)
        self.rows.zero_()[:n] = drawn[:, 1 : d + 1]
        self.context.zero_()[:n] = drawn[:, d + 1 :]
        self.sorted.fill_(torch.inf)[:, :n] = self.references.T.sort(1).values
        self._learn_columns()
        self.ranks.zero_()[:n] = self.normal_scores(self.references)
        self._learn_scales()

    def _learn_columns(self) -> None:
        x, n = self.references, self.n
        deviation = x.std(0, correction=0)
        quartiles = [self.sorted[:, round(q * (n - 1))] for q in (0.25, 0.5, 0.75)]
        factor = self.columns.factors(x).clamp(max=_CLIP)
        centre = torch.zeros_like(deviation)
        if not self.scaled:
            centre = x.mean(0)
            factor = 1 / torch.where(deviation > 1e-9, deviation, 1.0)
        deviation = torch.where(deviation > 1e-9, deviation, 1.0)
        # Silverman's rule (1986, equation 3.31), of a box with the deviation of the normal kernel.
        spread = (quartiles[2] - quartiles[0]) / 1.349
        spread = torch.where(spread > 1e-6 * deviation, spread.minimum(deviation), deviation)
        width = sqrt(3) * (0.9 * spread * n**-0.2).maximum(1e-3 * deviation)
        self.column.copy_(torch.stack([centre, factor, deviation, quartiles[1], width]))

    def _learn_scales(self) -> None:
        n = self.n
        own = torch.arange(n, device=self.rows.device)
        rows, ranks, context = self.references, self.ranks[:n], self.context[:n]
        near = [found for found, _ in self._search(rows, ranks, context, own)]
        distances = torch.cat(near)
        k = distances.shape[2]
        for j, ratio in enumerate(RATIOS):
            self.own[:n, :, j] = distances[..., min(ratio, k) - 1].clamp_min(1e-6)
        self.floor.copy_(1e-2 * distances[..., :5].mean((0, 2)) + 1e-9)
        self.scale[0], self.scale[1] = 0.0, 1.0
        features = self.of_references()
        self.scale[0] = features.mean(0)
        # No less than a hundredth: two rows, or copies alone, do not vary.
        self.scale[1] = features.std(0, correction=0).clamp_min(1e-2)
        if context.shape[1]:  # of a rare one there would be no row in the core
            self.core.keep_all(n)
        else:
            self.core.choose(torch.cat(self._views(rows, ranks, context), dim=1))

    # -------------------------------------------------------------------------------- answers

    def forward(
        self, x: Tensor, context: Tensor | None = None, own: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return how odd rows look from their neighbours, and the nearest ones.

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Rows.
        context : Tensor of shape (n, condition_dim) or None
            Their context; None is the current one.
        own : Tensor of shape (n,) or None
            The reference that each row is, or was made of, and which is left out.

        Returns
        -------
        features : Tensor of shape (n, N_FEATURES)
            Standardised; greater is odder.
        nearest : Tensor of shape (n, k)
            The references that are nearest in both views, in order; k is 20, or all but one.
        """
        features, nearest = self._look(x, self._current(x) if context is None else context, own)
        return (features - self.scale[0]) / self.scale[1], nearest

    def from_core(self, x: Tensor) -> Tensor:
        """Return the log distance of rows to the 5th neighbour in the core of the references; (n,).

        It is standardised as that among all references is. With a context they all are the core.
        """
        own = self._views(x, x, self._current(x))[0]  # of values alone: no ranks are needed
        references = self.references
        theirs = self._views(references, references, self.context[: self.n])[0]
        found: Tensor = (self.core(own, theirs) + self.floor[0]).log()
        return (found - self.scale[0, DISTANCE]) / self.scale[1, DISTANCE]

    def of_references(self) -> Tensor:
        """Return the features of references, at most 4,000, each among all others."""
        own = torch.arange(min(self.n, N_SCALED), device=self.rows.device)
        features, _ = self(self.rows[own], self.context[own], own)
        return features  # type: ignore[no-any-return]

    def _look(self, x: Tensor, context: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor]:
        near, nearest = [], []
        for distances, index in self._search(x, self.normal_scores(x), context, own):
            k = distances.shape[2]
            parts = [self._log(distances[..., min(j, k) - 1]) for j in NEIGHBOURS]
            for j, ratio in enumerate(RATIOS):
                theirs = [self.own[i, v, j] for v, i in enumerate(index[..., :ratio].unbind(1))]
                here = self._log(distances[..., :ratio].mean(2))
                parts.append(here - self._log(torch.stack(theirs, 1).mean(2)))
            near.append(torch.stack(parts, 2).flatten(1))
            nearest.append(index[:, -1])
        left_out = None if own is None else self.rows[own]
        rare = rarity(x, self.columns, self.sorted, self.n, self.column[2:], left_out)
        return torch.cat([torch.cat(near), rare], dim=1), torch.cat(nearest)

    def _log(self, distances: Tensor) -> Tensor:
        """Return logarithms of distances (m, N_VIEWS), finite for copies."""
        return (distances + self.floor).log()

    def normal_scores(self, x: Tensor) -> Tensor:
        """Return the normal scores of the mid-ranks, by which ties share one value; (n, d).

        Outside the range of a column they go on with its standard deviation as their unit: far
        outside would else be as near as just outside.
        """
        n, columns = self.n, x.T.contiguous()
        below = torch.searchsorted(self.sorted, columns)
        up_to = torch.searchsorted(self.sorted, columns, right=True)
        middle = (below.clamp(max=n) + up_to.clamp(max=n) + 1) / 2
        scores: Tensor = torch.special.ndtri(middle / (n + 1))
        first, last = self.sorted[:, 0], self.sorted[:, n - 1]
        beyond = (x - last).clamp_min(0) - (first - x).clamp_min(0)
        return scores.T + beyond / self.column[2]

    def shares(self, x: Tensor, index: Tensor) -> Tensor:
        """Return what each column adds to the squared distances from references; (n, d).

        The mean over the references `index`, shape (n, k), of the distances in both views.
        """
        values, ranks = self._values(x), self.columns.halved(self.normal_scores(x))
        theirs, their_ranks = self._values(self.references), self.columns.halved(self.ranks)
        total = torch.zeros_like(x)
        for i in index.unbind(1):
            total += (values - theirs[i]).square() + (ranks - their_ranks[i]).square()
        return total / (2 * index.shape[1])

    # --------------------------------------------------------------------------------- inside

    def _current(self, x: Tensor) -> Tensor:
        c = current_condition()
        return x.new_empty(len(x), 0) if c is None else c

    def _values(self, x: Tensor) -> Tensor:
        centre, factor = self.column[0], self.column[1]
        v = (x - centre) * factor
        return v if self.scaled else _CLIP * torch.tanh(v / _CLIP)

    def _views(self, x: Tensor, ranks: Tensor, context: Tensor) -> list[Tensor]:
        """Return values and ranks, each with the context, which counts as all columns together."""
        views = [self._values(x), self.columns.halved(ranks)]
        if context.shape[1]:
            theirs = self.context[: self.n].var(0, correction=0).sum().clamp_min(1e-9)
            spread = self._values(self.references).var(0, correction=0).sum()
            context = context * (spread / theirs).sqrt()
        return [torch.cat([view, context], dim=1) for view in views]

    def _search(
        self, x: Tensor, ranks: Tensor, context: Tensor, own: Tensor | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield sorted distances and indices of the nearest references, both (m, N_VIEWS, k)."""
        n = self.n
        k = min(max(NEIGHBOURS), n - 1)
        references = self._views(self.references, self.ranks[:n], self.context[:n])
        norms = [view.square().sum(1) for view in references]
        queries = self._views(x, ranks, context)
        for start in range(0, len(x), BLOCK):
            m = min(BLOCK, len(x) - start)
            block = [filled(view[start : start + m]) for view in queries]
            left = None if own is None else filled(own[start : start + m])
            # Squared distances but for a term of the row's own, which orders nothing.
            rough = [
                torch.addmm(r2, q, r.T, alpha=-2)
                for q, r, r2 in zip(block, references, norms, strict=True)
            ]
            found = []
            for order, view in ((rough[0], [0]), (rough[1], [1]), (rough[0] + rough[1], [0, 1])):
                if left is not None:
                    order.scatter_(1, left[:, None], torch.inf)
                near, index = order.topk(min(k + SPARE, n), dim=1, largest=False, sorted=False)
                exact = torch.stack([squared(block[v], references[v][index]) for v in view])
                distance = torch.where(near < torch.inf, exact.mean(0).sqrt(), torch.inf)
                distance, place = distance.sort(1)
                found.append((distance[:m, :k], index.gather(1, place)[:m, :k]))
            yield torch.stack([d for d, _ in found], 1), torch.stack([i for _, i in found], 1)
