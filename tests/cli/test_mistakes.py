"""Mistakes a user makes: each ends in one message that names what was asked and what to do, and in no traceback."""

from pathlib import Path
from typing import Any

import pytest

from polydnn.arrays import cupy_backend
from polydnn.errors import BackendUnavailableError

FAILURES = [
    (["--dataset", "digitz"], "unknown dataset 'digitz'", "Did you mean 'digits'?"),
    (["--dataset", "digitz"], "A file of your own is named by its path, ending in .csv, .csv.gz or .npz."),
    (["--activation", "rellu"], "unknown activation 'rellu'", "Did you mean 'relu'?"),
    (["--activation", "elu:alfa=2"], "activation 'elu' has no option 'alfa'", "Did you mean 'alpha'?"),
    (["--output-activation", "softmx"], "unknown activation 'softmx'", "Did you mean 'softmax'?"),
    (["--loss", "mse"], "unknown loss 'mse'", "registered: ", "Did you mean 'mean_squared_error'?"),
    (
        ["--loss", "zero_one"],
        "unknown loss 'zero_one'",
        "sum_squared_error. No plugin that is installed offers it either.",
    ),
    (["--metric", "acc"], "unknown metric 'acc'", "Did you mean 'accuracy'?"),
    (["--optimizer", "adam:learning_rate=0.1"], "'adam' has no option 'learning_rate'", "or --learning-rate.\n"),
    (["--optimizer", "adamm"], "unknown optimizer 'adamm'", "Did you mean 'adam'?"),
    (["--optimizer", "sgd:momentum=2"], "sgd: momentum must be", "found 2"),
    (["--schedule", "cosin"], "unknown schedule 'cosin'", "Did you mean 'cosine'?"),
    (["--metric", "accurcy"], "unknown metric 'accurcy'", "Did you mean 'accuracy'?"),
    (["--metric", "r2"], "metrics: r2 does not measure a multiclass task; those that do: accuracy, "),
    (
        ["--dataset", "california_housing", "--metric", "accuracy"],
        "metrics: accuracy does not measure a regression task; those that do: ",
        "r2, root_mean_squared_error",
    ),
    (["--initializer", "he"], "unknown initializer 'he'", "registered: "),
    (["--backend", "tensorflow"], "unknown backend 'tensorflow'", "numpy"),
    (["--execution", "fast", "--epochs", "1"], "execution must be one of auto, reference", "found 'fast'"),
    (["--dataset", "nope.csv", "--target", "y"], "nope.csv cannot be read: No such file or directory."),
    (["--dataset", "nope.npz"], "nope.npz cannot be read: No such file or directory."),
    (["--dataset", "flowers.csv", "--target", "specie"], "has no column 'specie'", "Did you mean 'species'?"),
    (["--dataset", "flowers.csv", "--target", "species", "--task", "regression"], "a regression task needs numbers"),
    (["--dataset", "digits", "--target", "y"], "--target, --task and --test-fraction are for files"),
    (["--test-fraction", "0.5"], "'digits' knows its own. Leave them out."),
    (
        ["--loss", "binary_cross_entropy"],
        "the loss 'binary_cross_entropy' does not serve 'digits', which is for multiclass; those that do: "
        "categorical_cross_entropy, ",
        "Without --loss it is categorical_cross_entropy.",
    ),
    (["--loss", "hinge"], "the loss 'hinge' does not serve 'digits'"),
    (
        ["--dataset", "breast_cancer", "--loss", "categorical_cross_entropy"],
        "which is for binary; those that do: binary_cross_entropy, hinge, ",
    ),
    (["--dataset", "yeast", "--loss", "categorical_cross_entropy"], "which is for multilabel; those that do: "),
    (["--dataset", "california_housing", "--loss", "hinge"], "which is for regression; those that do: "),
    (["--dataset", "california_housing", "--loss", "binary_cross_entropy"], "which is for regression; those that do"),
    (["--dataset", "breast_cancer", "--output-activation", "softmax"], "needs several outputs", "use sigmoid"),
    (["--hidden", "1000000000000"], "the memory does not suffice (", "--hidden", "--batch-size"),
    (["--hidden", "10000000000000000000000000"], "the memory does not suffice (", "--hidden", "--batch-size"),
    (["--output", "taken"], "the output folder taken cannot be made: it is a file. Choose another with --output."),
    (["--output", "taken/inside"], "the output folder taken/inside cannot be made: Not a directory."),
    (["--optimizer", "sgd", "--learning-rate", "1e12"], "the loss became", "Try a learning rate below"),
    (["--no-plugins", "--activation", "polydnn-nope:nope"], "unknown activation 'polydnn-nope:nope'"),
]

