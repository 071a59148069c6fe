"""Published numbers with source and provenance, and arithmetic checks of their plausibility."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import yaml

#: How well a number is known; ``published.yaml`` says what each word means.
PROVENANCES = ("read", "quoted", "recalled", "impossible")

_RATE = ("precision_at_rate", "recall_at_rate", "f1_at_rate")


@dataclass(frozen=True)
class Published:
    """What one paper printed for one method on one data set.

    Attributes
    ----------
    paper : str
        Its key in `papers`.
    table : str
        Which table of the paper.
    data : str
        A data set's name; ours if we have it.
    protocol : str or None
        The name of our protocol that matches the paper's; None if we have none.
    cls : int or str or None
        The anomalous class (``one-class-anomalous``) or the normal one (``one-class-normal``);
        None for a mean over classes, and for protocols without classes.
    method : str
        The paper's name of the method.
    metrics, sd : mapping of str to float
        Values, and standard deviations over runs where printed, by key of `METRICS`.
    provenance : {"read", "quoted", "recalled", "impossible"}
    via : str
        The secondary source, if any.
    confidence : {"high", "medium", "low"} or None
        How sure we are of a recalled number.
    note : str
    prevalence : float or None
        Share of anomalies among the test samples, if known.
    over : int or None
        How many classes a mean is over.
    decimals : int
        Decimals as printed.
    baseline : str or None
        The key in `BASELINES` of our implementation of the same method.
    params : mapping of str to object
        Parameters of the paper's protocol, as far as they are known.
    own : bool
        Whether faults of the paper's code can affect the number. False for numbers that were
        copied, and for issues, reproductions and third parties' runs.
    """

    paper: str
    table: str
    data: str
    protocol: str | None
    cls: int | str | None
    method: str
    metrics: Mapping[str, float]
    provenance: str
    sd: Mapping[str, float] = field(default_factory=dict)
    via: str = ""
    confidence: str | None = None
    note: str = ""
    prevalence: float | None = None
    over: int | None = None
    decimals: int = 3
    baseline: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    own: bool = True

    @property
    def cite(self) -> str:
        """Authors, title, venue and year."""
        cite: str = papers()[self.paper]["cite"]
        return cite

    @property
    def source_note(self) -> str:
        """Note on the source as a whole; may be empty."""
        note: str = papers()[self.paper].get("note", "")
        return note


def published(
    papers: Sequence[str] | None = None,
    data: str | None = None,
    protocol: str | None = None,
    cls: int | str | None = None,
    metric: str | None = None,
) -> list[Published]:
    """Return the published numbers that match all arguments, in the order of the file.

    Parameters
    ----------
    papers : sequence of str, optional
        Keys of the papers.
    data, protocol : str, optional
    cls : int or str, optional
        A class, as a number or as text; means over classes have none.
    metric : str, optional
        Only records with a value for this metric.

    Raises
    ------
    ValueError
        If a paper is unknown.

    Examples
    --------
    >>> from oddgan.evaluation.published import published
    >>> (record,) = published(["deep-svdd-2018"], data="mnist", cls=3)
    >>> record.method, record.metrics["auroc"], record.provenance
    ('AnoGAN', 0.887, 'quoted')
    """
    for paper in papers or ():
        if paper not in _content()["papers"]:
            choices = ", ".join(_content()["papers"])
            raise ValueError(f"no published paper is called {paper!r}; there are {choices}")
    return [
        record
        for record in _records()
        if (papers is None or record.paper in papers)
        and data in (None, record.data)
        and protocol in (None, record.protocol)
        and (cls is None or str(cls) == str(record.cls))
        and (metric is None or metric in record.metrics)
    ]


def papers() -> dict[str, dict[str, Any]]:
    """Return all sources by key.

    Each has ``cite`` (authors, title, venue, year), optionally ``note`` and ``own`` (see
    `Published`).
    """
    return {key: dict(value) for key, value in _content()["papers"].items()}


def f1_is_possible(record: Published) -> bool:
    """Return whether the F1 is consistent with the precision and the recall.

    In each run, F1 is the harmonic mean of both. The harmonic mean is concave, so the average F1
    over several runs is at most the harmonic mean of the averages, and can be lower.
    """
    if not set(_RATE) <= record.metrics.keys():
        return True
    precision, recall, f1 = (record.metrics[key] for key in _RATE)
    rounding = _rounding(record)
    highest = 2 / (1 / (precision + rounding) + 1 / (recall + rounding))
    return f1 - rounding <= highest


def follows_fixed_rate(record: Published) -> bool:
    """Return whether precision and recall can come from flagging the protocol's share of rows.

    Precision is hits / flagged and recall is hits / anomalies, so recall / precision is the flagged
    share over the share of anomalies, whatever the method. The share of anomalies varies between
    random halves of the rows; three standard deviations are allowed. True if nothing is known.
    """
    rates: dict[str, float] | None = _content()["fixed_rates"].get(record.data)
    if rates is None or record.protocol is None or not set(_RATE) <= record.metrics.keys():
        return True
    share, rounding = rates["prevalence"], _rounding(record)
    precision, recall = record.metrics[_RATE[0]], record.metrics[_RATE[1]]
    # n / 2 of n rows are drawn without replacement.
    spread = 3 * math.sqrt(share * (1 - share) / rates["n"])
    least, most = (rates["flag_rate"] / (share + sign * spread) for sign in (1, -1))
    lowest = (recall - rounding) / (precision + rounding)
    highest = (recall + rounding) / (precision - rounding)
    return lowest <= most and highest >= least


def lowest_auprc(prevalence: float) -> float:
    r"""Return the area under the precision-recall curve when all anomalies score lowest.

    .. math::
        1 + \frac{(1 - \pi) \ln(1 - \pi)}{\pi}

    for a prevalence :math:`\pi` and many samples: the precision at recall r is then
    :math:`\pi r / (1 - \pi + \pi r)`, and no order of the scores gives less.

    Parameters
    ----------
    prevalence : float in (0, 1)

    References
    ----------
    K. Boyd, V. Santos Costa, J. Davis, C. D. Page. Unachievable region in precision-recall space
    and its effect on empirical evaluation. ICML 2012, arXiv 1206.4667.
    """
    return 1 + (1 - prevalence) * math.log(1 - prevalence) / prevalence


def auprc_is_possible(record: Published) -> bool:
    """Return whether the AUPRC is at least `lowest_auprc` at the protocol's prevalence."""
    if record.prevalence is None or "auprc" not in record.metrics:
        return True
    return record.metrics["auprc"] + _rounding(record) >= lowest_auprc(record.prevalence)


