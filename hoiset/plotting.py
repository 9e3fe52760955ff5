"""Figures by matplotlib that look the same everywhere: no global state, no personal style, no time stamps."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any

from hoiset.errors import MissingDependency


def plain_style() -> AbstractContextManager[None]:
    """Matplotlib's own defaults, whatever the user has set; figures are drawn within.

    Raises:
        MissingDependency: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context, rcParamsDefault
    except ImportError as error:
        raise MissingDependency("figures need matplotlib: pip install 'hoiset[build]'") from error
    return rc_context({k: v for k, v in rcParamsDefault.items() if not k.startswith("backend")})


def canvas(width: float, height: float, rows: int, columns: int, *, dpi: int = 100) -> tuple[Any, Any]:
    """A figure of inches on the Agg canvas, and its axes (rows, columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def to_png(figure: Any) -> bytes:
    """PNG bytes; equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
