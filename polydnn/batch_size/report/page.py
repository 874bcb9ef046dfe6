"""The study as one self-contained HTML page: no other file, no address, no script but its own."""

import base64
import hashlib
import os
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from polydnn.batch_size.report import facts
from polydnn.batch_size.report.figure import Figure
from polydnn.batch_size.report.figures import figures_of
from polydnn.batch_size.report.svg import legend_of, svg_of
from polydnn.storage import write_atomically

__all__ = ["study_page", "write_page"]

COLUMNS = (
    *("batch size", "step", "95 % interval", "examples/s", "epoch", "GFLOP/s", "GB/s", "working set", "fits in"),
    *("peak memory", "to target, predicted", "to target, measured", ""),
)
WIDE, NARROW = (980, 380), (460, 330)
"""Pixels of a drawing across the page, and of one beside another or on a phone."""


def study_page(record: Mapping[str, Any]) -> str:
    """The page of a study's record.

    Every word of the record is escaped, and the page's own policy lets nothing run or load but its one style sheet and
    its one script, which it names by their hashes.
    """
    here = files("polydnn.batch_size.report")
    text = {name: (here / name).read_text(encoding="utf-8") for name in ("page.html.jinja", "page.css", "page.js")}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style, script = text["page.css"].strip(), text["page.js"].strip()
    return environment.from_string(text["page.html.jinja"]).render(
        style=Markup(style),  # our own files, which hold no word of the record
        script=Markup(script),
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}",
        title=facts.headline(record),
        record=record,
        figures=[_drawn(figure) for figure in figures_of(record)],
        keys=facts.key_figures(record),
        columns=COLUMNS,
        rows=list(zip((row["batch_size"] for row in record["sweep"]), facts.size_rows(record), strict=True)),
        caches=facts.cache_rows(record),
        provenance=facts.provenance_rows(record),
        load=" ".join(f"{each:.2f}" for each in record["machine"]["load_average"] or []),
    )


def write_page(record: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the page to a file, whole or not at all; StorageError where the disk refuses."""
    write_atomically(path, [study_page(record).encode()])


def _drawn(figure: Figure) -> dict[str, Any]:
    """A figure in the sizes that the page needs."""
    drawings = [("wide", WIDE), ("narrow", NARROW)] if figure.wide else [("only", NARROW)]
    return {
        "figure": figure,
        "legend": legend_of(figure),
        "drawings": [(kind, Markup(svg_of(figure, *size))) for kind, size in drawings],  # svg_of escapes
    }


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