def mean_is_possible(record: Published) -> bool:
    """Return whether a mean over classes matches the values of its classes, if all are known."""
    if record.over is None:
        return True
    for metric, mean in record.metrics.items():
        classes = [
            other
            for other in published([record.paper], record.data, record.protocol, metric=metric)
            if other.cls is not None
            and (other.table, other.method) == (record.table, record.method)
        ]
        if len(classes) != record.over:
            continue
        rounding = _rounding(record) + max(map(_rounding, classes))
        if abs(sum(other.metrics[metric] for other in classes) / record.over - mean) > rounding:
            return False
    return True


def _rounding(record: Published) -> float:
    # Slightly more than half a unit in the last decimal: binary fractions are not exact decimals.
    return 0.5 * 10.0**-record.decimals + 1e-9


@cache
def _content() -> dict[str, Any]:
    path = resources.files("oddgan.evaluation") / "published.yaml"
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


@cache
def _records() -> tuple[Published, ...]:
    baselines = _content()["same_as"]
    return tuple(
        record
        for group in _content()["records"]
        for row in group["rows"]
        for record in _expanded(
            {
                "own": papers()[group["paper"]].get("own", True),
                **group,
                **row,
                "baseline": baselines.get(row["method"]),
            }
        )
    )


def _expanded(row: dict[str, Any]) -> list[Published]:
    """Return the records of one row, which already holds the fields of its group."""
    values, deviations = row.pop("values", []), row.pop("sd", [])
    keys, metric = row.pop("metrics", []), row.pop("metric", None)
    classes, prevalence = row.pop("classes", []), row.pop("prevalence", {})
    mean, over = row.pop("mean", None), row.pop("over", None)
    del row["rows"]
    if metric is None:
        sd = dict(zip(keys, deviations, strict=True)) if deviations else {}
        return [Published(cls=None, metrics=dict(zip(keys, values, strict=True)), sd=sd, **row)]
    records = [
        Published(
            cls=cls,
            metrics={metric: value},
            sd={metric: deviations[i]} if deviations else {},
            prevalence=prevalence.get(cls),
            **row,
        )
        for i, (cls, value) in enumerate(zip(classes, values, strict=bool(values)))
    ]
    if mean is not None:
        over = len(classes) if over is None else over
        records.append(Published(cls=None, metrics={metric: mean}, over=over, **row))
    return records
