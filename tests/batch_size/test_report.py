"""The report without a browser: what each picture holds, how it is drawn, the page's text, the tables, the files."""

import dataclasses
import html
import io
import json
import math
import re
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.record import analyse, check_record
from polydnn.batch_size.report.figure import Figure, Upright, log_ticks
from polydnn.batch_size.report.figures import capacity_sizes, figures_of
from polydnn.batch_size.report.page import study_page, write_page
from polydnn.batch_size.report.plots import draw_plots
from polydnn.batch_size.report.svg import legend_of, svg_of
from polydnn.batch_size.report.table import print_study
from polydnn.batch_size.report.wording import NOTHING, count_text, number_text, seconds_text
from polydnn.errors import PolydnnError, StorageError
from tests.invented_study import CAPACITIES, EACH, SIZES, STATE, invented_study, smallest_study

HOSTILE = "<b>&\"'</b>[bold]"
VOID = {"meta", "link", "line", "rect", "circle", "polyline", "polygon"}


class Nesting(HTMLParser):
    """Fails where an element is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def figure(record: dict[str, Any], key: str) -> Figure:
    return next(each for each in figures_of(record) if each.key == key)


def printed(record: dict[str, Any], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_study(record, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_invented_study_has_the_form_of_a_record() -> None:
    for study in (invented_study(), smallest_study()):
        assert json.loads(json.dumps(study)) == study
        check_record(study)


def test_the_working_set_leaves_each_cache_where_it_is_full() -> None:
    found = capacity_sizes(invented_study())
    assert set(found) == {"L2", "L3"}, "the first level is too small from the start"
    for level, size in found.items():
        assert size == pytest.approx((CAPACITIES[level] - STATE) / EACH, rel=1e-9)


def test_a_cache_that_is_never_left_or_unknown_has_no_line() -> None:
    study = invented_study()
    study["machine"]["caches"][1]["used_bytes"] = 2**40
    study["machine"]["caches"][2]["used_bytes"] = None
    assert capacity_sizes(study) == {}
    assert "stays within L2" in figure(study, "step-time").remark


def test_the_u_is_told_in_multiples_of_its_shortest_time() -> None:
    shown = figure(invented_study(), "target")
    predicted, measured = shown.lines
    assert min(point.y for point in predicted.points) == 1.0
    assert min(point.y for point in measured.points) == 1.0
    assert [point.x for point in predicted.points] == SIZES
    best = invented_study()["best"]
    assert [(each.x, each.kind) for each in shown.uprights] == [(best["batch_size"], "best")]
    assert shown.shade is not None
    assert [shown.shade.low, shown.shade.high] == best["interval"]
    assert shown.alt.startswith(f"The predicted time to the target loss is shortest at batch size {best['batch_size']}")


def test_sizes_that_never_reached_the_target_are_no_points() -> None:
    study = invented_study()
    study["validation"]["measured"][0]["seconds_to_target"] = None
    study["validation"]["measured"][0]["seconds_to_target_interval"] = None
    assert len(figure(study, "target").lines[1].points) == len(study["validation"]["measured"]) - 1
    for row in study["validation"]["measured"]:
        row["seconds_to_target"] = None
    assert [line.label for line in figure(study, "target").lines] == ["predicted"]


def test_the_roof_is_the_lesser_of_bandwidth_and_arithmetic() -> None:
    study = invented_study()
    fastest, slowest, steps = figure(study, "roofline").lines
    machine = study["machine"]
    for line, bandwidth in ((fastest, 112.0), (slowest, machine["bandwidth"][-1]["gigabytes_per_second"])):
        for point in line.points:
            assert point.y == pytest.approx(min(machine["peak_gigaflops"], bandwidth * point.x))
    assert all(
        point.x == row["flops"] / row["bytes_moved"] and point.y == row["gigaflops_per_second"]
        for point, row in zip(steps.points, study["sweep"], strict=True)
    )


def test_shares_of_a_step_add_up_to_one() -> None:
    stack = figure(invented_study(), "split").stack
    assert stack is not None
    assert [bar[0] for bar in stack.bars] == SIZES
    assert all(math.fsum(shares) == pytest.approx(1.0) for _, shares, _ in stack.bars)
    assert stack.labels == ("gather", "forward", "backward", "optimizer")


def test_what_is_missing_is_left_out() -> None:
    assert [each.key for each in figures_of(smallest_study())] == ["step-time", "throughput", "roofline", "split"]
    assert "The sizes of the caches are not known." in figure(smallest_study(), "step-time").remark


def test_numbers_that_are_none_do_no_harm() -> None:
    study = invented_study()
    study["cost_model"] |= {"half_saturation": None, "t0": None, "t1": None}
    study["best"] |= {"interval": None, "smallest_within_5_percent": None}
    study["noise_scale"] |= {"interval": None, "value": None, "drift": []}
    for row in study["sweep"]:
        row |= {
            "split": None,
            "seconds_per_step_interval": None,
            "gigaflops_per_second": None,
            "peak_memory_bytes": None,
        }
    for row in study["prediction"]:
        row["seconds_to_target_interval"] = None
    assert "<h1>Batch size" in study_page(study)
    assert "Best batch size" in printed(study)


def test_open_intervals_and_a_crossover_that_never_comes() -> None:
    study = invented_study()
    study["noise_scale"]["interval"] = [250.0, None]
    study["noise_scale"]["drift"][2]["interval"] = [None, None]
    study["crossover"]["batch_size"] = None
    check_record(study)
    text = re.sub(r"<[^>]+>", " ", study_page(study))
    assert "95 %: 250 or more" in text
    assert "no size of these" in text
    assert "cupy wins from: no size of these" in printed(study)


@pytest.mark.parametrize("noise", [None, NoiseScale(310.0, (250.0, None), 355.0, 1.15, 4096)])
def test_what_the_analysis_says_can_be_shown(noise: NoiseScale | None) -> None:
    """A cost model, a prediction and sentences as the real analysis makes them of the invented times."""
    study = invented_study() | analyse(invented_study()["sweep"], invented_study()["machine"], noise)
    study |= {"noise_scale": noise and noise.as_dict()}
    check_record(study)
    text = html.unescape(re.sub(r"<[^>]+>", " ", study_page(study)))
    for part in ("why", "below", "at", "above"):
        assert study["best"][part] in text
    keys = [each.key for each in figures_of(study)]
    assert ("target" in keys) == (noise is not None)
    assert f"Best batch size {count_text(study['best']['batch_size'])}" in printed(study)


def test_one_point_has_room_on_both_sides() -> None:
    shown = figure(smallest_study(), "step-time")
    assert shown.x_range() == (16.0, 64.0)
    low, high = shown.y_range()
    assert low < shown.lines[0].points[0].y < high


def test_every_drawing_stays_within_its_frame() -> None:
    for study in (invented_study(), smallest_study()):
        for each in figures_of(study):
            for width, height in ((980, 380), (460, 330)):
                text = svg_of(each, width, height)
                places = [float(x) for x in re.findall(r' (?:x|x1|x2|cx)="([-\d.]+)"', text)]
                heights = [float(y) for y in re.findall(r' (?:y|y1|y2|cy)="([-\d.]+)"', text)]
                assert places
                assert min(places) >= 0
                assert max(places) <= width
                assert min(heights) >= 0
                assert max(heights) <= height


def test_names_of_uprights_do_not_lie_on_each_other() -> None:
    text = svg_of(figure(invented_study(), "throughput"), 460, 330)
    names = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" class="name \w+"[^>]*>([^<]+)<', text)
    assert len(names) == 3
    placed = sorted((float(y), float(x), len(name) * 8.3 / 2) for x, y, name in names)
    for (y, x, half), (other_y, other_x, other_half) in pairwise(placed):
        assert y != other_y or other_x - x >= half + other_half


def test_words_in_a_drawing_are_escaped() -> None:
    shown = figure(invented_study(), "step-time")
    uprights = [Upright(64.0, HOSTILE)]
    text = svg_of(dataclasses.replace(shown, title=HOSTILE, x_label=HOSTILE, uprights=uprights), 460, 330)
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;&quot;" in text


def test_the_legend_names_what_is_drawn() -> None:
    study = invented_study()
    assert legend_of(figure(study, "split"))[0] == ("part-0", "gather")
    assert [label for _, label in legend_of(figure(study, "target"))] == [
        "predicted",
        "measured",
        "interval of the best size",
    ]
    assert legend_of(figure(study, "noise")) == [], "one line needs no legend"


@pytest.mark.parametrize("study", [invented_study(), invented_study(HOSTILE), smallest_study()])
def test_the_page_is_whole_and_alone(study: dict[str, Any]) -> None:
    page = study_page(study)
    nesting = Nesting()
    nesting.feed(page)
    assert nesting.open == []
    assert len(set(nesting.ids)) == len(nesting.ids)
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    assert not re.search(r'(?:src|href)="(?!data:,")', page)
    assert "<b>" not in page
    assert "default-src &#39;none&#39;" in page
    assert len(page) < 150_000


def test_the_page_tells_everything() -> None:
    study = invented_study("a data set")
    text = re.sub(r"<[^>]+>", " ", study_page(study).partition("</style>")[2])
    for words in (study["best"]["why"], study["best"]["above"], study["machine"]["warnings"][0], "480 MiB (sysfs)"):
        assert words in text
    for words in ("95 % interval 128 to 512", "does not show", "8,192: the budget", "cupy wins from", "0f1e2d3c4b5a"):
        assert words in text
    assert "OMP_NUM_THREADS: unset" in text
    assert "polydnn.batch_size/1" in text


def test_the_page_is_written_whole_or_refused(tmp_path: Path) -> None:
    write_page(invented_study(), tmp_path / "study.html")
    assert (tmp_path / "study.html").read_text(encoding="utf-8") == study_page(invented_study())
    with pytest.raises(StorageError, match=r"study\.html"):
        write_page(invented_study(), tmp_path / "nowhere" / "study.html")


def test_the_terminal_shows_the_answer_and_a_row_a_size() -> None:
    text = printed(invented_study())
    assert max(len(line) for line in text.splitlines()) <= 80
    rows = [line for line in text.splitlines() if re.match(r"^ *[\d,]+ +[\d.]+ [mµ]s ", line)]
    assert len(rows) == len(SIZES)
    assert [line for line in rows if line.rstrip().endswith("◀")] == [line for line in rows if line.split()[0] == "256"]
    assert "Best batch size 256, between 128 and 512" in text
    assert "480 MiB (sysfs)" in text
    assert "mind: this virtual machine is told of an L3" in text
    assert "left out 8192" in text


def test_the_terminal_leaves_out_empty_columns_and_reads_no_markup() -> None:
    text = printed(smallest_study())
    assert "predicted" not in text
    assert "measured" not in text
    assert "[bold]" in printed(invented_study(HOSTILE), width=200)


def test_a_picture_is_written_for_each_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    paths = draw_plots(invented_study(), tmp_path)
    assert [path.name for path in paths] == [f"{each.key}.png" for each in figures_of(invented_study())]
    for path in paths:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.stat().st_size > 5_000
    assert len(draw_plots(smallest_study(), tmp_path)) == 4


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    with pytest.raises(StorageError, match=r"target.png cannot be written: No such file or directory."):
        draw_plots(invented_study(), tmp_path / "nowhere")


def test_without_matplotlib_the_command_that_brings_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = r"plots need matplotlib, which is not installed. Install it: pip install 'polydnn\[plot\]'."
    with pytest.raises(PolydnnError, match=text):
        draw_plots(invented_study(), tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (9.999, "10.0"),
        (-0.5, "-0.500"),
        (math.nan, NOTHING),
        (math.inf, NOTHING),
        (1e-7, "1.00e-07"),
        (99950.0, "100,000"),
    ],
)
def test_numbers_in_words(value: float, text: str) -> None:
    assert number_text(value) == text


def test_numbers_at_the_borders_of_units() -> None:
    assert [count_text(each) for each in (9999, 10_000, 1e6, 2.5e9, None)] == [
        "9,999",
        "10.0 k",
        "1.00 M",
        "2.50 G",
        NOTHING,
    ]
    assert [seconds_text(each) for each in (0.0, 1e-9, 1.0, 300.0, 7200.0)] == [
        "0 ns",
        "1.00 ns",
        "1.00 s",
        "5.00 min",
        "2.00 h",
    ]


def test_ticks_are_few_and_within() -> None:
    for low, high, base in ((1, 4096, 2), (3, 5, 2), (0.002, 900, 10), (0.9, 1.2, 10)):
        ticks = log_ticks(low, high, base, 7)
        assert len(ticks) <= 8
        assert all(low * (1 - 1e-9) <= tick <= high * (1 + 1e-9) for tick in ticks)
