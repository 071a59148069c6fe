"""From training data to trained networks."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from oddgan import inputs, training
from oddgan.networks import use_generator

from .encoding import Encoding, fit_encoding
from .ensemble import Networks, one_member, stack_members, unstack_members
from .holdout import HoldOut, hold_outs, readable, seeds, subsample
from .hooks import Hooks
from .score_name import check_lengths
from .training_rows import READ, as_seen, patch_options, training_rows
from .training_terms import check_terms, with_terms

if TYPE_CHECKING:  # it takes a second to import
    from lightning_fabric import Fabric

#: Training rows, drawn at random, that scales and categories are fitted on.
_SAMPLE = {"table": 1_000_000, "image": 1_000}
#: Training samples that the scale of locations is fitted on.
_FEW = 256


@dataclass(frozen=True)
class TrainedMember:
    """What training leaves of one member, or of a detector without an ensemble.

    Attributes
    ----------
    networks : dict of str to nn.Module
        The trained networks, in evaluation mode.
    references : inputs.Source
        Rows it trained on, `n_references` at most, drawn at random.
    few : inputs.Source
        At most 256 of them; images that are cut are whole here.
    scale_rows : inputs.Source or None
        Rows that it learns scales from, and did not train on; None if it needs none.
    scale_samples : inputs.Source or None
        The same as the networks see them: patches, where images are cut.
    n_train : int
        How many rows trained it; image files that were skipped do not count.
    history : list of dict
        Its mean losses by training step.
    judgements : list of dict
        What its discriminators were judged by, by training step.
    """

    networks: Networks
    references: inputs.Source
    few: inputs.Source
    scale_rows: inputs.Source | None
    scale_samples: inputs.Source | None
    n_train: int
    history: list[dict[str, float]]
    judgements: list[dict[str, float]]


@dataclass(frozen=True)
class FitResult:
    """What training leaves.

    Attributes
    ----------
    encoding : Encoding
        The codecs, fitted on the training rows.
    members : list of TrainedMember
        The members of an ensemble; one where there is none.
    hold_out : HoldOut
        The rows that trained, and those that did not.
    held_out_samples : inputs.Source
        The held-out rows as the networks see them: patches, where images are cut.
    history : list of dict
        Mean losses by training step.
    seed : int
        For what is drawn after training.
    checkpoints : list of training.Checkpoint
        The files to remove when all is done.
    """

    encoding: Encoding
    members: list[TrainedMember]
    hold_out: HoldOut
    held_out_samples: inputs.Source
    history: list[dict[str, float]]
    seed: int
    checkpoints: list[training.Checkpoint]


def fit_all(method: Hooks, source: inputs.Source) -> Iterator[FitResult]:
    """Yield what the training of the fit leaves, and of each further fit of a cross-fitting."""
    check_terms(method, source.kind)
    fit_seeds = seeds(method.random_state, 5)
    folds = hold_outs(method, source, fit_seeds[0])
    for k, rows in enumerate(folds):
        title = type(method).__name__ + (f", fold {k + 1} of {len(folds)}" if folds[1:] else "")
        own_seeds = seeds(fit_seeds[-1] + k, 5) if k else fit_seeds
        yield fit_networks(method, rows, own_seeds, title, f".fold{k}" if k else "")


def fit_networks(
    method: Hooks, rows: HoldOut, fit_seeds: Sequence[int], title: str, suffix: str
) -> FitResult:
    """Fit the encoding on the rows that train, build the networks and train them.

    Parameters
    ----------
    method : Hooks
        The method.
    rows : HoldOut
        The rows.
    fit_seeds : sequence of 5 int
        For what is drawn.
    title : str
        What is trained, for the progress bar.
    suffix : str
        Of the files that keep the run.
    """
    fabric = training.make_fabric(method.device, method.precision)
    split_seed, *run_seeds, later = fit_seeds
    encoding = _fit_encoding(method, rows.train, split_seed)
    check_lengths(method, encoding)
    # A held-out row that cannot be encoded is found now, and not after hours of training.
    for _ in encoding.read(rows.held_out, READ[rows.held_out.kind]):
        pass
    runs = _train_members(method, rows, encoding, fabric, run_seeds, (title, suffix))
    trained = [
        (nets, trainer.history_of(i), trainer.judgements_of(i)) if trainer else (nets, [], [])
        for networks, trainer in runs
        for i, nets in enumerate(networks)
    ]
    members = []

    def unaugmented(rows: inputs.Source) -> inputs.Source:
        return as_seen(method, encoding, rows, training=False)

    for k, ((nets, history, judgements), (train, for_scale)) in enumerate(
        zip(trained, rows.members, strict=True)
    ):
        seen = as_seen(method, encoding, train)
        members.append(
            TrainedMember(
                nets,
                subsample(seen, method.n_references, [split_seed, 2, k]),
                subsample(train, _FEW, [split_seed, 3, k]),
                for_scale,
                as_seen(method, encoding, for_scale, training=False)
                if for_scale is not None
                else None,
                readable(train),
                history,
                judgements,
            )
        )
    trainers = [trainer for _, trainer in runs if trainer]
    checkpoints = [trainer.checkpoint for trainer in trainers if trainer.checkpoint]
    history, held_out = _mean_history(trainers), unaugmented(rows.held_out)
    return FitResult(encoding, members, rows, held_out, history, later, checkpoints)


def _fit_encoding(method: Hooks, train: inputs.Source, seed: int) -> Encoding:
    return fit_encoding(
        subsample(train, _SAMPLE[train.kind], [seed, 1]),
        READ[train.kind],
        scaling=method.scaling,
        image_size=method.image_size,
        channels=method.channels,
        patches=patch_options(method),
    )


#: The trained networks of each member of a run, and what trained them, if anything did.
Run = tuple[list[Networks], training.Trainer | None]


def _train_members(
    method: Hooks,
    rows: HoldOut,
    encoding: Encoding,
    fabric: "Fabric",
    run_seeds: Sequence[int],
    names: tuple[str, str],
) -> list[Run]:
    """Train all members: in one pass where that pays, else one after the other."""
    n_members, (title, suffix) = len(rows.members), names
    # On a CPU the convolutions of members side by side are no faster, and slow where narrow.
    side_by_side = method._in_one_pass and (
        rows.train.kind == "table" or fabric.device.type != "cpu"
    )
    if n_members == 1 or side_by_side:
        return [_train(method, rows, encoding, fabric, run_seeds, names)]
    member_seeds = zip(*(seeds(seed, n_members) for seed in run_seeds), strict=True)
    return [
        _train(method, rows.of_member(k), encoding, fabric, by_seed, (title, f"{suffix}.{k}"))
        for k, by_seed in enumerate(member_seeds)
    ]


def _train(
    method: Hooks,
    rows: HoldOut,
    encoding: Encoding,
    fabric: "Fabric",
    run_seeds: Sequence[int],
    names: tuple[str, str],
) -> Run:
    """Train the members of one run side by side; `names` are its title and its file's suffix."""
    codec, n_members = encoding.samples, len(rows.members)
    (order, weights, noise), (title, suffix) = run_seeds, names
    starts = [weights] if n_members == 1 else seeds(weights, n_members)
    members = [
        method._build(codec, encoding.condition_dim, torch.Generator().manual_seed(start))
        for start in starts
    ]
    if method.closed_form:
        return _solve(method, rows, encoding, fabric, members), None
    batches = training_rows(method, rows, encoding, fabric.device, order)
    generator = torch.Generator(fabric.device).manual_seed(noise)
    networks = stack_members(members)
    for network in networks.values():
        network.to(fabric.device)
        use_generator(network, generator)

    def for_each(do: Callable[[Networks, Iterator[Tensor]], None], nets: Networks) -> None:
        """Call `do` with the networks of each member and all rows that it trains on."""
        for k, (train, _) in enumerate(rows.members):
            with one_member(nets, k, n_members) as alone:
                samples = as_seen(method, encoding, train)
                do(alone, encoding.conditioned_rows(samples, READ[train.kind], fabric.device))

    parameters = {role: list(net.parameters()) for role, net in networks.items()}
    trainer = training.Trainer(
        networks,
        {role: method._optimizer(role, ps, codec.kind) for role, ps in parameters.items() if ps},
        [
            encoding.stage(with_terms(method, getattr(method, name), codec, generator))
            for name in method._stages_of(codec.kind)
        ],
        batches,
        training.Settings(
            n_steps=_n_steps(method, batches.batches_per_epoch),
            latent_dim=method._spec(codec).latent_dim,
            ema_decay=method.ema_decay,
            in_ensemble=n_members > 1,
        ),
        fabric=fabric,
        generator=generator,
        progress=training.RichProgress() if method.verbose else training.Silent(),
        checkpoint=_checkpoint(method, batches, order, suffix),
        title=title,
        begin=lambda nets, stage: for_each(
            lambda alone, chunks: method._begin(alone, stage, chunks), dict(nets)
        ),
    )
    networks = trainer.run()
    for network in networks.values():
        use_generator(network, None)
    with torch.no_grad():
        for_each(method._finish, networks)
    return unstack_members(networks, n_members), trainer


