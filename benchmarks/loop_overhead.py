"""The overhead of OddGAN's training loop over a hand-written PyTorch loop of the same EGBAD.

Both train the same networks with the same losses, optimisers and moving average on random data
of the shape of KDD99 (121 columns, batch 50) and MNIST (28 x 28, batch 100), in alternation within
one run. The script prints the median ratio of their times over the turns; below 1 OddGAN is faster.

    python benchmarks/loop_overhead.py [--threads 1] [--turns 7]
"""

import argparse
import copy
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from oddgan import EGBAD, training
from oddgan.estimator.hooks import NetworkSpec
from oddgan.networks import initialise

CASES = {"KDD99": ((121,), 50, 32, 300), "MNIST": ((1, 28, 28), 100, 200, 12)}


def networks(detector: EGBAD, shape: tuple[int, ...], latent: int) -> dict[str, nn.Module]:
    spec = NetworkSpec("image" if len(shape) == 3 else "table", shape, [], latent, None)
    with torch.device("meta"):
        nets = detector._networks(spec)
    for net in nets.values():
        initialise(net, "xavier", torch.Generator().manual_seed(0))
    return nets


def by_hand(nets: dict[str, nn.Module], data, batch: int, latent: int, n: int) -> None:
    """Train like a hand-written script: plain modules, Adam, a moving average."""
    G, E, D = nets["generator"], nets["encoder"], nets["discriminator"]
    optimizers = [torch.optim.Adam(m.parameters(), 2e-4, betas=(0.5, 0.999)) for m in (G, E, D)]
    opt_g, opt_e, opt_d = optimizers
    averages = {name: copy.deepcopy(net) for name, net in nets.items()}
    bce = F.binary_cross_entropy_with_logits
    for i in range(n):
        if i % (len(data) // batch) == 0:
            order = torch.randperm(len(data))
        k = i % (len(data) // batch)
        x = data[order[k * batch : (k + 1) * batch]]
        z = torch.randn(batch, latent)
        real, fake = torch.ones(batch), torch.zeros(batch)
        Ex, Gz = E(x), G(z)
        opt_d.zero_grad()
        loss_d = bce(D(x, Ex.detach())[0], real) + bce(D(Gz.detach(), z)[0], fake)
        loss_d.backward()
        opt_d.step()
        for p in D.parameters():
            p.requires_grad_(False)
        opt_g.zero_grad()
        loss_g = bce(D(Gz, z)[0], real)
        loss_g.backward()
        opt_g.step()
        opt_e.zero_grad()
        loss_e = bce(D(x, Ex)[0], fake)
        loss_e.backward()
        opt_e.step()
        for p in D.parameters():
            p.requires_grad_(True)
        with torch.no_grad():
            for name, net in nets.items():
                for a, p in zip(averages[name].parameters(), net.parameters(), strict=True):
                    a.lerp_(p, 0.001)
                for a, p in zip(averages[name].buffers(), net.buffers(), strict=True):
                    a.copy_(p)


def by_oddgan(detector: EGBAD, nets, data, batch: int, latent: int, n: int) -> None:
    trainer = training.Trainer(
        nets,
        {r: detector._optimizer(r, list(net.parameters()), "image") for r, net in nets.items()},
        [detector._losses],
        training.DeviceRows(data, batch, seed=0),
        training.Settings(n_steps=n, latent_dim=latent, ema_decay=0.999),
        fabric=training.make_fabric("cpu", "32-true"),
        generator=torch.Generator(),
        progress=training.Silent(),
        checkpoint=None,
        title="EGBAD",
    )
    trainer.run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print("| data | batch | steps per turn | oddgan / hand-written (median) | min | max |")
    print("|---|---|---|---|---|---|")
    for name, (shape, batch, latent, n) in CASES.items():
        data = torch.randn(20 * batch, *shape)
        detector = EGBAD()
        ratios = []
        for turn in range(args.turns + 1):
            nets = networks(detector, shape, latent)
            start = time.perf_counter()
            by_hand(nets, data, batch, latent, n)
            after_hand = time.perf_counter()
            nets = networks(detector, shape, latent)
            before_oddgan = time.perf_counter()
            by_oddgan(detector, nets, data, batch, latent, n)
            if turn:  # the first turn warms up
                ratios.append((time.perf_counter() - before_oddgan) / (after_hand - start))
        print(
            f"| {name} | {batch} | {n} | {np.median(ratios):.2f} "
            f"| {min(ratios):.2f} | {max(ratios):.2f} |"
        )


if __name__ == "__main__":
    main()
