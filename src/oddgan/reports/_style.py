"""How all figures look: colours, sizes and words, in light and in dark."""

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
#: Sizes of print, in points: of what is read first, and of all else. A figure of 90 mm that is
#: printed at its size has 6.5 points at least.
SIZE, SMALL = 7.5, 6.5
#: Millimetres that a line of small print takes, and a line of a legend.
_LINE, _ENTRY = 2.95, 3.9
#: Millimetres of a letter of small print, and of a mark with the room around it.
_LETTER, _HANDLE = 1.28, 12.0
DPI = 200


class Look(TypedDict, total=False):
    """The look of a figure.

    Attributes
    ----------
    theme : {"light", "dark"}, default="light"
        For dark print on a light ground, or the reverse.
    background : str or None, default=None
        Any colour that Matplotlib knows; "none" is transparent, None is the theme's own.
    width : float
        In millimetres, 60 to 400. The height follows from what is drawn.
    """

    theme: ThemeName
    background: str | None
    width: float


@dataclass(frozen=True)
class Theme:
    """The colours of a theme; those that tell things apart have 3:1 on its ground, text 4.5:1.

    Attributes
    ----------
    ground, text, quiet, grid : str
        Of the ground, of what is read, of axes and lines of chance, and of what is barely seen.
    colours : tuple of str
        Of lines and groups, in this order; people with any colour blindness can tell them apart.
    normal, odd, alarm : str
        Of normal samples, of anomalous or flagged ones, and of signs that something is wrong.
    """

    ground: str
    text: str
    quiet: str
    grid: str
    colours: tuple[str, ...]
    normal: str
    odd: str
    alarm: str


# After Okabe and Ito, Color Universal Design, 2008: their hues, darker or lighter for the ground.
THEMES = {
    "light": Theme(
        ground="#ffffff",
        text="#1b1f24",
        quiet="#5c6570",
        grid="#e3e6ea",
        colours=("#0072b2", "#d55e00", "#00785a", "#b0569a", "#6b5300", "#2f9bd6"),
        normal="#0072b2",
        odd="#d55e00",
        alarm="#b3261e",
    ),
    "dark": Theme(
        ground="#16181d",
        text="#eceff3",
        quiet="#a3acb8",
        grid="#31363f",
        colours=("#56b4e9", "#f0943c", "#2fc49b", "#e59ac6", "#f0e442", "#8c9eff"),
        normal="#56b4e9",
        odd="#f0943c",
        alarm="#ff8a80",
    ),
}
#: Lines and marks change with the colours, for who sees no colour at all.
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKS = ("o", "^", "s", "D", "v", "P", "X", "<", ">")


