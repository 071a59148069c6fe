"""All tables of an experiment as one HTML page."""

import pandas as pd

from oddgan import pages

from .remarks import opening, sections
from .report import Report
from .tables import tables


def html(report: Report, frame: pd.DataFrame) -> str:
    """Write all tables and what belongs to them as one page that loads nothing from anywhere.

    Parameters
    ----------
    report : Report
    frame : DataFrame
        As `results.tidy` gives it.
    """
    return pages.render(
        "oddgan.bench",
        "page.html.j2",
        title=report.title,
        opening=opening(report),
        grids=tables(report, frame),
        sections=sections(report, frame),
    )
