"""An invented record of a batch-size study, for tests of the report alone: no machine was ever measured like this."""

import math
from typing import Any

__all__ = ["invented_study", "smallest_study"]

SIZES = [2**power for power in range(13)]
T0, T1, NOISE, CAPACITIES = 2.1e-4, 1.6e-6, 310.0, {"L1d": 49152, "L2": 2**20, "L3": 16 * 2**20}
STATE, EACH, FLOPS = 600_000, 6_000, 600_000  # bytes of the network and of one example, operations of one example


def working_set(size: int) -> int:
    return STATE + EACH * size


def level(size: int) -> str:
    return next((name for name, room in CAPACITIES.items() if working_set(size) <= room), "memory")


def seconds(size: int) -> float:
    beyond = max(0.0, size - (CAPACITIES["L3"] - STATE) / EACH)
    wobble = 1 + 0.02 * math.sin(7.0 * math.log2(size + 1))
    return (T0 + T1 * size + 1.6 * T1 * beyond) * wobble


def row(size: int) -> dict[str, Any]:
    took = seconds(size)
    moved = 3 * STATE + 3 * EACH * size
    parts = {"gather": 0.1e-6 * size + 5e-6, "optimizer": 0.35 * T0 + 3e-6}
    rest = took - sum(parts.values())
    split = {
        "gather": parts["gather"],
        "forward": rest * 0.36,
        "backward": rest * 0.64,
        "optimizer": parts["optimizer"],
    }
    return {
        "batch_size": size,
        "seconds_per_step": took,
        "seconds_per_step_interval": [took * 0.97, took * 1.05],
        "repeats": 40,
        "warm_up_seconds": 0.02,
        "split": split,
        "seconds_per_epoch": took * math.ceil(60000 / size),
        "samples_per_second": size / took,
        "flops": FLOPS * size,
        "gigaflops_per_second": FLOPS * size / took / 1e9,
        "bytes_moved": moved,
        "gigabytes_per_second": moved / took / 1e9,
        "working_set_bytes": working_set(size),
        "cache_level": level(size),
        "peak_memory_bytes": 2 * working_set(size),
        "execution": "reference",
    }


def target(size: int) -> float:
    return (1 + NOISE / size) * seconds(size)


def machine() -> dict[str, Any]:
    detected = {**CAPACITIES, "L3": 480 * 2**20}
    measured = {"L1d": None, "L2": 1_180_000, "L3": CAPACITIES["L3"]}
    arrays = [2 ** (14 + step / 2) for step in range(29)]
    speeds = [112 if size <= 2**20 else 58 if size <= CAPACITIES["L3"] else 35 for size in arrays]
    return {
        "cpu": "Invented Processor 9000",
        "device": {"name": "Invented Processor 9000"},
        "caches": [
            {
                "level": name,
                "detected_bytes": detected[name],
                "source": "sysfs",
                "measured_bytes": measured[name],
                "used_bytes": CAPACITIES[name],
                "overridden": False,
            }
            for name in CAPACITIES
        ],
        "bandwidth": [
            {"array_bytes": round(size), "gigabytes_per_second": speed - 20 * 2 ** (-(place / 2))}
            for place, (size, speed) in enumerate(zip(arrays, speeds, strict=True))
        ],
        "latency": [
            {"array_bytes": round(size), "nanoseconds": 200 / speed} for size, speed in zip(arrays, speeds, strict=True)
        ],
        "peak_gigaflops": 690.0,
        "peak_gigabytes_per_second": 112.0,
        "load_average": [0.42, 0.37, 0.3],
        "warnings": ["this virtual machine is told of an L3 of 480 MiB for 2 processors; the measured size is used."],
    }


