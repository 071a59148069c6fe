"""Latent search: each row descends as if it were alone, and nothing but it is moved."""

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from oddgan import AnoGAN, networks
from oddgan.cli import app
from oddgan.estimator.latent_search import search_latents, without_gradients
from oddgan.networks import condition_on, current_condition
from oddgan.scores import Descent, latent_search
from oddgan.scores.search import _Chunk, rate_at, rows_per_chunk
from support.data import quick

SHAPES = {"table": (5,), "image": (1, 8, 10)}


@pytest.fixture(params=["table", "image"])
def problem(request):
    """Return an objective on random bodies, its targets and starts, all for 70 rows."""
    shape, seeded = SHAPES[request.param], torch.Generator().manual_seed(0)
    with torch.device("meta"):
        G = networks.generator(shape, 3, width=8, family="dcgan")
    networks.initialise(G, "xavier", seeded)
    G.eval().requires_grad_(False)
    with torch.no_grad():
        x = G(2 * torch.randn(70, 3, generator=seeded))
    x = x + 0.01 * torch.randn(70, *shape, generator=seeded)
    z = torch.randn(70, 3, generator=seeded)

    def objective_of(x):
        return lambda v, rows: (x[rows] - G(v[0])).abs().flatten(1).sum(1)

    return objective_of, x, z


def linear(n=40):
    """Return W and targets x of n rows for G(z) = W z."""
    seeded = torch.Generator().manual_seed(0)
    return torch.randn(6, 3, generator=seeded), torch.randn(n, 6, generator=seeded)


def test_a_linear_generator_gives_the_least_squares_solution():
    W, x = linear()
    found = latent_search(
        lambda v, rows: (x[rows] - v[0] @ W.T).square().sum(1),
        (torch.zeros(40, 3),),
        Descent(400, (0.05,)),
    )
    solution, *_ = np.linalg.lstsq(W.numpy(), x.numpy().T)
    np.testing.assert_allclose(found.variables[0], solution.T, atol=1e-5)
    residual = x.numpy() - solution.T @ W.numpy().T
    np.testing.assert_allclose(found.loss, (residual**2).sum(1), rtol=1e-4)
    assert (found.n_steps == 400).all()


