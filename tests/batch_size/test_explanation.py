"""The sentences about a best size: they name what bounds the step, and every number in them is the measured one."""

from typing import Any

from polydnn.batch_size.cost_model import Timing, fit_cost_model
from polydnn.batch_size.explanation import Explanation, Facts, explain
from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.prediction import predict

POWERS = [2**k for k in range(14)]
CACHES = {"L2": 2**20, "L3": 32 * 2**20}


def told(seconds: Any, scale: float | None, *, facts: Facts | None = None, sizes: Any = POWERS) -> Explanation:
    timings = [Timing(size, seconds(size), (0.99 * seconds(size), 1.01 * seconds(size))) for size in sizes]
    cost = fit_cost_model(timings)
    noise = None if scale is None else NoiseScale(scale, (0.9 * scale, 1.1 * scale), scale, 1.0, 4096)
    return explain(cost, noise, predict(cost, noise), facts)


def line(size: float) -> float:
    return 100e-6 + 1e-6 * size


def working_sets(fixed: float, each: float) -> dict[int, int]:
    return {size: round(fixed + each * size) for size in POWERS}


def test_a_best_size_between_overhead_and_statistics() -> None:
    found = told(line, 400.0)
    assert found.why == (
        "256 has the least predicted time to target; sizes from 128 to 256 are within 5 % of it. Here the data's noise "
        "scale is 400 rows (360 to 440), and 100 rows cost as much as the overhead of a step; the square root of their "
        "product is 200."
    )
    assert found.below == (
        "Below, overhead bounds the step: 44 % of the 228 µs that a step of 128 rows takes is overhead. From 256 to "
        "128 rows a step takes 0.640 times as long and 1.61 times the steps are needed."
    )
    assert found.at == (
        "At 256: a step takes 356 µs, 28 % of it overhead; 2.56 times the fewest possible steps are needed."
    )
    assert found.above == (
        "Above, the statistics bound the training: the batch is past the noise scale of the data. From 256 to 512 rows "
        "a step takes 1.72 times as long and 0.695 times the steps are needed."
    )


def test_arithmetic_bounds_what_is_above_while_the_noise_is_large() -> None:
    facts = Facts(gigaflops=dict.fromkeys(POWERS, 300.0), peak_gigaflops=400.0)
    found = told(line, 5000.0, facts=facts)
    assert found.why.startswith("512 has the least")
    assert found.above.startswith(
        "Above, arithmetic bounds the step: every further row adds 1.00 µs (its products run at 300 GFLOP/s, 75 % of "
        "the machine's best)."
    )
    assert "its products run at 300 GFLOP/s" in found.at


def test_a_knee_above_is_named_with_the_cache_that_is_left() -> None:
    facts = Facts(CACHES, working_sets(2**20, 50 * 2**10))

    def kinked(size: float) -> float:
        return line(size) + 3e-6 * max(0.0, size - 600)

    found = told(kinked, 5000.0, facts=facts)
    assert found.why.startswith("512 has the least")
    assert "its working set of 26 MiB lies in the L3 (32 MiB)" in found.at
    assert found.above.startswith(
        "Above, the step gets dearer: from 1024 rows on a further row costs more by 248 %, where the working set of "
        "51 MiB leaves the L3 (32 MiB). From 512 to 1024 rows"
    )
    elsewhere = told(kinked, 5000.0, facts=Facts(CACHES, working_sets(2**20, 1.0)))
    assert "a further row costs more by 248 %, in the same cache as before." in elsewhere.above
    unknown = told(kinked, 5000.0)
    assert "a further row costs more by 248 %. From 512" in unknown.above


def test_a_cache_that_is_left_without_a_trace_is_said_so() -> None:
    sizes = working_sets(2**20, 50 * 2**10)
    timings = [
        Timing(size, line(size), (0.99 * line(size), 1.01 * line(size)), "L3" if size < 1024 else "memory")
        for size in POWERS
    ]
    cost, noise = fit_cost_model(timings), NoiseScale(5000.0, (4500.0, 5500.0), 5000.0, 1.0, 4096)
    found = explain(cost, noise, predict(cost, noise), Facts(CACHES, sizes))
    assert found.above.endswith(
        "The working set of 51 MiB leaves the L3 (32 MiB) at 1024 rows, which the times do not show."
    )


def test_a_working_set_beyond_every_cache() -> None:
    found = told(line, 400.0, facts=Facts(CACHES, working_sets(2**30, 1.0)))
    assert "its working set of 1.00 GiB is more than the L3 holds (32 MiB)" in found.at


def test_the_ends_of_the_sweep_are_said() -> None:
    found = told(line, 400.0, sizes=[256, 512, 1024])
    assert found.below == "No size below 256 was measured; the best may lie there."
    assert told(line, 400.0, sizes=[8, 16, 32]).above == "No size above 32 was measured; the best may lie there."


def test_statistics_bound_what_is_below_where_overhead_is_small() -> None:
    found = told(lambda size: 1e-6 + 1e-6 * size, 2000.0)
    assert found.below.startswith("Below, the statistics bound the training, not the step: 6 % of the 17.0 µs")


def test_without_a_noise_scale() -> None:
    found = told(line, None)
    assert found.why == (
        "No noise scale was measured, so throughput decides: 2048 is the smallest size within 5 % of the most rows a "
        "second, which size 8192 reaches."
    )
    assert "steps" not in found.at + found.below
    assert found.above == (
        "Above, arithmetic bounds the step: every further row adds 1.00 µs. From 2048 to 4096 rows a step takes 1.95 "
        "times as long."
    )


def test_an_open_interval_and_no_slope() -> None:
    timings = [Timing(size, 1e-3, (0.99e-3, 1.01e-3)) for size in POWERS]
    cost, noise = fit_cost_model(timings), NoiseScale(400.0, (300.0, None), 400.0, 1.0, 4096)
    found = explain(cost, noise, predict(cost, noise))
    assert "the data's noise scale is 400 rows (300 or more), and the times show no cost of a further row" in found.why


def test_one_size_alone_claims_nothing_of_overhead() -> None:
    found = told(line, 400.0, sizes=[64])
    assert found.why == (
        "64 has the least predicted time to target. It is the only size that was measured, and the data's noise scale "
        "is 400 rows (360 to 440)."
    )
    assert "overhead" not in " ".join(found.as_dict().values())