WRONG_USAGE = [
    (["--learning-rate", "-1"], "'--learning-rate': expected a number above 0, or 'none'; found '-1'."),
    (["--learning-rate", "fast"], "expected a number above 0, or 'none'; found 'fast'."),
    (["--batch-size", "0"], "'--batch-size': expected a whole number of at least 1, or 'full', or 'auto'; found '0'."),
    (["--batch-size", "2.5"], "found '2.5'."),
    (["--epochs", "0"], "'--epochs': expected a whole number of at least 1; found '0'."),
    (["--seed", "-1"], "'--seed': expected a whole number of at least 0; found '-1'."),
    (["--hidden", "64,x"], "expected whole numbers of at least 1 separated by commas, such as 64,64, or 'none'"),
    (["--dropout", "1"], "'--dropout': expected a number from 0 to below 1; found '1'."),
    (["--weight-decay", "nan"], "expected a number of at least 0; found 'nan'."),
    (["--optimizer", "sgd:momentum="], "expected options as key=value,key=value behind the last colon"),
    (["--dtype", "float16"], "'float16' is not one of 'float32', 'float64'."),
    (["--patience", "3"], "--patience looks at validation rows; set some aside with --validation-fraction 0.1."),
    (
        ["--target-normalization", "standard"],
        "--target-normalization standard scales the targets of a regression",
        "this is multiclass with the loss categorical_cross_entropy. Leave it out.",
    ),
    (
        ["--dataset", "flowers.csv"],
        "flowers.csv is to be predicted with --target; its columns: length, width, species.",
    ),
    (["--epocs", "3"], "--epochs"),
    (["one.toml", "two.toml"], "unexpected extra argument"),
]


@pytest.fixture
def folder(tmp_path: Path, flowers: Path) -> Path:
    (tmp_path / "taken").write_text("a file\n")
    return tmp_path


@pytest.mark.parametrize("case", FAILURES, ids=lambda case: " ".join(case[0]))
def test_a_failure_is_explained_with_exit_status_1(run: Any, folder: Path, case: tuple[Any, ...]) -> None:
    arguments, *words = case
    _explained(run("train", *arguments), 1, words)
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("case", WRONG_USAGE, ids=lambda case: " ".join(case[0]))
def test_wrong_usage_is_explained_with_exit_status_2(run: Any, folder: Path, case: tuple[Any, ...]) -> None:
    arguments, *words = case
    (folder / "one.toml").write_text("epochs = 1\n")
    _explained(run("train", *arguments), 2, words)
    assert not (folder / "runs").exists()


OTHER_COMMANDS = [
    (["tran"], 2, "no command 'tran'", "Did you mean 'train'?"),
    (["predict", "nowhere", "flowers.csv"], 1, "no model: there is no file nowhere."),
    (["predict", ".", "flowers.csv"], 1, "holds no model.safetensors"),
    (["predict", "taken", "flowers.csv"], 1, "'taken' cannot be used as a model file"),
    (
        ["predict", "flowers.csv", "taken"],
        1,
        "'flowers.csv' cannot be used as",
        "it is no .safetensors file, or only a",
    ),
    (["predict", "taken"], 2, "Missing argument 'FILE'"),
    (["evaluate", "nowhere"], 1, "no file nowhere. Train one with: polydnn train --output nowhere\n"),
    (["evaluate", "my runs/model.safetensors"], 1, "Train one with: polydnn train --output 'my runs'\n"),
    (["datasets", "info", "digitz"], 1, "unknown dataset 'digitz'", "Did you mean 'digits'?"),
    (["datasets", "info", "flowers.csv"], 2, "with --target; its columns: length, width, species."),
    (["datasets", "fetch", "digits"], 1, "'digits' comes with polydnn, there is nothing to fetch"),
    (["datasets", "fetch", "nope"], 1, "unknown dataset 'nope'"),
    (["plugins", "check", "polydnn-nope"], 1, "unknown plugin 'polydnn-nope'"),
    (["plugins", "check", "polydnn", "--backend", "nope"], 1, "unknown backend 'nope'"),
    (["plugins", "new", "soft"], 2, "--activation, --loss or --optimizer"),
    (["plugins", "new", "Soft Sign", "--activation"], 1, "NAME must be lower-case letters", "found 'Soft Sign'"),
    (["plugins", "new", "lambda", "--activation"], 1, "no word of Python itself"),
    (["plugins", "new", "relu", "--activation"], 1, "polydnn offers an activation 'relu' already"),
    (["plugins", "new", "soft", "--loss", "--directory", "taken"], 1, "taken/polydnn-soft cannot be made"),
]


@pytest.mark.parametrize("case", OTHER_COMMANDS, ids=lambda case: " ".join(case[0]))
def test_mistakes_with_other_commands_are_explained(run: Any, folder: Path, case: tuple[Any, ...]) -> None:
    arguments, status, *words = case
    _explained(run(*arguments), status, words)


@pytest.mark.parametrize("command", [["evaluate", "half done"], ["predict", "half done", "flowers.csv"]])
def test_a_run_that_is_not_finished_is_to_be_gone_on_with(run: Any, folder: Path, command: list[str]) -> None:
    (folder / "half done" / "checkpoints").mkdir(parents=True)
    words = (
        "no model: the run in half done is not finished; go on with it by: polydnn train --output 'half done' --resume"
    )
    _explained(run(*command), 1, [words])


def _explained(result: Any, status: int, words: list[str]) -> None:
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "unexpected" not in result.stderr.replace("unexpected extra argument", "")
    assert result.stderr.count("Error: ") == 1
    for each in words:
        assert each in result.stderr


def test_cupy_without_a_gpu_says_what_to_install(run: Any) -> None:
    try:
        cupy_backend()
    except BackendUnavailableError:
        result = run("train", "--backend", "cupy")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: backend 'cupy")
        assert "pip install" in result.stderr or "driver" in result.stderr
    else:
        pytest.skip("CuPy works here")


def test_the_environment_s_backend_is_named_where_it_cannot_be_used(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYDNN_BACKEND", "nunpy")
    result = run("train", "--epochs", 1)
    assert result.exit_code == 1
    assert "unknown backend 'nunpy'" in result.stderr
    assert "POLYDNN_BACKEND" in result.stderr
