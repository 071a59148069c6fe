"""Figures and the report.

Each figure function takes arrays and returns a Matplotlib figure. `write_report` writes the results
of a detector on some data as one HTML file.

Notebooks display the figures, and ``figure.savefig`` saves them. The functions do not use pyplot,
and neither read nor change global state.

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
