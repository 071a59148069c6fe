"""Numbers and decisions in plain words."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from oddgan import decisions, health

#: Characters of a cell, at most.
_LONGEST = 60


def figure(value: float, digits: int = 4) -> str:
    """Write a number with so many significant digits; the script of the page does the same."""
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    text = f"{float(f'{value:.{digits - 1}e}'):.10f}"
    return text.rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """Write a share in percent; what is not all never becomes 100 %."""
    texts = (figure(100 * share, digits) for digits in range(3, 12))
    return f"{next((text for text in texts if text != '100'), '100')} %"


def amount(value: float) -> str:
    """Write a sum, with six significant digits and its thousands apart."""
    text = f"{float(f'{value:.5e}'):,.6f}"
    return text.rstrip("0").rstrip(".")


def count(n: int, noun: str = "", plural: str | None = None) -> str:
    """Write a count, and what is counted."""
    one_or_many = noun if n == 1 else plural or f"{noun}s"
    return f"{n:,} {one_or_many}" if noun else f"{n:,}"


def flagged(n_flagged: int, n: int) -> str:
    """Say how many samples are flagged."""
    if n_flagged == 0:
        return f"None of {count(n, 'sample')} is flagged as odd."
    verb = "is" if n_flagged == 1 else "are"
    share = percent(n_flagged / n)
    return f"{n_flagged:,} of {count(n, 'sample')} ({share}) {verb} flagged as odd."


def promise(target_fpr: float, n_held_out: int) -> str:
    """Say what the threshold promises, and by what."""
    by = f"by the scores of {count(n_held_out, 'normal sample')} that were held out of training"
    if n_held_out < decisions.smallest_sample(target_fpr):
        return (
            f"The threshold is the highest score of all held-out samples: of new normal samples "
            f"about 1 in {n_held_out + 1:,} is flagged, {by}. To promise "
            f"{percent(target_fpr)} takes {decisions.smallest_sample(target_fpr):,} of them."
        )
    return (
        f"The threshold promises that of new samples as normal as those it learned from at most "
        f"about {percent(target_fpr)} are flagged, {by}."
    )


def by_chance(promised: float, n: int, n_flagged: int) -> str:
    """Say how many would be flagged if there were no anomaly."""
    expected = promised * n
    about = f"Were all {n:,} of them normal, about {figure(round(expected, 1), 3)} would be flagged"
    return f"{about}; {'more' if n_flagged > expected else 'no more'} were."


def found(n_found: int, n_anomalous: int, n_flagged: int) -> str:
    """Say how many of the labelled anomalies are flagged, and what the flagged ones are."""
    text = f"Of {count(n_anomalous, 'labelled anomaly', 'labelled anomalies')} {n_found:,} "
    text += (
        f"{'is' if n_found == 1 else 'are'} among them (recall {percent(n_found / n_anomalous)})"
    )
    if n_flagged:
        text += f", and {percent(n_found / n_flagged)} of what is flagged is anomalous (precision)"
    return text + "."


def fit(checks: Sequence[health.HealthCheck]) -> str:
    """Say whether the fit is sound."""
    if not checks:
        return "Whether the fit is sound was not checked."
    failed = [check for check in checks if not check.passed]
    if not failed:
        return f"The fit is sound as far as {count(len(checks), 'check')} can tell."
    severe = [check for check in failed if check.severity == "severe"]
    names = listed(check.name for check in severe or failed)
    if severe:
        return f"The fit is not sound, and these scores should not be relied on: {names}."
    return f"The fit has a limit to know about: {names}."


def listed(words: Iterable[str]) -> str:
    """Join words by commas and a last "and"."""
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def cell(value: object) -> str:
    """Write what stands in a column: numbers short, long text cut, nothing as missing."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    if isinstance(value, float | np.floating):
        return figure(float(value))
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
