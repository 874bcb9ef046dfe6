"""Captured steps and flat buffers: which calls come in which order, and where named arrays lie."""

import logging
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydnn.executors.on_cupy.buffers import ALIGNMENT, Layout
from polydnn.executors.on_cupy.graph import CHUNK, StepGraph


class RecordedGraph:
    def __init__(self, log: list[str], steps: int) -> None:
        self._log, self._steps = log, steps

    def launch(self) -> None:
        self._log.append(f"launch {self._steps}")


class RecordedStream:
    """Notes what is asked of it; ``failure`` is raised inside a capture from the ``failing``-th on."""

    def __init__(self, failure: Exception | None = None, failing: int = 1) -> None:
        self.log: list[str] = []
        self.failure, self.failing, self.captures = failure, failing, 0

    def run(self) -> None:
        self.log.append("run")

    def capture(self, run: Callable[[], None]) -> RecordedGraph:
        self.captures += 1
        self.log.append("begin_capture")
        before = self.log.count("run")
        if self.failure is not None and self.captures >= self.failing:
            self.log.append("broken")
            raise self.failure
        run()
        self.log.append("end_capture")
        return RecordedGraph(self.log, self.log.count("run") - before)


def test_one_step_runs_before_the_first_capture() -> None:
    stream = RecordedStream()
    graph = StepGraph(stream, stream.run, "a step")
    graph.launch(1)
    assert stream.log == ["run"]
    assert not graph.captured
    graph.launch(2)
    assert stream.log == ["run", "begin_capture", "run", "end_capture", "launch 1", "launch 1"]
    assert graph.captured


def test_many_steps_go_by_long_graphs_and_the_rest_singly() -> None:
    stream = RecordedStream()
    StepGraph(stream, stream.run, "a step").launch(1 + 2 * CHUNK + 3)
    assert stream.log[0] == "run"
    assert [each for each in stream.log if each.startswith("launch")] == [f"launch {CHUNK}"] * 2 + ["launch 1"] * 3
    assert stream.captures == 2


@given(st.lists(st.integers(0, 3 * CHUNK), max_size=6))
def test_every_step_is_taken_once_however_they_are_bundled(counts: list[int]) -> None:
    stream = RecordedStream()
    graph = StepGraph(stream, stream.run, "a step")
    for count in counts:
        graph.launch(count)
    captured = {"launch 1": 1, f"launch {CHUNK}": CHUNK}
    outside = (stream.log[0] == "run") if stream.log else False
    assert outside + sum(captured.get(each, 0) for each in stream.log) == sum(counts)
    assert stream.captures <= 2


def test_where_a_capture_fails_steps_run_singly_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    stream = RecordedStream(NotImplementedError("calling cuBLAS API during stream capture is unsupported"))
    graph = StepGraph(stream, stream.run, "a step of 8 rows")
    with caplog.at_level(logging.WARNING, "polydnn"):
        graph.launch(3)
        graph.launch(CHUNK + 1)
    assert stream.captures == 1
    assert stream.log.count("run") == CHUNK + 4
    assert not graph.captured
    assert [record.getMessage() for record in caplog.records] == [
        "cupy_graph: a step of 8 rows runs without a CUDA graph, call by call "
        "(NotImplementedError: calling cuBLAS API during stream capture is unsupported)"
    ]


def test_a_long_capture_that_fails_loses_no_step(caplog: pytest.LogCaptureFixture) -> None:
    stream = RecordedStream(MemoryError("no room for a long graph"), failing=2)
    graph = StepGraph(stream, stream.run, "a step")
    graph.launch(2)
    graph.launch(CHUNK)
    assert stream.log.count("launch 1") == 1
    assert stream.log[stream.log.index("broken") :].count("run") == CHUNK
    assert len(caplog.records) == 1


NAMES = st.dictionaries(
    st.sampled_from([f"layers.{i}.{kind}" for i in range(4) for kind in ("weight", "bias", "scale")]),
    st.one_of(st.tuples(st.integers(1, 70)), st.tuples(st.integers(1, 9), st.integers(1, 9))),
    max_size=8,
)


@given(NAMES, st.sampled_from([4, 8]))
def test_named_views_are_aligned_and_apart(shapes: dict[str, tuple[int, ...]], itemsize: int) -> None:
    weights = [name for name in shapes if name.endswith("weight")]
    layout = Layout(shapes, weights, itemsize=itemsize)
    flat = np.zeros(layout.size, np.dtype(f"f{itemsize}"))
    for number, (name, view) in enumerate(layout.views(flat).items(), start=1):
        assert view.shape == shapes[name]
        assert (view.ctypes.data - flat.ctypes.data) % ALIGNMENT == 0
        assert not view.any(), "two views share elements"
        view[...] = number
        assert (layout.offsets[name] < layout.decayed) == (name in weights)
    assert list(layout.views(flat)) == list(shapes)
    assert np.count_nonzero(flat) == sum(int(np.prod(shape)) for shape in shapes.values())
