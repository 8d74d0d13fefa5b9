"""Just enough plotting to inline SVG whose colours are the page's CSS variables.

Built by hand rather than with a plotting library: every stroke takes a CSS class, so light and dark are the browser's
choice and not two pictures; text stays text; a plot weighs a few kilobytes; and each is drawn twice, wide and narrow,
with labels of the same size, instead of one picture shrunk until nobody can read it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr


@dataclass(frozen=True, slots=True)
class Size:
    """A drawing's width and height in CSS pixels, and whether it is the narrow one."""

    width: int
    height: int
    narrow: bool


WIDE = Size(1040, 320, narrow=False)
NARROW = Size(358, 280, narrow=True)


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    Attributes:
        low, high: Ends.
        ticks: (value, label) where lines and labels go.
        logarithmic: Whether distances are ratios.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Position between the ends: 0 at low, 1 at high; what lies outside is put on the edge."""
        if self.logarithmic:
            share = math.log(max(value, 1e-12) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


def linear_axis(low: float, high: float, *, steps: int = 5, unit: str = "") -> Axis:
    """An axis that spans the values, ends at round numbers, and has about ``steps`` round ticks."""
    high = max(high, low + 1e-3)  # a flat curve still needs an axis
    span = high - low
    power = 10.0 ** math.floor(math.log10(span / steps))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if span / (power * factor) <= steps)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step)) if step < 1 else 0)
    ticks = tuple((k * step, f"{k * step:.{digits}f}{unit}") for k in range(first, last + 1))
    return Axis(first * step, last * step, ticks)


def frequency_axis(low_hz: float, high_hz: float, *, narrow: bool) -> Axis:
    """A logarithmic axis in hertz."""
    marks = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
    shown = marks[1::3] if narrow else marks
    ticks = tuple((float(f), f"{f // 1000}k" if f >= 1000 else str(f)) for f in shown if low_hz <= f <= high_hz)
    return Axis(low_hz, high_hz, ticks, logarithmic=True)


@dataclass(slots=True)
class Plot:
    """A drawing area with two axes; ``svg`` gives the finished picture."""

    size: Size
    x: Axis
    y: Axis
    title: str
    y_label: str = ""
    x_label: str = ""
    left: int = 52
    right: int = 14
    top: int = 26
    bottom: int = 40
    parts: list[str] = field(default_factory=list)

    def at_x(self, value: float) -> float:
        """Pixel column."""
        return self.left + self.x.place(value) * (self.size.width - self.left - self.right)

    def at_y(self, value: float) -> float:
        """Pixel row."""
        return self.size.height - self.bottom - self.y.place(value) * (self.size.height - self.top - self.bottom)

    def line(self, xs: Sequence[float], ys: Sequence[float], style: str) -> None:
        """A polyline; ``style`` is a CSS class."""
        points = " ".join(f"{self.at_x(a):.1f},{self.at_y(b):.1f}" for a, b in zip(xs, ys, strict=True))
        self.parts.append(f'<polyline class="line {style}" points="{points}"/>')

    def band(self, xs: Sequence[float], lower: Sequence[float], upper: Sequence[float], style: str) -> None:
        """The area between two lines."""
        there = [f"{self.at_x(a):.1f},{self.at_y(b):.1f}" for a, b in zip(xs, upper, strict=True)]
        back = [f"{self.at_x(a):.1f},{self.at_y(b):.1f}" for a, b in zip(xs, lower, strict=True)]
        self.parts.append(f'<polygon class="band {style}" points="{" ".join([*there, *reversed(back)])}"/>')

    def rect(self, x: float, y: float, width: float, height: float, style: str, *, tip: str = "") -> None:
        """A rectangle in pixels, with a tooltip."""
        title = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(
            f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.8):.1f}" '
            f'height="{max(height, 0.8):.1f}" rx="2">{title}</rect>'
        )

    def stroke(self, style: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """A straight line in pixels."""
        (x1, y1), (x2, y2) = start, end
        self.parts.append(f'<line class="{style}" x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}"/>')

    def text(self, x: float, y: float, content: str, style: str = "", anchor: str = "start") -> None:
        """Text in pixels."""
        self.parts.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
        )

    def svg(self) -> str:
        """The picture."""
        w, h = self.size.width, self.size.height
        frame: list[str] = []
        for value, label in self.y.ticks:
            row, style = self.at_y(value), "zero" if value == 0 and self.y.low < 0 else "grid"
            ends = f'x1="{self.left}" x2="{w - self.right}" y1="{row:.1f}" y2="{row:.1f}"'
            frame.append(f'<line class="{style}" {ends}/>')
            frame.append(f'<text x="{self.left - 8}" y="{row + 4:.1f}" text-anchor="end">{escape(label)}</text>')
        for value, label in self.x.ticks:
            place = f'x="{self.at_x(value):.1f}" y="{h - self.bottom + 18}"'
            frame.append(f'<text {place} text-anchor="middle">{escape(label)}</text>')
        if self.y_label:
            frame.append(f'<text class="unit" x="0" y="13">{escape(self.y_label)}</text>')
        if self.x_label:
            place = f'x="{w - self.right}" y="{h - 5}"'
            frame.append(f'<text class="unit" {place} text-anchor="end">{escape(self.x_label)}</text>')
        kind = "narrow" if self.size.narrow else "wide"
        return (
            f'<svg class="plot {kind}" viewBox="0 0 {w} {h}" role="img" aria-label={quoteattr(self.title)}>'
            f"{''.join(frame)}{''.join(self.parts)}</svg>"
        )
