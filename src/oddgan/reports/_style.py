"""The style of all figures: colours, sizes and number formats, in light and dark."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TypedDict, get_args

import numpy as np
from matplotlib import figure as matplotlib_figure
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import is_color_like
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

ThemeName = Literal["light", "dark"]

_MM = 1 / 25.4
#: Font sizes in points, for main labels and for all other text. A figure of 90 mm printed at its
#: own size has no text below 6.5 points.
SIZE, SMALL = 7.5, 6.5
#: Height in millimetres of a line of small print, and of a line of a legend.
_LINE, _ENTRY = 2.95, 3.9
#: Width in millimetres of a letter of small print, and of a legend marker with its margin.
_LETTER, _HANDLE = 1.28, 12.0
DPI = 200


class Look(TypedDict, total=False):
    """The look of a figure.

    Attributes
    ----------
    theme : {"light", "dark"}, default="light"
        Dark text on a light background, or the reverse.
    background : str or None, default=None
        Any Matplotlib colour; "none" is transparent, None is the background of the theme.
    width : float
        In millimetres, 60 to 400. The height depends on the content.
    """

    theme: ThemeName
    background: str | None
    width: float


@dataclass(frozen=True)
class Theme:
    """The colours of a theme: contrast at least 3:1 on its background, and 4.5:1 for text.

    Attributes
    ----------
    background, text, muted, grid : str
        Colours of the background, the text, axes and chance lines, and grid lines.
    colours : tuple of str
        Colours of lines and groups, in this order, distinguishable with colour blindness.
    normal, anomalous, alarm : str
        Colours of normal samples, of anomalous or flagged samples, and of warnings.
    """

    background: str
    text: str
    muted: str
    grid: str
    colours: tuple[str, ...]
    normal: str
    anomalous: str
    alarm: str


# Hues after Okabe and Ito, Color Universal Design, 2008, darker or lighter for the background.
THEMES = {
    "light": Theme(
        background="#ffffff",
        text="#1b1f24",
        muted="#5c6570",
        grid="#e3e6ea",
        colours=("#0072b2", "#d55e00", "#00785a", "#b0569a", "#6b5300", "#2f9bd6"),
        normal="#0072b2",
        anomalous="#d55e00",
        alarm="#b3261e",
    ),
    "dark": Theme(
        background="#16181d",
        text="#eceff3",
        muted="#a3acb8",
        grid="#31363f",
        colours=("#56b4e9", "#f0943c", "#2fc49b", "#e59ac6", "#f0e442", "#8c9eff"),
        normal="#56b4e9",
        anomalous="#f0943c",
        alarm="#ff8a80",
    ),
}
#: Line styles and markers vary along with the colours, for readers who see no colour.
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")


class Figure(matplotlib_figure.Figure):
    """A Matplotlib figure that notebooks display without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


