"""Figures and the report.

Each figure is a function that takes arrays and returns a Matplotlib figure; `write_report` writes
one HTML file of what a detector says of some data.

Figures are shown in a notebook and saved by ``figure.savefig``; pyplot is not used, and no global
state is read or changed.

>>> import numpy as np
>>> from oddgan import reports
>>> rng = np.random.default_rng(0)
>>> figure = reports.score_distributions(rng.normal(size=500), rng.normal(3, size=20), 1.7)
>>> figure.axes[0].get_xlabel()
'anomaly score'
"""

from ._comparison import comparison
from ._contributions import contribution_bars
from ._curves import precision_recall_curves, roc_curves
from ._gallery import gallery, pick
from ._latent import latent_map
from ._scores import score_distributions
from ._style import Figure, Look
from ._time import scores_over_time
from ._training import training_curves
from .report import Origin, write_report

__all__ = [
    "Figure",
    "Look",
    "Origin",
    "comparison",
    "contribution_bars",
    "gallery",
    "latent_map",
    "pick",
    "precision_recall_curves",
    "roc_curves",
    "score_distributions",
    "scores_over_time",
    "training_curves",
    "write_report",
]
