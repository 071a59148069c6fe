"""Print the table of mnist.md from the JSON files that mnist.sh writes to this folder."""

import json
from pathlib import Path

NAMES = {
    "EGBAD sigma": "EGBAD",
    "VAE reconstruction_probability": "VAE",
    "mean_distance": "mean distance",
    "pca_reconstruction": "PCA-30",
    "isolation_forest": "Isolation Forest",
}
PUBLISHED = {1: 0.287, 4: 0.443, 5: 0.514, 7: 0.347, 9: 0.307}  # EGBAD's AUPRC, as EnGAN quotes it

by_digit = {d: json.loads(Path(f"eval-{d}.json").read_text())["results"] for d in range(10)}


def print_table(metric: str, *more: str) -> None:
    """Print one row per digit and the mean, for one metric of all methods."""
    header = ["anomaly", *NAMES.values(), *more]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for digit, results in by_digit.items():
        cells = [f"{results[name][0][metric]:.3f}"[-4:] for name in NAMES]
        if more:
            prevalence = results["EGBAD sigma"][0]["prevalence"]
            published = f"{PUBLISHED[digit]:.3f}"[1:] if digit in PUBLISHED else "–"
            cells += [f"{prevalence:.3f}"[1:], published]
        print(f"| {digit} | {' | '.join(cells)} |")
    means = [sum(r[name][0][metric] for r in by_digit.values()) / len(by_digit) for name in NAMES]
    print(f"| mean | {' | '.join(f'{mean:.3f}'[1:] for mean in means)} |{'  |' * len(more)}\n")


print("AUROC\n")
print_table("auroc")
print("AUPRC\n")
print_table("auprc", "prevalence", "EGBAD published")
print("| | EGBAD | VAE |\n|---|---|---|")
for label, key in (("seconds to train, mean", "seconds"),):
    times = [
        [json.loads(Path(f"{m}-{d}.fit.json").read_text())[key] for d in range(10)]
        for m in ("egbad", "vae")
    ]
    print(f"| {label} | {' | '.join(f'{sum(t) / len(t):.0f}' for t in times)} |")
rates = [[by_digit[d][name][0]["fpr"] for d in range(10)] for name in list(NAMES)[:2]]
cells = " | ".join(f"{sum(r) / 10:.3f} ({min(r):.3f} to {max(r):.3f})" for r in rates)
print(f"| normal test images flagged, .05 requested | {cells} |")
