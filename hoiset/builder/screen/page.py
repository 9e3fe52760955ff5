"""The page of the report of pass 1: one file, no script, nothing from elsewhere; all words from outside are escaped."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from hoiset.builder.screen.draw import PASSED
from hoiset.builder.screen.stopwatch import STEP_OF
from hoiset.builder.screen.summary import Example, Histogram, Summary
from hoiset.plotting import canvas, plain_style, to_png

_COLUMNS = 4
_CAPTION = 160
_COLOURS = {"passed": "#2f7d4f", "stopped": "#c8553d", "other": "#b9bec6"}
_MEANING = {
    "removed": "removed from the dataset: neither fetched nor opened",
    "no_video": "no picture could be decoded",
    "unavailable": "the video could not be fetched",
    "error": "screening failed",
    "too_short": "shorter than a clip",
    "black_frames": "black for a part of the time",
    "camera_moves": "the background moves",
    "camera_unsure": "the background cannot be followed",
    "still_image": "nothing changes: a photograph",
    "blurred": "out of focus or enlarged",
    "split_screen": "two pictures side by side",
    "picture_in_picture": "a picture in the picture",
    "text_overlay": "large text over the picture",
    "no_hands": "no hands, or too seldom",
    "hands_too_small": "hands too far away",
    "hands_cut_off": "hands cut off by the border",
    "not_a_person": "hands without the colour of skin",
    "no_hand_motion": "the hands rest",
    "no_object_motion": "nothing but the hands moves",
}
_STYLE = """
:root { color-scheme: light; --ink: #1d2228; --soft: #69717c; --line: #e3e6ea; --good: #2f7d4f; --bad: #c8553d; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 32px 28px 64px; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 44px 0 12px; }
h3 { font-size: 15px; margin: 24px 0 8px; }
p { margin: 4px 0 12px; color: var(--soft); }
code { font: 13px ui-monospace, "DejaVu Sans Mono", monospace; }
.facts { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0 0; }
.fact { border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; min-width: 140px; }
.fact b { display: block; font-size: 22px; font-weight: 600; }
.fact span { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--soft); padding: 4px 8px;
  border-bottom: 1px solid var(--line); }