@dataclass(frozen=True)
class Style:
    """The style of one figure.

    Attributes
    ----------
    theme : Theme
    background : str
        A Matplotlib colour.
    width : float
        In millimetres.
    """

    theme: Theme
    background: str
    width: float

    @classmethod
    def of(cls, look: Look, width: float = 90) -> Self:
        """Return the style for these options; `width` is the default width.

        Raises
        ------
        ValueError
            The theme or the colour is unknown, or the width is out of range.
        """
        name = look.get("theme", "light")
        if name not in get_args(ThemeName):
            raise ValueError(f"theme must be 'light' or 'dark', not {name!r}")
        theme = THEMES[name]
        background = look.get("background")
        if background is None:
            background = theme.background
        if not is_color_like(background):
            raise ValueError(f"background {background!r} is not a colour that Matplotlib knows")
        width = look.get("width", width)
        if not 60 <= width <= 400:
            raise ValueError(f"width is 60 to 400 millimetres, not {width!r}")
        return cls(theme, background, width)

    def figure(self, height: float) -> Figure:
        """Return an empty figure of this height in millimetres."""
        size = (self.width * _MM, height * _MM)
        empty = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor=self.background)
        empty.get_layout_engine().set(w_pad=0.05, h_pad=0.05)  # type: ignore[union-attr, call-arg]
        return empty

    def dress(self, ax: Axes, *, grid: Literal["x", "y", "both"] | None = None) -> None:
        """Apply the colours and sizes of the theme to axes whose labels are already set."""
        ax.set_facecolor("none")
        for side, spine in ax.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set(color=self.theme.muted, linewidth=0.6)
        ax.tick_params(
            which="both", colors=self.theme.muted, labelsize=SMALL, width=0.6, length=2.5
        )
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set(color=self.theme.text, fontsize=SIZE)
            axis.get_offset_text().set(color=self.theme.muted, fontsize=SMALL)
        ax.title.set(color=self.theme.text, fontsize=SIZE)
        if grid:
            ax.grid(visible=True, axis=grid, color=self.theme.grid, linewidth=0.6)
            ax.set_axisbelow(True)

    def legend(
        self,
        parent: Axes | matplotlib_figure.Figure,
        entries: Sequence[tuple[Artist, str]],
        **options: Any,
    ) -> None:
        """Add a legend whose labels may contain any characters."""
        # Matplotlib omits labels that begin with an underscore, so the texts are set afterwards.
        handles = [handle for handle, _ in entries]
        legend = parent.legend(
            handles,
            ["." for _ in handles],
            frameon=False,
            fontsize=SMALL,
            labelcolor=self.theme.text,
            borderaxespad=0.2,
            handlelength=2.2,
            alignment="left",
            **options,
        )
        for text, (_, label) in zip(legend.get_texts(), entries, strict=True):
            text.set(text=label, parse_math=False)

    def below(
        self,
        figure: matplotlib_figure.Figure,
        entries: Sequence[tuple[Artist, str]] = (),
        note: str = "",
        *,
        alarm: bool = False,
    ) -> None:
        """Add a legend and a note below all axes, where they hide no curve.

        The height of the figure grows as needed.
        """
        lines = self.wrapped(note, self.width) if note else []
        height = figure.get_figheight() / _MM
        for_note = _LINE * len(lines) + 1.5 * bool(lines)
        longest = max((len(label) for _, label in entries), default=0)
        n_columns = int(
            np.clip(self.width / (_HANDLE + _LETTER * longest), 1, max(1, len(entries)))
        )
        n_rows = -(-len(entries) // n_columns)
        n_columns = -(-len(entries) // max(1, n_rows))
        reserved = for_note + _ENTRY * n_rows + bool(entries)
        height += reserved
        figure.set_figheight(height * _MM)
        share = reserved / height
        figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr, call-arg]
        if entries:
            corner = (0, for_note / height)
            self.legend(figure, entries, loc="lower left", bbox_to_anchor=corner, ncols=n_columns)
        if lines:
            colour = self.theme.alarm if alarm else self.theme.muted
            self.write(figure, (1.5, for_note - 0.5), "\n".join(lines), va="top", color=colour)

    def write(
        self, figure: matplotlib_figure.Figure, at: tuple[float, float], text: str, **options: Any
    ) -> None:
        """Write text at a position in millimetres from the lower left corner."""
        width, height = figure.get_size_inches() / _MM
        options = {"color": self.theme.text, "size": SMALL, "linespacing": 1.25, **options}
        figure.text(at[0] / width, at[1] / height, text, parse_math=False, **options)

    def title(self, ax: Axes, text: str, **options: Any) -> Text:
        """Write a title above axes, aligned left."""
        label = ax.set_title(text, loc="left", fontsize=SIZE, color=self.theme.text, **options)
        label.set_parse_math(False)
        return label

    def wrapped(self, text: str, width: float) -> list[str]:
        """Wrap `text` in small print to a width in millimetres."""
        length = max(10, int(width / _LETTER))
        return [
            line
            for paragraph in text.split("\n")
            for line in textwrap.wrap(paragraph, length, break_long_words=True) or [""]
        ]


def shortened(text: str, length: int) -> str:
    """Return `text` in one line of at most `length` characters, with its middle cut out."""
    text = " ".join(str(text).split())
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def number(value: Any) -> str:
    """Format a value: four significant digits and thousands separators; text is unchanged."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        return str(value)
    size = abs(float(value))
    if not np.isfinite(size):
        return "missing" if np.isnan(size) else f"{value}"
    if size >= 1e7 or 0 < size < 1e-3:
        return f"{value:.3g}"
    if size >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{float(f'{value:.4g}'):g}"


def ratio(value: float) -> str:
    """Format a metric between 0 and 1 with three decimals."""
    return f"{value:.3f}".replace("0.", ".", 1)


def percent(share: float) -> str:
    """Format a share in percent, with as many digits as it needs."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    return f"{value:.2g} %" if value < 1 else f"{value:.1f} %"


def percent_formatter() -> FuncFormatter:
    """Return a formatter of ticks that shows shares in percent."""
    return FuncFormatter(lambda share, _: f"{round(100 * share, 6):g} %")
