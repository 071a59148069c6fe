"""The training loop as a unit, with networks of a few weights."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from oddgan import EGBAD, VAE, training
from oddgan.training import DeviceRows, Loss, Settings, StreamedRows, Trainer, TrainingError
from support.data import quick


class Listener:
    """Progress that records its calls."""

    def __init__(self):
        self.events = []

    def start(self, title, total, done):
        self.events.append(("start", title, total, done))

    def update(self, step, losses):
        self.events.append(("update", step, dict(losses)))

    def stop(self):
        self.events.append(("stop",))


def train(nets, losses, n_steps=1, *, rows=None, ema=0.0, lr=1.0, precision="32-true", **options):
    """Train `nets` with plain gradient descent, whose steps can be computed by hand."""
    trainer = Trainer(
        nets,
        {r: torch.optim.SGD(n.parameters(), lr) for r, n in nets.items() if [*n.parameters()]},
        [losses],
        rows or DeviceRows(torch.ones(4, 1), 2, seed=0),
        Settings(n_steps, 1, ema),
        fabric=training.make_fabric("cpu", precision),
        generator=torch.Generator().manual_seed(0),
        progress=options.get("progress", training.Silent()),
        checkpoint=options.get("checkpoint"),
        title="Unit",
    )
    return trainer, trainer.run


def scalar(weight):
    """A network y = weight * x."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, weight)
    return net


def weight(net):
    return net.weight.item()


def constant_loss(value, *, adversary=False):
    """Losses with a constant value, and a gradient of zero."""

    def losses(nets, x, z):
        yield Loss("critic", nets["a"](x).mean() * 0 + value, ("a",), adversary)

    return losses


# ------------------------------------------------------------------------------- losses, updates


def test_a_loss_updates_the_networks_it_names_and_no_other():
    nets = {"a": scalar(2.0), "b": scalar(3.0), "c": scalar(4.0)}

    def losses(nets, x, z):
        yield Loss("product", nets["c"](nets["b"](nets["a"](x))).mean(), ("a", "c"))

    train(nets, losses, lr=0.1)[1]()
    # The derivative of a b c by a is b c = 12, by c it is a b = 6.
    assert [weight(n) for n in nets.values()] == pytest.approx([2 - 1.2, 3, 4 - 0.6])
    assert nets["b"].weight.grad is None


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_after_a_yield_the_networks_of_that_loss_are_updated(precision):
    nets = {"a": scalar(1.0), "b": scalar(1.0)}
    seen = []

    def losses(nets, x, z):
        y = nets["a"](x)
        seen.append(y.mean().item())
        yield Loss("first", y.mean(), ("a",))
        # Autocast would answer with a copy of the weights from before the update.
        seen.append(nets["a"](x).mean().item())
        yield Loss("second", nets["b"](nets["a"](x)).mean(), ("b",))

    train(nets, losses, 2, lr=0.5, precision=precision)[1]()
    assert seen == [1.0, 0.5, 0.5, 0.0]
    assert weight(nets["b"]) == 1 - 0.5 * 0.5 - 0.5 * 0.0


def test_each_loss_starts_from_fresh_gradients():
    nets = {"a": scalar(0.0)}

    def losses(nets, x, z):
        for name in ("one", "two", "three"):
            yield Loss(name, nets["a"](x).mean(), ("a",))

    train(nets, losses, 2)[1]()
    assert weight(nets["a"]) == -6


def test_the_latent_draws_are_standard_normal_and_come_from_the_generator():
    latents = []

    def losses(nets, x, z):
        latents.append(z)
        yield Loss("none", nets["a"](x).mean(), ("a",))

    torch.manual_seed(5)
    train({"a": scalar(0.0)}, losses, 500)[1]()
    expected = torch.Generator().manual_seed(0)
    for z in latents:
        assert torch.equal(z, torch.randn(2, 1, generator=expected))


# ------------------------------------------------------------------------------- moving average