def invented_study(text: str = "invented") -> dict[str, Any]:
    """A complete record; ``text`` stands in every place that takes free words, so that escaping can be tested."""
    times = {size: target(size) for size in SIZES}
    best = min(times, key=times.__getitem__)
    rates = {size: size / seconds(size) for size in SIZES}
    enough = next(size for size, rate in rates.items() if rate >= 0.95 * max(rates.values()))
    knees = [
        {"batch_size": 128, "cache_level": "L3", "kind": "capacity", "rise": None},
        {"batch_size": 4096, "cache_level": "memory", "kind": "capacity", "rise": None},
        {"batch_size": 4096, "cache_level": "memory", "kind": "measured", "rise": 0.8},
    ]
    drift = [
        {"step": 100 * n, "loss": 2.3 * 0.75**n, "value": 60 * 1.5**n, "interval": [50 * 1.5**n, 75 * 1.5**n]}
        for n in range(7)
    ]
    return {
        "schema": "polydnn.batch_size/1",
        "provenance": {
            "polydnn": "0.1.0",
            "python": "3.11.9",
            "packages": {"numpy": "2.4.0", "array-api-compat": "1.12.0"},
            "backend": "numpy",
            "device": "Invented Processor 9000",
            "dtype": "float32",
            "execution": "auto",
            "threads": 2,
            "seed": 0,
            "dataset": {"name": text, "rows": 60000, "in_features": 784, "fingerprint": "0f1e2d3c4b5a"},
            "widths": [128, 64, 10],
            "loss": "categorical_cross_entropy",
            "optimizer": {"name": "adam", "options": {"beta1": 0.9}},
            "learning_rate": 0.001,
            "activation": ["relu", "relu", "softmax"],
            "budget_seconds": 90.0,
            "started": "2026-01-02T03:04:05+00:00",
            "environment": {"OMP_NUM_THREADS": None},
            "plugins": [text],
        },
        "machine": machine(),
        "sweep": [row(size) for size in SIZES],
        "skipped": [{"batch_size": 8192, "why": f"the budget of 90 s was spent ({text})"}],
        "noise_scale": {
            "value": NOISE,
            "interval": [250.0, 390.0],
            "trace": 355.0,
            "squared_norm": 1.15,
            "examples": 4096,
            "drift": drift,
        },
        "cost_model": {"t0": T0, "t1": T1, "half_saturation": T0 / T1, "knees": knees},
        "prediction": [
            {
                "batch_size": size,
                "relative_steps": 1 + NOISE / size,
                "seconds_to_target": time,
                "seconds_to_target_interval": [time * 0.85, time * 1.2],
            }
            for size, time in times.items()
        ],
        "best": {
            "batch_size": best,
            "interval": [best // 2, best * 2],
            "smallest_within_5_percent": enough,
            "fastest_throughput": max(rates, key=rates.__getitem__),
            "why": f"At {best} the fixed cost of a step and the noise of the gradient weigh the same. {text}",
            "below": "Below it each step is mostly the fixed cost of its calls.",
            "at": "At it the arithmetic bounds the step.",
            "above": "Above it examples are averaged that the gradient no longer needs.",
        },
        "validation": {
            "target_loss": 0.35,
            "scaling": "square_root",
            "seeds": 3,
            "rows": [
                {
                    "batch_size": size,
                    "learning_rate": 0.001,
                    "seed": seed,
                    "steps": 900,
                    "seconds": 1.0,
                    "reached": size > 8,
                }
                for size in SIZES[3:11:2]
                for seed in range(3)
            ],
            "measured": [
                {
                    "batch_size": size,
                    "seconds_to_target": 430 * times[size] * (1 + 0.1 * math.sin(size)),
                    "seconds_to_target_interval": [380 * times[size], 520 * times[size]],
                }
                for size in SIZES[4:12:2]
            ],
            "measured_best": {"batch_size": 64, "interval": [32, 128]},
        },
        "crossover": {
            "slower_backend": "numpy",
            "faster_backend": "cupy",
            "batch_size": 96,
            "why": f"from there on ({text})",
        },
    }


def smallest_study() -> dict[str, Any]:
    """What a study of one size on a silent machine leaves: everything that may be missing is."""
    study = invented_study()
    study["sweep"] = [{**row(32), "peak_memory_bytes": None}]
    study["machine"] |= {
        "caches": [],
        "bandwidth": [],
        "latency": [],
        "peak_gigaflops": None,
        "peak_gigabytes_per_second": None,
        "load_average": [],
        "warnings": [],
    }
    study["cost_model"]["knees"] = []
    study["best"] |= {"batch_size": 32, "interval": [32, 32], "smallest_within_5_percent": 32, "fastest_throughput": 32}
    return {**study, "skipped": [], "noise_scale": None, "prediction": [], "validation": None, "crossover": None}
