"""Matplotlib figures as SVG that takes its colours from the page, and so follows its dark and light."""

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SERIES = ("#0000f1", "#0000f2", "#0000f3", "#0000f4", "#0000f5", "#0000f6")
TEXT, QUIET, LINE, ACCENT, WRONG = "#0000e1", "#0000e2", "#0000e3", "#0000e4", "#0000e5"
VARIABLES = {
    **{colour: f"var(--c{place})" for place, colour in enumerate(SERIES, 1)},
    TEXT: "var(--text)",
    QUIET: "var(--quiet)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    WRONG: "var(--wrong)",
}
"""A colour that is drawn with → the page's variable that replaces it."""

_STYLES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "janus",
    "text.parse_math": False,
    "axes.formatter.useoffset": False,
    "axes.prop_cycle": cycler(color=SERIES, linestyle=_STYLES),
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": QUIET,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "grid.color": LINE,
    "grid.alpha": 1.0,
    "grid.linewidth": 0.7,
    "figure.constrained_layout.use": True,
    "axes.axisbelow": True,
}
_NAMESPACE = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_COLOUR = re.compile(r"#0000[ef]\d")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_LONGEST = 22
WIDTH, HEIGHT = 4.4, 3.0


def shown(name: str) -> str:
    """A name from the data as a plot can hold it: short, on one line, without characters that XML cannot have."""
    text = " ".join(without_control_characters(name).split())
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    # Matplotlib leaves labels that begin with an underscore out of legends.
    return f"\u200b{text}" if text.startswith("_") else text


def without_control_characters(text: str) -> str:
    """Replacement characters in place of those that neither XML nor HTML can have."""
    return _NOT_IN_XML.sub("\ufffd", text)


def draw(key: str, painter: Callable[[Axes], None], height: float = HEIGHT) -> str:
    """An `<svg>` element of one plot, whose key goes before every id in it, and is unique on the page.

    The height is in inches; every plot is 4.4 wide, and only the ratio is seen.
    """
    with _settings():
        figure = Figure(figsize=(WIDTH, height))
        painter(figure.subplots())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _for_page(buffer.getvalue(), key)


@contextmanager
def _settings() -> Iterator[None]:
    # As Any: newer stubs list every setting's name.
    settings: Any = _SETTINGS
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Names from the data may have signs that the font lacks, which only measures them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _for_page(svg: bytes, key: str) -> str:
    ET.register_namespace("", _NAMESPACE)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(svg)
    for child in list(root):
        if child.tag.endswith("metadata"):
            root.remove(child)
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            element.set(name, _attribute(name, value, key))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return ET.tostring(root, encoding="unicode")


def _attribute(name: str, value: str, key: str) -> str:
    if name == "id":
        return f"{key}-{value}"
    if name == f"{{{_XLINK}}}href":
        return value.replace("#", f"#{key}-", 1)
    if name in ("style", "clip-path", "fill", "stroke"):
        value = _REFERENCE.sub(rf"url(#{key}-\1)", value)
        return _COLOUR.sub(lambda match: VARIABLES[match[0]], value)
    return value
