"""Which mini-batch size is best on this machine, and why: machine probe, sweep, gradient noise, prediction, report."""

from polydnn.batch_size.cost_model import CostModel, Timing, fit_cost_model
from polydnn.batch_size.crossover import recommend_device
from polydnn.batch_size.machine_probe import probe_machine
from polydnn.batch_size.noise_drift import follow_noise_scale, measure_noise_scale
from polydnn.batch_size.noise_scale import NoiseScale
from polydnn.batch_size.prediction import Prediction, predict
from polydnn.batch_size.record import build_record, read_record, write_record
from polydnn.batch_size.study import study
from polydnn.batch_size.sweep import Sweep, sweep
from polydnn.batch_size.validation import validate

__all__ = [
    "CostModel",
    "NoiseScale",
    "Prediction",
    "Sweep",
    "Timing",
    "build_record",
    "fit_cost_model",
    "follow_noise_scale",
    "measure_noise_scale",
    "predict",
    "probe_machine",
    "read_record",
    "recommend_device",
    "study",
    "sweep",
    "validate",
    "write_record",
]