def test_the_moving_average_equals_one_computed_by_hand():
    nets = {"a": scalar(1.0)}
    seen = []

    def losses(nets, x, z):
        yield Loss("square", nets["a"](x).square().mean() / 2, ("a",))
        seen.append(weight(nets["a"]))

    averaged = train(nets, losses, 40, ema=0.7, lr=0.1)[1]()["a"]
    expected = seen[0]  # the first training step starts the average
    for step, value in enumerate(seen[1:], start=2):
        decay = min(0.7, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert weight(averaged) == pytest.approx(expected, rel=1e-5)
    assert weight(nets["a"]) == pytest.approx(0.9**40, rel=1e-5)


def test_the_decay_of_the_average_warms_up():
    """Three steps at decay 0.999: 3/12 and 4/13 instead, so the first weights do not stay."""
    nets = {"a": scalar(0.0)}

    def losses(nets, x, z):
        yield Loss("slope", nets["a"](x).mean(), ("a",))  # weights -1, -2, -3

    averaged = train(nets, losses, 3, ema=0.999)[1]()["a"]
    second = 3 / 12 * -1 + 9 / 12 * -2
    assert weight(averaged) == pytest.approx(4 / 13 * second + 9 / 13 * -3)


def test_batch_norm_buffers_of_the_average_are_those_of_the_last_step():
    nets = {"a": nn.Sequential(scalar(1.0), nn.BatchNorm1d(1, momentum=0.5))}
    rows = DeviceRows(torch.tensor([[0.0], [4.0]]), 2, seed=0)

    def losses(nets, x, z):
        yield Loss("mean", nets["a"](x).mean() * 0, ("a",))

    averaged = train(nets, losses, 2, rows=rows, ema=0.9)[1]()["a"][1]
    # Mean 2 and unbiased variance 8 of the batch; the running values start at 0 and 1.
    assert averaged.running_mean.item() == pytest.approx(1.5)
    assert averaged.running_var.item() == pytest.approx(0.25 * 1 + 0.75 * 8)
    assert averaged.num_batches_tracked == 2
    assert not averaged.training


def test_without_a_decay_the_trained_networks_themselves_are_returned():
    nets = {"a": scalar(1.0)}
    assert train(nets, constant_loss(1.0))[1]()["a"] is nets["a"]


# ------------------------------------------------------------------------ the beginning of a stage


def two_stages(checkpoint=None):
    """Return a run of two stages of two steps, and its events in order, with the weights."""
    nets, events = {"a": scalar(1.0)}, []

    def losses(nets, x, z):
        events.append(("step", weight(nets["a"])))
        yield Loss("mean", nets["a"](x).mean(), ("a",))  # the weight falls by 1

    def begin(nets, stage):
        assert not torch.is_grad_enabled()
        events.append(("begin", stage, weight(nets["a"])))

    trainer, run = train(nets, losses, 2, ema=0.5, checkpoint=checkpoint)
    trainer.stages, trainer.n_steps, trainer.begin = [losses, losses], 4, begin
    return trainer, run, events


def test_a_stage_begins_before_its_first_step_with_the_averaged_weights():
    _, run, events = two_stages()
    run()
    assert [event[:2] for event in events] == [
        ("begin", 0),
        ("step", 1.0),
        ("step", 0.0),
        ("begin", 1),
        ("step", -0.75),
        ("step", -1.75),
    ]
    # Averages after the steps of the first stage: 0, then 1/4 of it and 3/4 of -1.
    assert [event[2] for event in events if event[0] == "begin"] == [1.0, -0.75]


def test_stages_without_steps_begin_too():
    trainer, run, events = two_stages()
    trainer.n_steps = 0
    run()
    assert events == [("begin", 0, 1.0), ("begin", 1, 1.0)]
    assert trainer.history == []


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (1, ["step", "begin", "step", "step"]),
        (2, ["begin", "step", "step"]),
        (3, ["step"]),
    ],
)
def test_a_run_that_is_resumed_within_a_stage_does_not_begin_it_again(
    step, expected, tmp_path, monkeypatch
):
    checkpoint = training.Checkpoint(tmp_path / "fit.ckpt", "run")
    trainer, run, _ = two_stages(checkpoint)
    with monkeypatch.context() as patch:

        def report():
            if trainer.step == step:
                signal.raise_signal(signal.SIGINT)

        patch.setattr(trainer, "_report", report)
        with pytest.raises(KeyboardInterrupt):
            run()
    _, run, events = two_stages(checkpoint)
    run()
    assert [event[0] for event in events] == expected