def _solve(
    method: Hooks, rows: HoldOut, encoding: Encoding, fabric: "Fabric", members: list[Networks]
) -> list[Networks]:
    """Compute the weights of each member in closed form."""
    for nets, (train, _) in zip(members, rows.members, strict=True):
        samples = as_seen(method, encoding, train)
        method._solve(nets, encoding.joint_rows(samples, READ[train.kind]))
        for net in nets.values():
            net.to(fabric.device).eval()
    return members


def _mean_history(trainers: Sequence[training.Trainer]) -> list[dict[str, float]]:
    """Return the mean history of members that trained one after the other."""
    histories = [trainer.history for trainer in trainers]
    if len(histories) == 1:
        return histories[0]
    return [
        {name: fmean(entry[name] for entry in entries) for name in entries[0]}
        for entries in zip(*histories, strict=True)
    ]


def _n_steps(method: Hooks, batches_per_epoch: int) -> int:
    n_steps = max(method.epochs * batches_per_epoch, method.min_steps)
    return n_steps if method.max_steps is None else min(n_steps, method.max_steps)


def _checkpoint(
    method: Hooks, rows: training.Rows, seed: int, suffix: str
) -> training.Checkpoint | None:
    """Return the file that keeps the run, marked with its settings and its rows.

    Rows that stream are marked by their first batch.
    """
    if method.checkpoint is None:
        return None
    if method.random_state is None:
        raise ValueError("a checkpoint needs random_state: without it a run cannot be repeated")
    quiet = {"checkpoint", "verbose", "target_fpr", "pixel_fpr"}
    settings = {k: repr(v) for k, v in method.get_params().items() if k not in quiet}
    first = rows.members[0] if isinstance(rows, training.EnsembleRows) else rows
    samples = first.rows if isinstance(first, training.DeviceRows) else next(first.epoch(0))
    data = hashlib.sha256(np.ascontiguousarray(samples.cpu().numpy()).data).hexdigest()
    text = json.dumps(
        [type(method).__name__, settings, data, rows.batches_per_epoch, seed], sort_keys=True
    )
    return training.Checkpoint(os.fspath(method.checkpoint) + suffix, text)