class Figure(matplotlib_figure.Figure):
    """A Matplotlib figure that a notebook shows though pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        held = io.BytesIO()
        self.savefig(held, format="png")
        return held.getvalue()


@dataclass(frozen=True)
class Style:
    """The look of one figure.

    Attributes
    ----------
    theme : Theme
    background : str
        As Matplotlib reads it.
    width : float
        In millimetres.
    """

    theme: Theme
    background: str
    width: float

    @classmethod
    def of(cls, look: Look, width: float = 90) -> Self:
        """Return the style that was asked for; `width` is that of who did not ask.

        Raises
        ------
        ValueError
            There is no such theme or colour, or the width is out of range.
        """
        name = look.get("theme", "light")
        if name not in get_args(ThemeName):
            raise ValueError(f"theme must be 'light' or 'dark', not {name!r}")
        theme = THEMES[name]
        ground = look.get("background")
        if ground is None:
            ground = theme.ground
        if not is_color_like(ground):
            raise ValueError(f"background {ground!r} is not a colour that Matplotlib knows")
        width = look.get("width", width)
        if not 60 <= width <= 400:
            raise ValueError(f"width is 60 to 400 millimetres, not {width!r}")
        return cls(theme, ground, width)

    def figure(self, height: float) -> Figure:
        """Return an empty figure of this height in millimetres."""
        size = (self.width * _MM, height * _MM)
        made = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor=self.background)
        made.get_layout_engine().set(w_pad=0.05, h_pad=0.05)  # type: ignore[union-attr, call-arg]
        return made

    def dress(self, ax: Axes, *, grid: Literal["x", "y", "both"] | None = None) -> None:
        """Give axes the colours and sizes of the theme; labels are set before."""
        ax.set_facecolor("none")
        for side, spine in ax.spines.items():
            spine.set_visible(side in ("left", "bottom"))
            spine.set(color=self.theme.quiet, linewidth=0.6)
        ax.tick_params(
            which="both", colors=self.theme.quiet, labelsize=SMALL, width=0.6, length=2.5
        )
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set(color=self.theme.text, fontsize=SIZE)
            axis.get_offset_text().set(color=self.theme.quiet, fontsize=SMALL)
        ax.title.set(color=self.theme.text, fontsize=SIZE)
        if grid:
            ax.grid(visible=True, axis=grid, color=self.theme.grid, linewidth=0.6)
            ax.set_axisbelow(True)

    def legend(
        self,
        where: Axes | matplotlib_figure.Figure,
        entries: Sequence[tuple[Artist, str]],
        **how: Any,
    ) -> None:
        """Name what is drawn; a text may begin or be made as it likes."""
        # Matplotlib leaves out labels that begin with an underscore: texts are set afterwards.
        handles = [handle for handle, _ in entries]
        made = where.legend(
            handles,
            ["." for _ in handles],
            frameon=False,
            fontsize=SMALL,
            labelcolor=self.theme.text,
            borderaxespad=0.2,
            handlelength=2.2,
            alignment="left",
            **how,
        )
        for text, (_, label) in zip(made.get_texts(), entries, strict=True):
            text.set(text=label, parse_math=False)

    def below(
        self,
        made: matplotlib_figure.Figure,
        entries: Sequence[tuple[Artist, str]] = (),
        note: str = "",
        *,
        alarm: bool = False,
    ) -> None:
        """Name what is drawn below all axes, where no curve is hidden, and write sentences there.

        The figure grows by what that takes.
        """
        lines = self.wrapped(note, self.width) if note else []
        height = made.get_figheight() / _MM
        for_note = _LINE * len(lines) + 1.5 * bool(lines)
        longest = max((len(label) for _, label in entries), default=0)
        n_columns = int(
            np.clip(self.width / (_HANDLE + _LETTER * longest), 1, max(1, len(entries)))
        )
        n_rows = -(-len(entries) // n_columns)
        n_columns = -(-len(entries) // max(1, n_rows))
        reserved = for_note + _ENTRY * n_rows + bool(entries)
        height += reserved
        made.set_figheight(height * _MM)
        share = reserved / height
        made.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr, call-arg]
        if entries:
            corner = (0, for_note / height)
            self.legend(made, entries, loc="lower left", bbox_to_anchor=corner, ncols=n_columns)
        if lines:
            colour = self.theme.alarm if alarm else self.theme.quiet
            self.write(made, (1.5, for_note - 0.5), "\n".join(lines), va="top", color=colour)

    def write(
        self, made: matplotlib_figure.Figure, at: tuple[float, float], text: str, **how: Any
    ) -> None:
        """Write a text at a place in millimetres from the lower left."""
        width, height = made.get_size_inches() / _MM
        how = {"color": self.theme.text, "size": SMALL, "linespacing": 1.25, **how}
        made.text(at[0] / width, at[1] / height, text, parse_math=False, **how)

    def title(self, ax: Axes, text: str, **how: Any) -> Text:
        """Write a title at the left above axes."""
        label = ax.set_title(text, loc="left", fontsize=SIZE, color=self.theme.text, **how)
        label.set_parse_math(False)
        return label

    def wrapped(self, text: str, width: float) -> list[str]:
        """Return `text` in lines that are at most so many millimetres wide, in small print."""
        length = max(10, int(width / _LETTER))
        return [
            line
            for paragraph in text.split("\n")
            for line in textwrap.wrap(paragraph, length, break_long_words=True) or [""]
        ]


def shortened(text: str, length: int) -> str:
    """Return `text` in one line with its middle left out if it is longer."""
    text = " ".join(str(text).split())
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def number(value: Any) -> str:
    """Write a value for people: four significant digits, thousands apart; text as it is."""
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
    """Write a metric between 0 and 1 with three decimals."""
    return f"{value:.3f}".replace("0.", ".", 1)


def percent(share: float) -> str:
    """Write a share in per cent, with as many digits as it needs."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    return f"{value:.2g} %" if value < 1 else f"{value:.1f} %"


def percents() -> FuncFormatter:
    """Return what writes ticks that are shares in per cent."""
    return FuncFormatter(lambda share, _: f"{round(100 * share, 6):g} %")