# ---------------------------------------------------------------------------------- early abort


def test_a_loss_that_is_not_finite_ends_the_run_and_is_named():
    steps = []

    def losses(nets, x, z):
        steps.append(1)
        yield Loss("fine", nets["a"](x).mean() * 0, ("a",))
        bad = math.nan if len(steps) == 47 else 1.0
        yield Loss("broken", nets["a"](x).mean() * 0 + bad, ("a",))

    progress = Listener()
    message = r"Unit: the broken loss became nan between training steps 41 and 50; .*learning_rate"
    with pytest.raises(TrainingError, match=message):
        train({"a": scalar(1.0)}, losses, 1000, progress=progress)[1]()
    assert len(steps) == 50
    assert progress.events[-1] == ("stop",)


@pytest.mark.parametrize("n_steps", [250, 1000, 20000])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5e-6, "separated real from generated samples almost perfectly"),
        (2 * math.log(2), "output a constant"),
    ],
)
def test_a_collapsed_discriminator_ends_the_run(value, reason, n_steps):
    trainer, run = train({"a": scalar(1.0)}, constant_loss(value, adversary=True), n_steps)
    with pytest.raises(TrainingError, match=f"Unit: the critic has collapsed.*{reason}"):
        run()
    assert trainer.step == 200


def test_a_discriminator_is_judged_by_its_plain_loss_where_its_value_differs():
    def losses(nets, x, z):
        zero = nets["a"](x).mean() * 0
        yield Loss("critic", zero + 7, ("a",), adversary=True, judged=zero + 2 * math.log(2))

    with pytest.raises(TrainingError, match=r"the critic has collapsed.*output a constant"):
        train({"a": scalar(1.0)}, losses, 300)[1]()


@pytest.mark.parametrize("value", [5e-6, 2 * math.log(2)])
def test_only_a_discriminator_can_collapse(value):
    trainer, run = train({"a": scalar(1.0)}, constant_loss(value), 300)
    run()
    assert trainer.step == 300


@pytest.mark.parametrize("value", [2e-5, 2 * math.log(2) - 1e-4, 2 * math.log(2) + 1e-4])
def test_a_healthy_discriminator_is_left_alone(value):
    trainer, run = train({"a": scalar(1.0)}, constant_loss(value, adversary=True), 600)
    run()
    assert trainer.step == 600


def test_a_discriminator_that_recovers_is_left_alone():
    steps = []

    def losses(nets, x, z):
        steps.append(1)
        value = 1.0 if len(steps) % 190 == 0 else 0.0
        yield Loss("critic", nets["a"](x).mean() * 0 + value, ("a",), adversary=True)

    train({"a": scalar(1.0)}, losses, 900)[1]()
    assert len(steps) == 900


# --------------------------------------------------------------------------------- rows in memory


def numbered(n):
    return torch.arange(n, dtype=torch.float32).view(n, 1)


def epoch(rows, number, skip=0):
    return [batch.flatten().tolist() for batch in rows.epoch(number, skip)]


def device_rows(n, batch_size, seed=0):
    return DeviceRows(numbered(n), batch_size, seed)


def streamed_rows(n, batch_size, seed=0, *, chunk=7, buffer=20, n_read=None):
    def read(rng):
        chunks = list(numbered(n if n_read is None else n_read).split(chunk))
        yield from (chunks[i] for i in rng.permutation(len(chunks)))

    return StreamedRows(read, n, batch_size, seed, torch.device("cpu"), buffer)


BOTH = pytest.mark.parametrize("make", [device_rows, streamed_rows])


@BOTH
@pytest.mark.parametrize(("n", "batch_size"), [(60, 10), (63, 10), (61, 60), (5, 64), (2, 2)])
def test_an_epoch_has_each_row_once_except_the_remainder(make, n, batch_size):
    rows = make(n, batch_size)
    size = min(batch_size, n)
    batches = epoch(rows, 0)
    assert len(batches) == rows.batches_per_epoch == n // size
    assert {len(batch) for batch in batches} == {size}
    flat = [row for batch in batches for row in batch]
    assert len(set(flat)) == len(flat) == n - n % size
    assert set(flat) <= set(range(n))


