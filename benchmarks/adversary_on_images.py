"""What an adversary adds to OddGAN's recipe for images, by its weight.

    OMP_NUM_THREADS=1 python benchmarks/adversary_on_images.py --out adversary.json

One class of the data set is normal, the others are anomalies; of the normal images 70 % train, at
most `--train`. The recipe is that of OddGAN, with its own networks and with those of
AdversarialAutoencoder, whose reconstructions must pass for real images with the discriminator. Its
weight 0 is the control: the same networks and batches without the adversary. No label selects
anything.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from oddgan import AdversarialAutoencoder, OddGAN, datasets

WEIGHTS = (0.0, 0.001, 0.01, 0.1, 0.5)


def main() -> None:
    """Measure all classes and print the means over classes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    recipe = OddGAN.recipe("image").get_params()
    shared = {
        name: recipe[name] for name in AdversarialAutoencoder().get_params() if name in recipe
    }
    methods = {"own networks": OddGAN.recipe("image", health=False)}
    for weight in WEIGHTS:
        params = {**shared, "w_adv": weight, "health": False}
        methods[f"adversary {weight:g}"] = AdversarialAutoencoder(**params)
    data = datasets.load(args.data)
    aurocs: dict[str, list[list[float]]] = {name: [] for name in methods}
    for seed in range(args.seeds):
        by_class: dict[str, list[float]] = {name: [] for name in methods}
        for label in np.unique(data.y):
            rng = np.random.default_rng(seed)
            normal = rng.permutation(np.flatnonzero(data.y == label))
            train = normal[: int(0.7 * len(normal))][: args.train]
            others = np.setdiff1d(np.arange(len(data.y)), normal[: int(0.7 * len(normal))])
            test = rng.permutation(others)[: args.test]
            for name, detector in methods.items():
                scores = (
                    detector.set_params(random_state=seed)
                    .fit(data.X[train])
                    .anomaly_score(data.X[test])
                )
                by_class[name].append(float(roc_auc_score(data.y[test] != label, scores)))
        for name, values in by_class.items():
            aurocs[name].append(values)
        args.out.write_text(json.dumps(aurocs), encoding="utf-8")
        print(f"{seed + 1} of {args.seeds} seeds", flush=True)
    control = np.array(aurocs["adversary 0"])
    for name, values in aurocs.items():
        scores = np.array(values)
        difference = scores - control
        by_seed = difference.mean(axis=1)
        print(
            f"{name}: mean AUROC {scores.mean():.4f}, against weight 0 {by_seed.mean():+.4f} "
            f"(seeds {', '.join(f'{value:+.4f}' for value in by_seed)}), "
            f"better in {(difference > 0).sum()} of {difference.size}"
        )


if __name__ == "__main__":
    main()
