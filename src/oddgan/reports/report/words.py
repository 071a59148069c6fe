"""Numbers and sentences of a report."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from oddgan import decisions, health

#: Largest number of characters in a cell.
_MAX_CELL = 60


def figure(value: float, digits: int = 4) -> str:
    """Format a number with `digits` significant digits, as the script of the page does."""
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    text = f"{float(f'{value:.{digits - 1}e}'):.10f}"
    return text.rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """Format a share in percent; a share below 1 is never rounded to 100 %."""
    texts = (figure(100 * share, digits) for digits in range(3, 12))
    return f"{next((text for text in texts if text != '100'), '100')} %"


def amount(value: float) -> str:
    """Format an amount with six significant digits and thousands separators."""
    text = f"{float(f'{value:.5e}'):,.6f}"
    return text.rstrip("0").rstrip(".")


def count(n: int, noun: str = "", plural: str | None = None) -> str:
    """Format a count, with a noun in singular or plural."""
    noun_form = noun if n == 1 else plural or f"{noun}s"
    return f"{n:,} {noun_form}" if noun else f"{n:,}"


def flagged_count(n_flagged: int, n: int) -> str:
    """Return the sentence on how many samples are flagged."""
    if n_flagged == 0:
        return f"None of {count(n, 'sample')} is flagged as anomalous."
    verb = "is" if n_flagged == 1 else "are"
    share = percent(n_flagged / n)
    return f"{n_flagged:,} of {count(n, 'sample')} ({share}) {verb} flagged as anomalous."


def promise(target_fpr: float, n_held_out: int) -> str:
    """Return the sentence on the promise of the threshold and its basis."""
    if n_held_out < decisions.smallest_sample(target_fpr):
        return (
            f"No sample is flagged: a promise of {percent(target_fpr)} takes "
            f"{decisions.smallest_sample(target_fpr):,} held-out samples, and there "
            f"{'is' if n_held_out == 1 else 'are'} {n_held_out:,}."
        )
    return (
        f"The threshold promises to flag at most about {percent(target_fpr)} of new normal "
        f"samples, based on {count(n_held_out, 'held-out normal sample')}."
    )


def expected_by_chance(promised: float, n: int, n_flagged: int) -> str:
    """Return the sentence on how many samples would be flagged without any anomaly."""
    expected = promised * n
    comparison = "more" if n_flagged > expected else "not more"
    return (
        f"If all {n:,} were normal, about {figure(round(expected, 1), 3)} would be flagged; "
        f"{comparison} are."
    )


def detected_anomalies(n_detected: int, n_anomalous: int, n_flagged: int) -> str:
    """Return the sentence on recall and precision."""
    anomalies = count(n_anomalous, "labelled anomaly", "labelled anomalies")
    verb = "is" if n_detected == 1 else "are"
    recall = percent(n_detected / n_anomalous)
    text = f"{n_detected:,} of {anomalies} {verb} among them (recall {recall})"
    if n_flagged:
        precision = percent(n_detected / n_flagged)
        text += f", and {precision} of the flagged samples are anomalous (precision)"
    return text + "."


def fit_verdict(checks: Sequence[health.HealthCheck]) -> str:
    """Return the sentence on whether the fit is sound."""
    if not checks:
        return "The health of the fit was not checked."
    failed = [check for check in checks if not check.passed]
    if not failed:
        return f"The fit passed its {count(len(checks), 'health check')}."
    severe = [check for check in failed if check.severity == "severe"]
    names = join_with_and(check.name for check in severe or failed)
    if severe:
        return f"The fit is not sound; do not rely on these scores: {names}."
    return f"The fit has a limitation: {names}."


def join_with_and(words: Iterable[str]) -> str:
    """Join words with commas and a final "and"."""
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def cell(value: object) -> str:
    """Format a value of a table: short numbers, truncated text, and "missing" for no value."""
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    if isinstance(value, float | np.floating):
        return figure(float(value))
    text = str(value)
    return text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 1]}…"
