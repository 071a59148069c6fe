"""All tables of an experiment as one HTML page."""

import pandas as pd

from oddgan import pages

from .remarks import opening, sections
from .report import Report
from .tables import tables


def html(report: Report, frame: pd.DataFrame) -> str:
    """Write all tables with their notes as one self-contained page.

    Parameters
    ----------
    report : Report
    frame : DataFrame
        A table from `results.tidy`.
    """
    return pages.render(
        "oddgan.bench",
        "page.html.j2",
        title=report.title,
        opening=opening(report),
        grids=tables(report, frame),
        sections=sections(report, frame),
    )
