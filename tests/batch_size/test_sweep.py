"""The sweep: its bookkeeping on a clock that only the fake executor moves, and that it leaves no trace."""

import hashlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import polydnn
from polydnn.arrays import Backend
from polydnn.arrays._numpy import NumpyBackend
from polydnn.batch_size import sweep
from polydnn.batch_size.split import BY_EXECUTOR, BY_REFERENCE
from polydnn.batch_size.sweep import Sweep, sweep_twin
from polydnn.batch_size.twin import twin_of
from polydnn.errors import DivergenceError, InvalidArgumentError, InvalidDataError
from polydnn.execution import Candidate, Data, PureExecutor, reference_step

RNG = np.random.default_rng(5)
X = RNG.normal(size=(200, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 200)
T0, T1 = 1e-3, 1e-5


class Clock:
    """Time that stands still unless somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Timed(NumpyBackend):
    """NumPy with a made-up clock and a made-up memory."""

    def __init__(self, clock: Clock, free: int | None = 2**40) -> None:
        super().__init__()
        self.clock, self.free = clock, free

    def seconds(self, run: Callable[[], object]) -> float:
        before = self.clock()
        run()
        return self.clock() - before

    def memory_bytes(self) -> int | None:
        return self.free


class Slow(PureExecutor):
    """The reference step, which takes t0 + t1 B seconds of the made-up clock, shaken a little."""

    seen: list[tuple[int, np.ndarray]]

    def __init__(self, plan: Any, clock: Clock, fail: Callable[[int], None], shake: float) -> None:
        super().__init__(plan, reference_step(plan))
        self.clock, self.fail, self.shake = clock, fail, shake
        self.random = np.random.default_rng(0)
        self.seen = []

    def step(self, x: Any, y: Any, learning_rate: float, key: Any, weights: Any = None) -> Any:
        self.fail(x.shape[0])
        self.clock.now += (T0 + T1 * x.shape[0]) * (1 + self.shake * self.random.normal())
        self.seen.append((x.shape[0], x))
        return super().step(x, y, learning_rate, key, weights)

    def timed_step(self, data: Data, index: Any, learning_rate: float, key: Any) -> dict[str, float]:
        self.clock.now += T0
        return {"gather": 1.0, "forward": 2.0, "backward": 3.0, "optimizer": 4.0}


class Bench:
    """A trainer on the made-up clock."""

    def __init__(self, fail: Callable[[int], None] = lambda size: None, shake: float = 0.001, **options: Any) -> None:
        self.clock = Clock()
        self.backend = Timed(self.clock, options.pop("free", 2**40))
        self.made: list[Slow] = []

        def build(plan: Any) -> Slow:
            self.made.append(Slow(plan, self.clock, fail, shake))
            return self.made[-1]

        layers = [polydnn.Dense(5, "tanh"), polydnn.Dense(3, "softmax")]
        network = polydnn.Network(6, layers, backend=self.backend)
        self.trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", optimizer="adam", **options)
        self.trainer.executors = (Candidate("slow", build),)

    def sweep(self, sizes: list[int], **options: Any) -> Sweep:
        arguments = {"budget": 20.0} | options
        return sweep_twin(twin_of(self.trainer, X, Y), sizes, clock=self.clock, **arguments)


def test_the_times_of_a_known_machine_come_out() -> None:
    bench = Bench()
    found = bench.sweep([1, 8, 64, 200, 512], caches={"L1d": 4000, "L2": 2**14})
    assert [row["batch_size"] for row in found.rows] == [1, 8, 64, 200]
    for row in found.rows:
        size, expected = row["batch_size"], T0 + T1 * row["batch_size"]
        low, high = row["seconds_per_step_interval"]
        assert row["seconds_per_step"] == pytest.approx(expected, rel=0.005)
        assert low <= row["seconds_per_step"] <= high
        assert row["repeats"] >= 9
        assert row["samples_per_second"] == pytest.approx(size / row["seconds_per_step"])
        assert row["seconds_per_epoch"] == pytest.approx(-(-200 // size) * row["seconds_per_step"])
        assert row["flops"] == size * 2 * (2 * 6 * 5 + 3 * 5 * 3)
        assert row["gigaflops_per_second"] == pytest.approx(row["flops"] / row["seconds_per_step"] / 1e9)
        assert row["gigabytes_per_second"] == pytest.approx(row["bytes_moved"] / row["seconds_per_step"] / 1e9)
        assert row["execution"] == "slow"
        shares = [row["split"][part] / row["seconds_per_step"] for part in ("gather", "forward", "backward")]
        assert shares == pytest.approx([0.1, 0.2, 0.3])
        assert sum(row["split"].values()) == pytest.approx(row["seconds_per_step"])
        assert row["split_source"] == BY_EXECUTOR
        assert row["warm_up_seconds"] > 0.0
        assert row["peak_memory_bytes"] > 0
    assert [row["cache_level"] for row in found.rows] == ["L1d", "L1d", "L2", "memory"]
    assert found.skipped == [{"batch_size": 512, "why": "there are 200 rows to train on"}]


def test_batches_are_real_rows_without_putting_back_in_the_shuffled_order() -> None:
    bench = Bench()
    bench.sweep([48], budget=3.0)
    batches = [x for size, x in max((made.seen for made in bench.made), key=len) if size == 48]
    known = {row.tobytes(): number for number, row in enumerate(X)}
    numbers = [[known[row.tobytes()] for row in batch] for batch in batches]
    assert all(len(set(batch)) == 48 for batch in numbers)
    assert sorted(numbers[0]) != numbers[0]
    assert len({tuple(batch) for batch in numbers}) == 200 // 48  # the epoch's full batches, again and again


def test_sizes_are_visited_in_random_order_in_several_rounds() -> None:
    bench, said = Bench(shake=0.2), []
    bench.sweep([4, 8, 16, 32], budget=4.0, progress=lambda text, share: said.append((text, share)))
    visits = [int(text.split(": ")[1]) for text, _ in said if text.startswith("measuring")]
    rounds = [tuple(visits[start : start + 4]) for start in range(0, len(visits) - 4, 4)]
    assert len(rounds) > 3
    assert all(sorted(each) == [4, 8, 16, 32] for each in rounds[:3])
    assert len(set(rounds)) > 1
    assert [share for _, share in said] == sorted(share for _, share in said)
    assert 0.0 <= said[0][1] <= said[-1][1] <= 1.0


def test_steady_times_end_before_the_budget_and_unsteady_ones_with_it() -> None:
    steady = Bench(shake=0.0)
    steady.sweep([1, 8, 64], budget=1000.0)
    assert steady.clock() < 30.0
    unsteady = Bench(shake=0.3)
    unsteady.sweep([1, 8, 64], budget=10.0)
    assert 5.0 < unsteady.clock() <= 10.5


@pytest.mark.parametrize("budget", [0.05, 0.3, 1.0, 3.0])
def test_the_budget_holds_and_what_it_leaves_out_is_told(budget: float) -> None:
    bench = Bench(shake=0.3)
    found = bench.sweep([1, 2, 4, 8, 16, 32, 64, 128], budget=budget)
    assert bench.clock() <= 1.3 * budget + 0.1
    assert found.rows
    measured = {row["batch_size"] for row in found.rows} | {each["batch_size"] for each in found.skipped}
    assert measured == {1, 2, 4, 8, 16, 32, 64, 128}
    assert all("for the sweep" in each["why"] for each in found.skipped)


def test_where_preparing_takes_long_the_sizes_are_spread_up_to_the_largest() -> None:
    """Three seconds a size, as a compiler may take, and time for some four of them."""
    bench = Bench()
    candidate = bench.trainer.executors[0]

    def build(plan: Any) -> Slow:
        bench.clock.now += 3.0
        return candidate.build(plan)  # type: ignore[return-value]

    bench.trainer.executors = (Candidate("slow", build),)
    found = bench.sweep([1, 2, 4, 8, 16, 32, 64, 128, 512], budget=17.0)
    assert [row["batch_size"] for row in found.rows] == [1, 2, 16, 128]
    whys = {each["batch_size"]: each["why"] for each in found.skipped}
    assert whys.pop(512) == "there are 200 rows to train on"
    assert set(whys.values()) == {"the 17.0 s for the sweep leave no time for it"}
    assert list(whys) == [4, 8, 32, 64]


def test_what_does_not_fit_the_memory_is_left_out_before_it_is_tried() -> None:
    bench = Bench(free=30_000)
    found = bench.sweep([1, 8, 64, 128])
    assert [row["batch_size"] for row in found.rows] == [1, 8, 64]
    assert found.skipped[0]["batch_size"] == 128
    assert found.skipped[0]["why"].startswith("a step works on ")
    assert found.skipped[0]["why"].endswith(" of memory are free")
    assert not any(size == 128 for made in bench.made for size, _ in made.seen)


@pytest.mark.parametrize("error", [MemoryError("no"), RuntimeError("CUDA: out of memory")])
def test_memory_that_runs_out_ends_a_size_and_all_larger_ones(error: Exception) -> None:
    def fail(size: int) -> None:
        if size > 60:
            raise error

    bench = Bench(fail)
    bench.trainer.executors = ()
    found = bench.sweep([4])  # the reference serves without them
    assert found.rows[0]["execution"] == "reference"
    assert found.rows[0]["split_source"] == BY_REFERENCE

    calls = []

    def later(size: int) -> None:  # not on the first batch, where the choice falls back on the reference
        calls.append(size)
        if size > 60 and calls.count(size) > 2:
            raise error

    found = Bench(later).sweep([4, 64, 128])
    assert [row["batch_size"] for row in found.rows] == [4]
    why = f"the memory does not suffice for 64 rows ({type(error).__name__})"
    assert found.skipped == [{"batch_size": 64, "why": why}, {"batch_size": 128, "why": why}]


def test_where_nothing_can_be_measured_it_says_why() -> None:
    with pytest.raises(InvalidArgumentError, match=r"no batch size could be measured: 256: there are 200 rows"):
        sweep(Bench().trainer, X, Y, sizes=[256], budget=1.0)
    for budget in (0, -1.0, float("inf"), True, "9"):
        with pytest.raises(InvalidArgumentError, match=r"budget must be a number of seconds above 0, found "):
            sweep(Bench().trainer, X, Y, budget=budget)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"execution must be one of auto, reference, slow, found 'fast'"):
        sweep(Bench().trainer, X, Y, execution="fast", budget=1.0)
    with pytest.raises(InvalidDataError, match="x must be finite"):
        sweep(Bench().trainer, X * np.nan, Y, budget=1.0)


def state_of(trainer: Any) -> str:
    """A digest of everything that a fit begins with or leaves, and of NumPy's global random state."""
    to_numpy, digest = trainer.network.backend.to_numpy, hashlib.blake2b()
    for name, array in trainer.network.arrays.items():
        digest.update(name.encode() + np.ascontiguousarray(to_numpy(array)).tobytes())
    for name, slots in trainer.optimizer_state.items():
        for slot, array in slots.items():
            digest.update(f"{name} {slot}".encode() + np.ascontiguousarray(to_numpy(array)).tobytes())
    network = trainer.network
    facts = (network.normalized, network.target_normalized, network.task, network.threshold, trainer.batch_size)
    progress = None if trainer.progress is None else trainer.progress.numbers()
    rest = (facts, progress, trainer.history.rows, trainer.seed, trainer.learning_rate, trainer.callbacks)
    digest.update(repr((rest, trainer.choice and trainer.choice.name, trainer.stop_requested)).encode())
    digest.update(pickle.dumps(np.random.get_state()))
    return digest.hexdigest()


def rich_trainer(backend: Backend) -> polydnn.Trainer:
    """One with everything that has a state: scaled inputs, statistics, masks, momentum, a history."""
    layers = [
        polydnn.Normalization("standard"),
        polydnn.Dense(5, "tanh"),
        polydnn.BatchNormalization(),
        polydnn.Dropout(0.2),
        polydnn.Dense(3, "softmax"),
    ]
    network = polydnn.Network(6, layers, backend=backend)
    return polydnn.Trainer(
        network, loss="categorical_cross_entropy", optimizer=("sgd", {"momentum": 0.9}), batch_size=32, seed=3
    )


@pytest.mark.parametrize("fitted", [False, True], ids=["new", "trained"])
def test_no_trace_is_left(backend: Backend, fitted: bool) -> None:
    trainer = rich_trainer(backend)
    if fitted:
        trainer.fit(X, Y, epochs=2)
    x, y = X.copy(), Y.copy()
    before = state_of(trainer)
    found = sweep(trainer, x, y, sizes=[2, 50, 200], budget=0.3)
    assert found.rows
    assert state_of(trainer) == before
    assert (x == X).all()
    assert (y == Y).all()


def test_a_fit_after_a_sweep_gives_the_bits_of_a_fit_without() -> None:
    one, two = rich_trainer(NumpyBackend()), rich_trainer(NumpyBackend())
    sweep(one, X, Y, sizes=[4, 32], budget=0.3)
    assert one.fit(X, Y, epochs=2)["loss"] == two.fit(X, Y, epochs=2)["loss"]
    assert all((one.network.arrays[name] == array).all() for name, array in two.network.arrays.items())


@pytest.mark.parametrize("error", [RuntimeError("a cable was pulled"), KeyboardInterrupt()])
@pytest.mark.parametrize("nth", [1, 12, 40])
def test_no_trace_is_left_by_a_sweep_that_fails(error: BaseException, nth: int) -> None:
    bench = Bench()
    bench.trainer.fit(X, Y, epochs=1)
    before = state_of(bench.trainer)
    count = 0

    def fail(size: int) -> None:
        nonlocal count
        count += 1
        if count == nth + 3:  # the choice itself lets nothing through
            raise error

    bench.made.clear()
    other = Bench(fail)
    bench.trainer.executors = other.trainer.executors
    with pytest.raises(type(error)):
        bench.sweep([4, 32])
    assert count == nth + 3
    assert state_of(bench.trainer) == before


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # arithmetic that overflows
@pytest.mark.parametrize("execution", ["auto", "reference"])
def test_a_rate_that_diverges_in_training_does_not_in_the_sweep(execution: str) -> None:
    """Unless it is out of all reason: then the size is left out, and says why."""

    def trainer(rate: float) -> polydnn.Trainer:
        network = polydnn.Network(6, [polydnn.Dense(5), polydnn.Dense(1)])
        options: Any = {"loss": "mean_squared_error", "learning_rate": rate, "batch_size": 1, "execution": execution}
        return polydnn.Trainer(network, **options)

    y = X[:, :1]
    with pytest.raises(DivergenceError):
        trainer(5.0).fit(X, y, epochs=1)
    assert [row["batch_size"] for row in sweep(trainer(5.0), X, y, sizes=[1, 64], budget=1.0).rows] == [1, 64]
    with pytest.raises(InvalidArgumentError, match="1: the loss is not a finite number after a few steps; try a lower"):
        sweep(trainer(1e12), X, y, sizes=[1], budget=0.3)


@pytest.mark.slow
def test_a_real_sweep_measures_or_says_why_not() -> None:
    """That it keeps to its budget is shown above, on the made-up clock: a real one runs on while others work."""
    network = polydnn.Network(64, [polydnn.Dense(64, "relu"), polydnn.Dense(3, "softmax")])
    trainer = polydnn.Trainer(network, loss="categorical_cross_entropy", optimizer="adam")
    x = RNG.normal(size=(5000, 64)).astype(np.float32)
    found = sweep(trainer, x, RNG.integers(0, 3, 5000), budget=15.0)
    assert all("for the sweep" in each["why"] for each in found.skipped)
    assert len(found.rows) + len(found.skipped) == 13
    rates = {row["batch_size"]: row["samples_per_second"] for row in found.rows}
    assert rates.get(64, np.inf) > 2.0 * rates[1]