@BOTH
def test_the_order_is_drawn_from_seed_and_epoch(make):
    assert epoch(make(60, 10), 3) == epoch(make(60, 10), 3)
    orders = [epoch(make(60, 10), 3), epoch(make(60, 10), 4), epoch(make(60, 10, seed=1), 3)]
    orders.append([list(range(i, i + 10)) for i in range(0, 60, 10)])
    assert len({str(order) for order in orders}) == 4


@BOTH
@pytest.mark.parametrize("skip", [0, 1, 4, 5, 6])
def test_a_resumed_epoch_continues_where_it_stopped(make, skip):
    rows = make(63, 10)
    assert epoch(rows, 2, skip) == epoch(rows, 2)[skip:]


@BOTH
def test_another_remainder_is_left_out_each_time(make):
    rows = make(63, 10)
    left_out = {
        frozenset(range(63)) - {row for batch in epoch(rows, number) for row in batch}
        for number in range(8)
    }
    assert len(left_out) > 4


def test_streamed_rows_are_shuffled_across_chunks_within_the_buffer():
    rows = streamed_rows(1000, 10, chunk=50, buffer=200)
    mixed = [len({int(row) // 50 for row in batch}) for batch in epoch(rows, 0)]
    assert np.mean(mixed) > 2.5  # of at most 4 chunks in the buffer
    unmixed = streamed_rows(1000, 10, chunk=50, buffer=10)
    assert {len({int(row) // 50 for row in batch}) for batch in epoch(unmixed, 0)} == {1}


def test_streamed_rows_are_read_no_further_ahead_than_the_buffer():
    n_read = 0

    def read(rng):
        nonlocal n_read
        for chunk in numbered(1000).split(10):
            n_read += len(chunk)
            yield chunk

    rows = StreamedRows(read, 1000, 5, 0, torch.device("cpu"), 40)
    for n_seen, _ in enumerate(rows.epoch(0)):
        assert n_read - 5 * n_seen <= 45


@pytest.mark.parametrize("n_read", [0, 5, 44])
def test_fewer_rows_than_expected_end_the_run_instead_of_hanging(n_read):
    rows = streamed_rows(60, 10, n_read=n_read)
    trainer, run = train({"a": scalar(1.0)}, constant_loss(1.0), 100, rows=rows)
    with pytest.raises(TrainingError, match=f"epoch 1 ended {6 - n_read // 10} of 6 batches early"):
        run()
    assert trainer.step == n_read // 10


def test_epochs_follow_each_other_and_a_resumed_run_skips_batches_it_has_seen():
    epochs = []

    class RecordedRows(DeviceRows):
        def epoch(self, number, skip=0):
            epochs.append((number, skip))
            return super().epoch(number, skip)

    rows = RecordedRows(numbered(30), 10, seed=0)
    trainer, run = train({"a": scalar(1.0)}, constant_loss(1.0), 8, rows=rows)
    trainer.step = 4
    run()
    assert epochs == [(1, 1), (2, 0)]


def test_a_run_ends_in_the_middle_of_an_epoch():
    trainer, run = train({"a": scalar(1.0)}, constant_loss(1.0), 8, rows=device_rows(30, 10))
    run()
    assert trainer.step == 8


# ----------------------------------------------------------------------------------- checkpoints

KILLED_WHILE_IT_WRITES = """
    import os, signal, sys
    import pandas as pd, torch

    sys.path.insert(0, {tests!r})
    from support.data import quick
    from oddgan import EGBAD, training

    training.Checkpoint.__init__.__defaults__ = (0,)  # after every training step
    save = torch.save

    def save_half_and_die(stored, file):
        if stored["state"]["step"] < 17:
            return save(stored, file)
        file.write(b"half of a checkpoint")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    torch.save = save_half_and_die
    X = "t.parquet" if {stream} else pd.read_parquet("t.parquet")
    params = dict(stream={stream}, batch_size=20, max_steps=30)
    quick(EGBAD, checkpoint="fit.ckpt", **params).fit(X)
"""


@pytest.mark.parametrize("stream", [False, True], ids=["memory", "parquet"])
def test_a_killed_fit_that_is_resumed_ends_where_an_uninterrupted_one_ends(
    table, tmp_path, monkeypatch, stream
):
    file, checkpoint = tmp_path / "t.parquet", tmp_path / "fit.ckpt"
    pd.DataFrame(table, columns=list("abcd")).to_parquet(file, row_group_size=50)
    script = KILLED_WHILE_IT_WRITES.format(tests=str(Path(__file__).parent.parent), stream=stream)
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        # It has the import path of this process.
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "fit.ckpt.part").read_bytes() == b"half of a checkpoint"

    starts = []
    monkeypatch.setattr(training.Silent, "start", lambda self, *args: starts.append(args))
    X = file if stream else pd.read_parquet(file)
    options = {"stream": stream, "batch_size": 20, "max_steps": 30}
    resumed = quick(EGBAD, checkpoint=checkpoint, **options).fit(X)
    whole = quick(EGBAD, **options).fit(X)
    assert starts == [("EGBAD", 30, 16), ("EGBAD", 30, 0)]
    np.testing.assert_array_equal(resumed.anomaly_score(X), whole.anomaly_score(X))
    assert resumed.history_ == whole.history_
    assert not checkpoint.exists()


def interrupt_at(step, monkeypatch, times=1):
    """Press Ctrl-C `times` times in training step `step`."""
    report = Trainer._report

    def ctrl_c(self):
        report(self)
        if self.step == step:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Trainer, "_report", ctrl_c)


def test_a_truncated_checkpoint_is_refused_by_name(table, tmp_path, monkeypatch):
    path = tmp_path / "fit.ckpt"
    with monkeypatch.context() as patch:
        interrupt_at(5, patch)
        with pytest.raises(KeyboardInterrupt):
            quick(EGBAD, checkpoint=path).fit(table)
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"fit\.ckpt cannot be read .*delete it"):
            quick(EGBAD, checkpoint=path).fit(table)


def test_a_half_written_part_is_ignored(table, tmp_path):
    path = tmp_path / "fit.ckpt"
    (tmp_path / "fit.ckpt.part").write_bytes(b"half of a checkpoint")
    scores = quick(EGBAD, checkpoint=path).fit(table).anomaly_score(table)
    np.testing.assert_array_equal(scores, quick(EGBAD).fit(table).anomaly_score(table))


def test_a_checkpoint_that_cannot_be_written_fails_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    checkpoint = training.Checkpoint(tmp_path / "file" / "fit.ckpt", "run")
    trainer, run = train({"a": scalar(1.0)}, constant_loss(1.0), 9, checkpoint=checkpoint)
    with pytest.raises(OSError, match="file"):
        run()
    assert trainer.step == 0


def test_a_checkpoint_runs_no_code(tmp_path):
    path = tmp_path / "fit.ckpt"
    torch.save({"version": 1, "fingerprint": "", "state": Listener()}, path)
    with pytest.raises(ValueError, match="cannot be read"):
        training.Checkpoint(path, "").load()


def test_a_checkpoint_is_written_when_it_is_due(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(training.checkpoint.time, "monotonic", lambda: now)
    checkpoint = training.Checkpoint(tmp_path / "new" / "fit.ckpt", "run", every=30)
    seen = []
    for now in (0.0, 29.0, 31.0, 32.0, 60.0, 61.0):
        seen.append(checkpoint.due())
        if seen[-1]:
            checkpoint.write({"step": now})
    assert seen == [False, False, True, False, False, True]
    assert training.Checkpoint(tmp_path / "new" / "fit.ckpt", "run").load() == {"step": 61.0}


def test_a_complete_checkpoint_resumes_to_the_end_at_once(tmp_path, monkeypatch):
    """Ctrl-C in the very last step: nothing remains to train."""
    checkpoint = training.Checkpoint(tmp_path / "fit.ckpt", "run")
    with monkeypatch.context() as patch:
        interrupt_at(10, patch)
        with pytest.raises(KeyboardInterrupt):
            train({"a": scalar(0.0)}, constant_loss(1.0), 10, checkpoint=checkpoint)[1]()
    progress = Listener()
    trainer, run = train(
        {"a": scalar(9.0)}, constant_loss(1.0), 10, checkpoint=checkpoint, progress=progress
    )
    assert weight(run()["a"]) == 0.0
    assert progress.events == [("start", "Unit", 10, 10), ("stop",)]
    assert trainer.history[-1]["step"] == 10


# ------------------------------------------------------------------------------ progress, Ctrl-C


def test_progress_reports_steps_and_mean_losses():
    nets = {"a": scalar(0.0)}

    def losses(nets, x, z):
        yield Loss("slope", nets["a"](x).mean(), ("a",))  # 0, -1, -2 ...

    progress = Listener()
    trainer, run = train(nets, losses, 251, progress=progress)
    run()
    first, *updates, last = progress.events
    assert first == ("start", "Unit", 251, 0)
    assert last == ("stop",)
    assert [step for _, step, _ in updates] == [*range(2, 251, 2), 251]
    means = [-(2 * i + 0.5) for i in range(125)]
    assert [losses["slope"] for _, _, losses in updates] == [*means, -250]  # the last of one step
    assert trainer.history == [{"step": step, **losses} for _, step, losses in updates]


def test_the_bar_shows_losses_and_time_left_on_standard_error(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    bar = training.RichProgress()
    bar.start("EGBAD", 3000, 1500)
    bar.update(3000, {"discriminator": 0.24, "generator": 6.69, "encoder": 3.7234})
    bar.stop()
    out, err = capsys.readouterr()
    assert out == ""
    words = err.split()
    for text in ("EGBAD", "3000/3000", "left", "0:00:00", "discriminator=0.24", "encoder=3.72"):
        assert text in words


def test_verbose_shows_the_bar(table, capsys):
    quick(EGBAD, verbose=1, max_steps=30).fit(table)
    assert "30/30" in capsys.readouterr().err
    quick(EGBAD, max_steps=30).fit(table)
    assert "30/30" not in capsys.readouterr().err


def test_a_second_ctrl_c_interrupts_at_once(tmp_path, monkeypatch):
    path = tmp_path / "fit.ckpt"
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        interrupt_at(3, patch, times=2)
        trainer, run = train(
            {"a": scalar(1.0)}, constant_loss(1.0), 9, checkpoint=training.Checkpoint(path, "run")
        )
        with pytest.raises(KeyboardInterrupt):
            run()
    assert trainer.step == 3
    assert torch.load(path)["state"]["step"] == 0  # after the first alone it would be 3
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_without_a_checkpoint_ends_the_run_after_the_step(monkeypatch):
    interrupt_at(3, monkeypatch)
    trainer, run = train({"a": scalar(1.0)}, constant_loss(1.0), 9)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert trainer.step == 3


def test_a_fit_outside_the_main_thread(table, tmp_path):
    detectors = []

    def fit():
        detectors.append(quick(EGBAD, checkpoint=tmp_path / "fit.ckpt").fit(table))

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    np.testing.assert_array_equal(
        detectors[0].anomaly_score(table), quick(EGBAD).fit(table).anomaly_score(table)
    )


# ---------------------------------------------------------------------------- device, precision


@pytest.mark.parametrize("cls", [EGBAD, VAE])
def test_mixed_precision_trains_on_the_cpu(cls, table, images):
    for X in (table, images):
        mixed = quick(cls, precision="bf16-mixed").fit(X)
        scores = mixed.anomaly_score(X)
        assert np.isfinite(scores).all()
        assert not np.array_equal(scores, quick(cls).fit(X).anomaly_score(X))
        dtypes = {p.dtype for net in mixed.networks_.values() for p in net.parameters()}
        assert dtypes == {torch.float32}


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused(table):
    with pytest.raises(ValueError, match=r'device="cuda".*no CUDA device'):
        quick(EGBAD, device="cuda").fit(table)


def test_the_memory_budget_is_that_of_a_machine():
    assert 2**20 < training.memory_budget(torch.device("cpu")) < 2**50
