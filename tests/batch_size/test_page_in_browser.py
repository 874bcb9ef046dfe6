"""The page in a real browser: marks and numbers are there, the console is silent, nothing leaves, phones have room."""

import html
import re
from pathlib import Path
from typing import Any

import pytest

from polydnn.batch_size.report.page import study_page, write_page
from tests.browser import Visit, visit
from tests.invented_study import SIZES, invented_study, smallest_study

ATTACK = (
    "<script>document.title='broken'</script><img src=http://example.test/x.png onerror=\"document.title='broken'\">"
)
MEASURE = (
    "<script>addEventListener('load',()=>{document.title='W'+frames[0].document.documentElement.scrollWidth})</script>"
)

POINT = """<script>addEventListener('load', () => {
  const page = frames[0].document, dot = page.querySelectorAll('#step-time .wide .dot')[5];
  const box = dot.getBoundingClientRect(), options = {clientX: box.left + 4, clientY: box.top, bubbles: true};
  dot.closest('svg').dispatchEvent(new frames[0].PointerEvent('pointermove', options));
  const near = [...page.querySelectorAll('tr.near th')].map((each) => each.textContent);
  const lit = page.querySelectorAll('.mark.near').length;
  document.title = page.getElementById('tip').textContent + '|' + near + '|' + lit;
})</script>"""


def framed(study: dict[str, Any], width: int, script: str) -> str:
    """The page inside another one of ours, whose script may look at it; the page's own policy would let none in."""
    inner = html.escape(study_page(study), quote=True)
    frame = f'<iframe srcdoc="{inner}" width="{width}" height="900" style="border:0"></iframe>'
    return f"<!doctype html><title>?</title>{frame}{script}"


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    page = tmp_path_factory.mktemp("page") / "study.html"
    write_page(invented_study(), page)
    return visit(page)


def test_the_console_is_silent_and_no_request_leaves(visited: Visit) -> None:
    assert visited.console == []
    assert visited.requests == []
    assert 'data-ready="true"' in visited.document, "the script ran to its end"


def test_the_answer_and_the_marks_are_there(visited: Visit) -> None:
    study, document = invented_study(), visited.document
    best = study["best"]["batch_size"]
    assert f"<h1>Batch size <strong>{best}</strong></h1>" in document
    for key in ("target", "step-time", "throughput", "roofline", "split", "noise", "bandwidth"):
        assert f'<figure id="{key}"' in document
    drawing = document.split('<figure id="step-time"')[1].split('class="chart"')[1]
    labels = re.findall(r'<line [^>]*class="upright (\w+)" data-x="([\d.]+)" data-label="([^"]+)"', drawing)
    assert {(kind, label) for kind, _, label in labels} == {
        ("cache", "L2 full (1 MiB)"),
        ("cache", "L3 full (16 MiB)"),
        ("best", f"best: {best}"),
        ("detected", "rows cost more"),
    }
    marks = re.findall(r'class="mark" data-batch-size="(\d+)"', drawing)
    assert [int(size) for size in marks] == SIZES
    assert len(re.findall(r'<tr data-batch-size="\d+"', document)) == len(SIZES)


def test_every_picture_says_in_words_what_it_shows(visited: Visit) -> None:
    drawings = re.findall(r'<svg class="chart"[^>]*>', visited.document)
    assert len(drawings) == 10, "four narrow ones, and three in two sizes"
    assert all('role="img"' in each and re.search(r'aria-label="[^"]{40,}"', each) for each in drawings)


def test_words_of_the_record_stay_words(tmp_path: Path) -> None:
    page = tmp_path / "attacked.html"
    write_page(invented_study(ATTACK), page)
    seen = visit(page)
    assert (seen.console, seen.requests) == ([], [])
    assert "<title>Best batch size" in seen.document
    assert html.escape(ATTACK, quote=False) in seen.document


def test_even_unescaped_words_could_not_run_or_load(tmp_path: Path) -> None:
    """The policy is the second wall: here the first is torn down by hand, and the console tells of the refusal."""
    page = tmp_path / "torn.html"
    page.write_text(study_page(invented_study()).replace("</main>", ATTACK + "</main>"), encoding="utf-8")
    seen = visit(page)
    assert "<title>Best batch size" in seen.document
    assert seen.requests == []
    assert any("Content Security Policy" in line for line in seen.console)


def test_the_listener_hears_a_page_that_asks_for_more(tmp_path: Path) -> None:
    """What the other tests find silent is not deaf: without the policy the same picture is asked for."""
    page = tmp_path / "asking.html"
    page.write_text('<title>a</title><img src="http://example.test/x.png"><script>throw 1</script>', encoding="utf-8")
    seen = visit(page)
    assert any("example.test/x.png" in line for line in seen.requests)
    assert any("Uncaught" in line for line in seen.console)


@pytest.mark.parametrize("width", [360, 768, 1200])
def test_no_page_is_wider_than_its_screen(tmp_path: Path, width: int) -> None:
    page = tmp_path / "frame.html"
    page.write_text(framed(invented_study(), width, MEASURE), encoding="utf-8")
    assert f"<title>W{width}</title>" in visit(page, width=1400).document


def test_pointing_at_a_mark_shows_it_and_lights_the_same_size_everywhere(tmp_path: Path) -> None:
    page = tmp_path / "frame.html"
    page.write_text(framed(invented_study(), 1200, POINT), encoding="utf-8")
    seen = visit(page, width=1400)
    found = re.search(r"<title>(.*?)</title>", seen.document)
    assert found
    text, row, marks = found[1].split("|")
    assert text == "batch size 32: 258 µs a step, 773 KiB in L2"
    assert row == "32"
    assert int(marks) == 5, "the time of a step is drawn for two widths, then throughput, roofline and split"
    assert seen.console == []


def test_a_study_of_little_makes_a_page_too(tmp_path: Path) -> None:
    page = tmp_path / "small.html"
    write_page(smallest_study(), page)
    seen = visit(page)
    assert (seen.console, seen.requests) == ([], [])
    assert "The system tells no cache sizes, and none showed." in seen.document
    assert '<figure id="target"' not in seen.document
    text = seen.document.partition("<body>")[2].partition("<script>")[0]
    assert not re.search(r"\b(nan|inf|None|NaN|Infinity)\b", text)


def test_a_picture_of_it_can_be_taken(tmp_path: Path) -> None:
    page, picture = tmp_path / "study.html", tmp_path / "study.png"
    write_page(invented_study(), page)
    visit(page, width=390, height=800, screenshot=picture)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 20_000