td { padding: 4px 8px; border-bottom: 1px solid #f1f3f5; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.bar { width: 44%; }
.track { display: flex; height: 14px; background: #f4f5f7; border-radius: 3px; overflow: hidden; }
.left { background: var(--good); } .lost { background: var(--bad); }
.wide { width: 100%; height: auto; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: 14px; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
figure img { display: block; width: 100%; height: 92px; object-fit: cover; background: #eceef1; }
figure div { height: 92px; background: #eceef1; color: var(--soft); display: grid; place-items: center;
  font-size: 13px; }
figcaption { padding: 6px 10px 8px; font-size: 12.5px; line-height: 1.4; overflow-wrap: anywhere; }
figcaption b { font-weight: 600; } figcaption span { color: var(--soft); display: block; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin: 0 5px 0 14px;
  vertical-align: -1px; }
"""


@dataclass(frozen=True)
class Card:
    """Caption and picture (JPEG) of a span."""

    caption: str
    jpeg: bytes | None


def write_page(title: str, summary: Summary, record: Mapping[str, Any], cards: Mapping[Example, Card]) -> str:
    """The page as text; ``record`` is what goes into ``report.json``."""
    name = escape(title or "Pass 1")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{name}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{name}</h1>
<p>What pass 1 kept, what stopped the rest, and how near to each threshold the spans are.</p>
{_facts(record)}
<h2>Funnel</h2>
<p>Gates in the order in which they are asked; a span is counted at the first that it fails. Gates that are measured in
one step share its time.</p>
{_funnel(record)}
<h2>Measured values</h2>
<p class="key">Spans by value; the line is the threshold and the arrow shows which side passes.
<i style="background:{_COLOURS["passed"]}"></i>passed all gates
<i style="background:{_COLOURS["stopped"]}"></i>stopped by this value
<i style="background:{_COLOURS["other"]}"></i>stopped by another gate. The last bin holds all beyond it; the scale is
logarithmic.</p>
{_plots(summary)}
<h2>Accepted</h2>
{_sheet(summary.examples.get(PASSED, []), summary.spans.get(PASSED, 0), cards)}
<h2>Rejected</h2>
{"".join(_rejected(gate, summary, cards) for gate in summary.spans if gate != PASSED) or "<p>Nothing.</p>"}
</body>
</html>
"""


def _facts(record: Mapping[str, Any]) -> str:
    facts = [
        (f"{record['videos']:,}", "videos"),
        (f"{record['spans']:,}", "spans judged"),
        (f"{record['passed']:,}", f"passed ({record['yield']:.1%})"),
        (_duration(record["passed_s"]), f"passed, of {_duration(record['judged_s'])}"),
    ]
    took = record["throughput"]
    if took:
        facts += [
            (f"{took['footage_s_per_core_s']:.1f}x", "footage per core, real time"),
            (f"{took['core_hours_per_1000_spans']:.2f}", "core-hours per 1,000 spans"),
            (_duration(took["wall_s"]), "wall-clock time"),
        ]
    cells = "".join(f'<div class="fact"><b>{value}</b><span>{what}</span></div>' for value, what in facts)
    return f'<div class="facts">{cells}</div>'


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _funnel(record: Mapping[str, Any]) -> str:
    total, step_s = max(1, record["spans"]), (record["throughput"] or {}).get("step_s", {})
    rows = []
    for step in record["funnel"]:
        left = step["entered"] - step["stopped"]
        bar = (
            f'<div class="track"><div class="left" style="width:{100 * left / total:.2f}%"></div>'
            f'<div class="lost" style="width:{100 * step["stopped"] / total:.2f}%"></div></div>'
        )
        share = step["stopped"] / max(1, step["entered"])
        measured = STEP_OF.get(step["gate"], "")
        cost = f"{measured}: {_duration(step_s[measured])}" if measured in step_s else ""
        rows.append(
            f"<tr><td><code>{escape(step['gate'])}</code></td><td>{escape(_MEANING.get(step['gate'], ''))}</td>"
            f'<td class="bar">{bar}</td><td class="n">{step["stopped"]:,}</td><td class="n">{share:.1%}</td>'
            f'<td class="n">{_duration(step["stopped_s"])}</td><td class="n">{left:,}</td>'
            f'<td class="n">{cost}</td></tr>'
        )
    heads = "<th>gate</th><th></th><th>left, and stopped here</th>" + "".join(
        f'<th class="n">{name}</th>' for name in ("stopped", "of those asked", "footage", "left", "time in workers")
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _plots(summary: Summary) -> str:
    if not summary.histograms:
        return "<p>Nothing was measured.</p>"
    n = len(summary.histograms)
    rows = -(-n // _COLUMNS)
    with plain_style():
        figure, axes = canvas(14.0, 2.35 * rows, rows, _COLUMNS)
        for ax, (name, histogram) in zip(axes.flat, summary.histograms.items(), strict=False):
            _plot(ax, name, histogram)
        for ax in axes.flat[n:]:
            ax.set_axis_off()
        png = to_png(figure)
    return f'<img class="wide" alt="Histograms of the measured values" src="{_data(png, "png")}">'


def _plot(ax: Any, name: str, h: Histogram) -> None:
    width, below = np.diff(h.edges), np.zeros(len(h.passed))
    for kind in ("passed", "stopped", "other"):
        counts = getattr(h, kind)
        ax.bar(h.edges[:-1], counts, width, bottom=below, align="edge", color=_COLOURS[kind], linewidth=0)
        below = below + counts
    ax.set_title(name, fontsize=10, loc="left")
    ax.set_xlim(h.edges[0], h.edges[-1])
    ax.set_yscale("symlog", linthresh=1.0)
    ax.set_ylim(0, max(1.0, below.max()) * 1.8)
    ax.tick_params(labelsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    if h.param:
        ax.axvline(h.bound, color="#1d2228", linewidth=1.2)
        toward = 0.06 * (h.edges[-1] - h.edges[0]) * (1 if h.least else -1)
        at = ax.get_ylim()[1] * 0.75
        ax.annotate("", (h.bound + toward, at), (h.bound, at), arrowprops={"arrowstyle": "->", "lw": 1.2})
        sense = "\u2265" if h.least else "\u2264"
        ax.set_title(f"{h.param} {sense} {h.bound:g}", fontsize=8, loc="right", color="#69717c")


def _rejected(gate: str, summary: Summary, cards: Mapping[Example, Card]) -> str:
    meaning = f": {escape(_MEANING[gate])}" if gate in _MEANING else ""
    sheet = _sheet(summary.examples[gate], summary.spans[gate], cards)
    return f"<h3><code>{escape(gate)}</code>{meaning}</h3>{sheet}"


def _sheet(examples: list[Example], total: int, cards: Mapping[Example, Card]) -> str:
    if not examples:
        return "<p>Nothing.</p>"
    figures = "".join(_figure(e, cards.get(e, Card("", None))) for e in examples)
    some = f"<p>{len(examples)} of {total:,}, drawn by hash.</p>" if total > len(examples) else ""
    return f'{some}<div class="sheet">{figures}</div>'


def _figure(example: Example, card: Card) -> str:
    picture = "<div>no picture</div>" if card.jpeg is None else f'<img alt="" src="{_data(card.jpeg, "jpeg")}">'
    caption = card.caption if len(card.caption) <= _CAPTION else card.caption[:_CAPTION] + "\u2026"
    lines = [f"<b>{escape(example.uid)}</b> {example.start_s:.1f} to {example.end_s:.1f} s"]
    lines += [f"<span>{escape(line)}</span>" for line in (example.detail, caption) if line]
    return f"<figure>{picture}<figcaption>{''.join(lines)}</figcaption></figure>"


def _data(image: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
