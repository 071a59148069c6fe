"""Latent search in a detector: the samples of its rows, their condition, and its progress bar.

For a detector that looks for latents z, from starts it has::

    found = search_latents(
        nets,                    # the detector's networks; not changed, their weights not followed
        objective,               # objective(nets, z, *known) -> (m,), the loss of m rows
        z,                       # starts: (n, k), or (r, n, k) for r starts of each sample
        known,                   # per-sample tensors that the objective takes: x, f(x), ...
        Descent(n_steps=20, rates=(0.01,)),
        title="FAnoGAN: search",
        verbose=self.verbose,    # 1 shows a bar
    )                            # the latents after the last step, in the shape of z

It may be called in `_score`, `_embed` and `_reconstruct`, where no gradients are followed: it sees
to that itself. What the search does not change, such as f(x), is computed before, once.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from oddgan import training
from oddgan.networks import condition_on_rows, current_condition
from oddgan.scores import Descent, SearchResult, distance, latent_search
from oddgan.scores.search import Objective, Variables

#: From networks, latents (m, k) and what is known of their samples to losses (m,).
LatentLoss = Callable[..., Tensor]


def search_latents(
    nets: Mapping[str, nn.Module],
    objective: LatentLoss,
    z: Tensor,
    known: Sequence[Tensor],
    descent: Descent,
    *,
    title: str,
    verbose: int = 0,
    precision: str = "32-true",
) -> Tensor:
    """Move each latent to where the loss of its sample is lowest.

    Parameters
    ----------
    nets : mapping of str to nn.Module
        Networks for `objective`, in evaluation mode. It gets copies that share their weights but
        ask for no gradients.
    objective : callable
        ``objective(nets, z, *known)`` gives the loss of each row, shape (m,).
    z : Tensor of shape (n, k) or (r, n, k)
        Where the search starts, for each sample or r times for each.
    known : sequence of Tensor of shape (n, ...)
        What else the loss depends on, by sample; `objective` gets the rows that `z` has.
    descent : Descent
        Steps, learning rate, tolerance and memory.
    title : str
        What the progress bar is called.
    verbose : int
        Whether there is a bar.
    precision : {"32-true", "bf16-mixed"}
        What the search computes in. In bf16 the copies have their channels last: faster still.

    Returns
    -------
    Tensor of the shape of `z`
        The latents after the last step.
    """
    frozen = without_gradients(nets)
    if precision == "bf16-mixed":
        for net in frozen.values():  # only the copies: the networks keep their strides
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    # Most steps are of the same samples as the last one.
    @lru_cache(maxsize=1)
    def known_of(sample: Tensor) -> tuple[Tensor, ...]:
        return tuple(values[sample] for values in known)

    def loss(variables: Variables, sample: Tensor) -> Tensor:
        return objective(frozen, variables[0], *known_of(sample))

    start = z.flatten(0, -2)
    result = search(
        loss, (start,), z.shape[-2], descent, title=title, verbose=verbose, precision=precision
    )
    return result.variables[0].reshape(z.shape)


def nearest(generator: nn.Module, candidates: Tensor, x: Tensor) -> Tensor:
    """Return for each sample the candidate whose G(z) is nearest to it, by the L1 distance.

    Parameters
    ----------
    generator : nn.Module
        G, in evaluation mode.
    candidates : Tensor of shape (m, k)
        Latents.
    x : Tensor of shape (n, ...)
        Samples. Where they have a context, G makes all candidates in the context of each.

    Returns
    -------
    Tensor of shape (n, k)
    """
    if current_condition() is None:
        away = torch.cdist(x.flatten(1), generator(candidates).flatten(1), p=1)
    else:
        generated = (generator(z.expand(len(x), -1)) for z in candidates)
        away = torch.stack([distance(x, y) for y in generated], dim=1)
    return candidates[away.argmin(1)]


def search(
    objective: Objective,
    start: Variables,
    n_samples: int,
    descent: Descent,
    *,
    title: str,
    keep: Callable[[Variables, Tensor], Variables] | None = None,
    verbose: int = 0,
    precision: str = "32-true",
) -> SearchResult:
    """Run :func:`oddgan.scores.latent_search` on rows that are samples, again and again.

    Row i is of sample ``i % n_samples``; `objective` and `keep` get the samples, and the
    networks see their condition.
    """

    @lru_cache(maxsize=1)
    def sample_of(rows: Tensor) -> Tensor:
        return rows % n_samples

    def losses(variables: Variables, rows: Tensor) -> Tensor:
        sample = sample_of(rows)
        bf16 = precision == "bf16-mixed"
        with (
            condition_on_rows(sample),
            torch.autocast(rows.device.type, torch.bfloat16, enabled=bf16),
        ):
            return objective(variables, sample).float()

    def kept(variables: Variables, rows: Tensor) -> Variables:
        sample = sample_of(rows)
        with condition_on_rows(sample):
            return keep(variables, sample) if keep else variables

    progress = training.RichProgress() if verbose else training.Silent()
    progress.start(title, len(start[0]) * descent.n_steps, 0)
    try:
        return latent_search(
            losses, start, descent, keep=kept, on_progress=lambda n: progress.update(n, {})
        )
    finally:
        progress.stop()


def without_gradients(nets: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return copies of networks that share their weights but ask for no gradients."""
    with torch.inference_mode(mode=False):
        shared = {
            id(p): nn.Parameter(p.detach(), requires_grad=False)
            for net in nets.values()
            for p in net.parameters()
        }
        return {role: copy.deepcopy(net, shared) for role, net in nets.items()}