def test_every_row_goes_the_way_of_its_own_optimiser(problem):
    objective_of, x, z = problem
    rates = ((0, 0.05), (12, 0.005), (18, 0.001))
    found = latent_search(objective_of(x), (z,), Descent(25, (rates,)))
    for row in (0, 33, 69):
        alone = z[row : row + 1].clone().requires_grad_()
        optimizer = torch.optim.Adam([alone])
        for step in range(25):
            optimizer.param_groups[0]["lr"] = 0.05 if step < 12 else 0.005 if step < 18 else 0.001
            optimizer.zero_grad()
            objective_of(x[row : row + 1])((alone,), torch.tensor([0])).sum().backward()
            optimizer.step()
        np.testing.assert_allclose(found.variables[0][row], alone.detach()[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("tolerance", [0.0, 0.02])
@pytest.mark.parametrize("memory", [None, 1])
def test_a_result_does_not_depend_on_the_company(problem, tolerance, memory):
    """Bit for bit, however long the way: a last digit would be blown up by the steps."""
    objective_of, x, z = problem
    descent = Descent(100, (0.1,), tolerance=tolerance, patience=10, memory=memory)
    together = latent_search(objective_of(x), (z,), descent)
    order = torch.from_numpy(np.random.default_rng(0).permutation(70))
    shuffled = latent_search(objective_of(x[order]), (z[order],), descent)
    assert torch.equal(shuffled.variables[0], together.variables[0][order])
    for rows in (slice(3, 4), slice(60, 70), slice(0, 40)):
        part = latent_search(objective_of(x[rows]), (z[rows],), descent)
        assert torch.equal(part.variables[0], together.variables[0][rows])
        assert torch.equal(part.loss, together.loss[rows])
        assert torch.equal(part.n_steps, together.n_steps[rows])
    if tolerance:
        assert len(together.n_steps.unique()) > 1  # rows did leave, at different times


def test_a_row_leaves_when_its_loss_falls_no_more():
    """Rows that start at the solution leave at once, the others stay; who leaves keeps his z."""
    W, x = linear(64)
    solution = torch.from_numpy(np.linalg.lstsq(W.numpy(), x.numpy().T)[0].T.copy())
    far = torch.arange(64) % 3 == 0
    start = torch.where(far[:, None], solution + 30, solution)
    sizes = []

    def objective(v, rows):
        sizes.append(len(rows))
        return (x[rows] - v[0] @ W.T).square().sum(1)

    found = latent_search(objective, (start,), Descent(60, (0.1,), tolerance=0.01, patience=10))
    assert (found.n_steps[far] == 60).all()
    assert (found.n_steps[~far] == 20).all()
    # 64 rows for 20 steps; of the 22 that stay and 10 that fill up to 32 for 40 more.
    steps = sizes[2:-1]  # without the probe of memory, and the loss of the result
    assert steps == [64] * 20 + [32] * 40
    stopped = latent_search(objective, (start,), Descent(20, (0.1,)))
    assert torch.equal(found.variables[0][~far], stopped.variables[0][~far])


def test_memory_bounds_the_rows_of_a_chunk(monkeypatch):
    """What a row of this loss takes is known: two squares of 1000 numbers saved, z five times."""
    weight = torch.ones(1000)

    def objective(v, rows):
        return (v[0] * weight).square().sum(1)  # saves the product and, once for all, the weight

    start = (torch.ones(300, 1000),)
    row = 4000 + 5 * 4000
    assert rows_per_chunk(objective, start, Descent(1, (0.1,), memory=96 * row)) == 96
    assert rows_per_chunk(objective, start, Descent(1, (0.1,), memory=96 * row - 1)) == 64
    assert rows_per_chunk(objective, start, Descent(1, (0.1,), memory=1)) == 32
    assert rows_per_chunk(objective, start, Descent(1, (0.1,), memory=1, multiple=8)) == 8
    seen = []
    step = _Chunk._step
    monkeypatch.setattr(
        _Chunk, "_step", lambda self, *a: seen.append(len(self.positions)) or step(self, *a)
    )
    found = latent_search(objective, start, Descent(2, (0.1,), memory=96 * row))
    assert max(seen) == 96
    whole = latent_search(objective, start, Descent(2, (0.1,), memory=10**9))
    assert max(seen) == 320
    assert torch.equal(found.variables[0], whole.variables[0])


def test_several_variables_have_a_rate_each_and_keep_says_what_is_kept():
    x = torch.tensor([3.0, -4.0])
    found = latent_search(
        lambda v, rows: (x[rows] - v[0] - v[1][:, 0]).abs(),
        (torch.zeros(2), torch.zeros(2, 1).expand(2, 1)),
        Descent(3, (0.1, ((0, 0.5), (2, 0.0)))),
        keep=lambda v, rows: (v[0] + v[1][:, 0], rows),
    )
    # Adam's steps along a constant gradient have the length of the rate.
    np.testing.assert_allclose(found.variables[0], [0.3 + 1.0, -1.3], rtol=1e-5)
    assert found.variables[1].tolist() == [0, 1]
    np.testing.assert_allclose(found.loss, [1.7, 2.7], rtol=1e-5)


def test_rates_by_step():
    rate = ((0, 0.01), (200, 0.001), (300, 0.0005))
    assert [rate_at(rate, step) for step in (0, 199, 200, 299, 300, 499)] == [
        0.01, 0.01, 0.001, 0.001, 0.0005, 0.0005,
    ]  # fmt: skip
    assert rate_at(0.3, 400) == 0.3


def test_a_row_that_is_not_finite_hurts_no_other():
    W, x = linear(40)
    bad = x.clone()
    bad[7], bad[8] = torch.nan, torch.inf
    descent = Descent(60, (0.05,), tolerance=0.001, patience=10)
    z = torch.zeros(40, 3)
    good = latent_search(lambda v, r: (x[r] - v[0] @ W.T).square().sum(1), (z,), descent)
    mixed = latent_search(lambda v, r: (bad[r] - v[0] @ W.T).square().sum(1), (z,), descent)
    others = [i for i in range(40) if i not in (7, 8)]
    assert torch.equal(mixed.variables[0][others], good.variables[0][others])
    assert (mixed.n_steps[[7, 8]] == 10).all()


def test_progress_ends_at_all_steps_and_never_goes_back():
    W, x = linear(70)
    told = []
    latent_search(
        lambda v, rows: (x[rows] - v[0] @ W.T).square().sum(1),
        (torch.zeros(70, 3),),
        Descent(45, (0.05,), tolerance=0.05, patience=10, memory=1),
        on_progress=told.append,
    )
    assert told == sorted(told)
    assert told[-1] == 70 * 45
    assert len(told) > 6


# ----------------------------------------------------------------------------- in a detector


def test_networks_are_shared_and_not_changed():
    """PyOD's search moves the weights of G and D, and every later row's score with them."""
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    asked = []

    def objective(nets, z, x):
        asked.append(any(p.requires_grad for p in nets["net"].parameters()))
        return (x - nets["net"](z)).square().sum(1)

    with torch.inference_mode():
        x, z = torch.ones(5, 2), torch.zeros(5, 3)
        found = search_latents(
            {"net": net}, objective, z, (x,), Descent(10, (0.1,)), title="search"
        )
        assert not z.any()
    assert (found != 0).all()
    assert not any(asked)
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    copy = without_gradients({"net": net})["net"]
    assert all(
        a.data_ptr() == b.data_ptr()
        for a, b in zip(copy.parameters(), net.parameters(), strict=True)
    )


def test_rows_get_the_samples_and_the_context_they_belong_to():
    """With several starts, and when others have left."""
    x = torch.arange(40.0)[:, None]
    c = 10 * x

    def objective(nets, z, x):
        assert torch.equal(current_condition(), 10 * x)
        return (z - x).square().sum(1)

    starts = torch.stack([torch.zeros(40, 1), x + 1])
    with torch.inference_mode(), condition_on(c):
        found = search_latents(
            {}, objective, starts, (x,), Descent(900, (0.1,), tolerance=0.01), title="search"
        )
    assert found.shape == (2, 40, 1)
    np.testing.assert_allclose(found[1], x, atol=0.5)
    np.testing.assert_allclose(found[0], x, atol=0.5)


def test_bf16_leaves_weights_and_their_strides_as_they_are():
    net = nn.Conv2d(3, 3, 3, padding=1).eval()
    before, strides = net.weight.detach().clone(), net.weight.stride()
    seen = []

    def objective(nets, z, x):
        seen.append((nets["net"].weight.stride(), nets["net"](z).dtype))
        return (x - nets["net"](z)).square().flatten(1).sum(1).float()

    z = torch.zeros(2, 3 * 16)
    search_latents(
        {"net": net},
        lambda nets, z, x: objective(nets, z.view(-1, 3, 4, 4), x),
        z,
        (torch.ones(2, 3, 4, 4),),
        Descent(2, (0.1,)),
        title="search",
        precision="bf16-mixed",
    )
    assert seen[0] == ((27, 1, 9, 3), torch.bfloat16)
    assert net.weight.stride() == strides == (27, 9, 3, 1)
    assert torch.equal(net.weight, before)


def test_bf16_searches_as_well(table):
    detector = quick(AnoGAN).fit(table)
    scores = detector.anomaly_score(table)
    low = detector.set_params(search_precision="bf16-mixed").anomaly_score(table)
    assert not np.array_equal(low, scores)
    assert np.corrcoef(low, scores)[0, 1] > 0.95


def test_verbose_shows_a_bar_with_the_time_left(table, capsys):
    detector = quick(AnoGAN).fit(table)
    detector.anomaly_score(table[:5])
    assert capsys.readouterr().err == ""
    detector.set_params(verbose=1).anomaly_score(table[:5])
    shown = capsys.readouterr().err
    assert "AnoGAN: search" in shown
    assert "left" in shown


def test_the_command_line_shows_the_search_unless_told_not_to(table, tmp_path):
    model, data = tmp_path / "m.oddgan", tmp_path / "t.npy"
    quick(AnoGAN).fit(table).save(model)
    np.save(data, table[:5])
    for more, shown in (((), True), (("--quiet",), False), (("--json",), False)):
        found = CliRunner().invoke(app, ["score", str(model), str(data), *more])
        assert found.exit_code == 0, found.output
        assert ("AnoGAN: search" in found.stderr) == shown
