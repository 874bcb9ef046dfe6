"""A study from beginning to end: a whole record, an untouched trainer, a budget that holds, and "auto"."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.batch_size import read_record, study, write_record
from polydnn.batch_size.automatic import choose_batch_size
from polydnn.batch_size.record import check_record
from polydnn.errors import InvalidArgumentError

RNG = np.random.default_rng(2)
X = RNG.normal(size=(300, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0)
CACHES = "L1d=48K,L2=1M,L3=16M"


def trainer(**options: Any) -> polydnn.Trainer:
    layers = [polydnn.Dense(8, "tanh"), polydnn.Dense(3, "softmax")]
    arguments: dict[str, Any] = {"loss": "categorical_cross_entropy", "optimizer": "adam", "batch_size": 32} | options
    return polydnn.Trainer(polydnn.Network(6, layers), **arguments)


@pytest.fixture(scope="module")
def made() -> tuple[polydnn.Trainer, dict[str, Any], list[tuple[str, float]]]:
    said: list[tuple[str, float]] = []
    one = trainer()
    record = study(
        one, X, Y, sizes="1:128,512", budget=6.0, caches=CACHES, dataset="invented", executions=["reference"], epochs=3,
        validation_fraction=0.1, progress=lambda text, share: said.append((text, share)),
    )  # fmt: skip
    return one, record, said


def test_the_record_is_whole(made: Any, tmp_path: Any) -> None:
    record = made[1]
    check_record(record)
    write_record(tmp_path / "record.json", record)
    assert read_record(tmp_path / "record.json")["best"] == record["best"]
    skipped = {each["batch_size"]: each["why"] for each in record["skipped"]}
    assert sorted([*(row["batch_size"] for row in record["sweep"]), *skipped]) == [1, 2, 4, 8, 16, 32, 64, 128, 512]
    assert skipped.pop(512) == "there are 270 rows to train on"
    assert all("for the sweep" in why for why in skipped.values())  # on a busy machine, and none on another
    facts = record["provenance"]["dataset"]
    assert (facts["name"], facts["rows"], facts["in_features"]) == ("invented", 270, 6)
    assert len(facts["fingerprint"]) == 32
    assert record["provenance"]["budget_seconds"] == 6.0
    used = {each["level"]: (each["used_bytes"], each["overridden"]) for each in record["machine"]["caches"]}
    assert used == {"L1d": (49152, True), "L2": (2**20, True), "L3": (2**24, True)}
    assert {row["cache_level"] for row in record["sweep"]} <= {"L1d", "L2"}
    assert record["noise_scale"]["drift"][0]["step"] == 0
    assert record["noise_scale"]["drift"][-1]["step"] <= 3 * 9
    assert record["best"]["batch_size"] in {row["batch_size"] for row in record["prediction"]}
    assert record["validation"] is None


def test_other_executions_stand_beside_the_trainers_own(made: Any) -> None:
    (other,) = made[1]["other_executions"]
    assert other["execution"] == "reference"
    assert {row["execution"] for row in other["sweep"]} == {"reference"}
    assert other["skipped"][-1]["batch_size"] == 512


def test_the_trainer_is_as_it_was(made: Any) -> None:
    one, fresh = made[0], trainer()
    assert len(one.history) == 0
    assert one.progress is None
    assert one.fit(X, Y, epochs=2)["loss"] == fresh.fit(X, Y, epochs=2)["loss"]


def test_its_parts_share_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that stands still but for the parts, each of which takes all the time that it is given."""
    room = sys.modules["polydnn.batch_size.study"]
    now, given = [0.0], {}

    def taking(name: str, real: Any, little: float) -> Any:
        def part(*arguments: Any, **options: Any) -> Any:
            option = "budget" if "budget" in options else "seconds"
            given[name] = options[option]
            now[0] += options[option]
            return real(*arguments, **options | {option: little})

        return part

    monkeypatch.setattr(room, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    for name, little in (("probe_machine", 0.1), ("sweep_twin", 1.0), ("follow", 1.0)):
        monkeypatch.setattr(room, name, taking(name, getattr(room, name), little))
    record = study(trainer(), X, Y, sizes=[8], budget=20.0, caches=CACHES, epochs=1)
    assert given == pytest.approx({"probe_machine": 1.2, "sweep_twin": 13.2, "follow": 4.4})
    assert record["seconds"] == pytest.approx(18.8)


def test_it_tells_where_it_is(made: Any) -> None:
    _, record, said = made
    assert record["seconds"] > 0.0
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    stages = list(dict.fromkeys(text.partition(":")[0] for text, _ in said))
    assert stages[0] == "looking at the machine"
    assert stages[-1] == "measuring the gradient noise scale"


def test_with_a_validation_the_measured_stands_beside_the_predicted() -> None:
    options = {"seeds": (0, 1), "budget": 3.0, "scaling": "square root"}
    record = study(trainer(), X, Y, sizes=[8, 64], budget=2.0, caches=CACHES, target_loss=0.9, validation=options)
    found = record["validation"]
    assert (found["target_loss"], found["scaling"]) == (0.9, "square root")
    assert {row["batch_size"] for row in found["rows"]} == {row["batch_size"] for row in record["sweep"]} <= {8, 64}
    assert {row["seed"] for row in found["rows"]} <= {0, 1}


def test_too_few_rows_for_the_noise_leave_the_throughput_to_decide() -> None:
    record = study(trainer(), X[:5], Y[:5], budget=1.0, caches=CACHES)
    assert record["noise_scale"] is None
    assert any("There is no gradient noise scale, so the throughput alone decides" in each for each in
               record["machine"]["warnings"])  # fmt: skip
    assert record["best"]["batch_size"] == record["best"]["smallest_within_5_percent"]


def test_what_cannot_be_is_refused_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    room = sys.modules["polydnn.batch_size.study"]  # the package's own name of that is the function
    monkeypatch.setattr(room, "probe_machine", lambda *_, **__: pytest.fail("measured"))
    for options, text in (
        ({"sizes": "16;64"}, "sizes '16;64'"),
        ({"budget": -1}, "budget must be a number of seconds above 0, found -1."),
        ({"caches": "L9=1M"}, "names no cache; possible: L1d, L2, L3, L4"),
    ):
        with pytest.raises(InvalidArgumentError) as refused:
            study(trainer(), X, Y, **options)  # type: ignore[arg-type]
        assert text in str(refused.value)


class Known:
    """Stands in for the measurement: the steps of a machine with known overhead and cost of a row."""

    def __init__(self, t0: float, t1: float) -> None:
        self.t0, self.t1 = t0, t1

    def __call__(self, twin: Any, sizes: Any, **options: Any) -> Any:
        from polydnn.batch_size import Sweep

        rows = [self.row(size) for size in sizes]
        return Sweep(rows, [])

    def row(self, size: int) -> dict[str, Any]:
        seconds = self.t0 + self.t1 * size
        return {
            "batch_size": size,
            "seconds_per_step": seconds,
            "seconds_per_step_interval": [0.99 * seconds, 1.01 * seconds],
            "cache_level": "L2",
            "execution": "reference",
        }


def test_auto_follows_what_a_row_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where overhead is everything it takes large batches; where every row costs, small ones."""
    chosen = []
    for t0, t1 in ((1e-3, 1e-8), (1e-6, 1e-4)):
        monkeypatch.setattr("polydnn.batch_size.automatic.sweep_twin", Known(t0, t1))
        chosen.append(choose_batch_size(trainer(), X, Y, budget=0.5))
    assert chosen[0].batch_size == 256
    assert chosen[1].batch_size == 4
    assert chosen[1].why.startswith("4 has the least predicted time to target.")


def test_auto_stays_where_it_is_when_too_little_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class One(Known):
        def __call__(self, twin: Any, sizes: Any, **options: Any) -> Any:
            return super().__call__(twin, sizes[:1])

    monkeypatch.setattr("polydnn.batch_size.automatic.sweep_twin", One(1.0, 1.0))
    found = choose_batch_size(trainer(), X, Y, budget=2.0)
    assert found.batch_size == 64
    assert found.why == "it is 64 without a measurement: 2 s were too short to measure 3 sizes."
    assert choose_batch_size(trainer(), X[:3], Y[:3], budget=1.0).batch_size <= 3
