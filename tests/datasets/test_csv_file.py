"""Tables: what they become, and every fault named by its line and column."""

import csv
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polydnn.datasets import read_csv, read_csv_features
from polydnn.errors import DataFileError, DTypeError, InvalidArgumentError, InvalidDataError, StorageError
from tests.yardstick import assert_within

TABLE = "length, width,kind,price\n5.1,3.5,rose,1.5\n\n4.9,3,iris,2.5\n-4.7e0, 3.2 ,rose,3\n4.6,+3.1,moss,4.5\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "flowers.csv"
    path.write_text(TABLE)
    return path


def everything(path: Path, **options: Any) -> list[tuple[list[float], Any]]:
    dataset = read_csv(path, **options)
    x = np.concatenate([dataset.train.x, dataset.test.x])
    y = np.concatenate([dataset.train.y, dataset.test.y])
    return sorted(zip(x.tolist(), y.tolist(), strict=True))


def test_text_labels_are_classes_in_sorted_order(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("a,kind\n1,rose\n2, iris \n3,rose\n4,moss\n")
    dataset = read_csv(path, targets=["kind"])
    assert (dataset.name, dataset.task, dataset.classes) == ("labels", "multiclass", ("iris", "moss", "rose"))
    assert (dataset.features, dataset.targets, dataset.source) == (("a",), ("kind",), str(path))
    assert everything(path, targets="kind") == [([1.0], 2), ([2.0], 0), ([3.0], 2), ([4.0], 1)]


def test_a_column_in_the_middle_may_be_the_target(tmp_path: Path) -> None:
    path = tmp_path / "middle.csv"
    path.write_text("a,price,b\n1,1.5,2\n3,2.5,4\n")
    assert everything(path, targets=["price"]) == [([1.0, 2.0], [1.5]), ([3.0, 4.0], [2.5])]


def test_several_targets_keep_the_order_they_are_asked_in(tmp_path: Path) -> None:
    path = tmp_path / "several.csv"
    path.write_text("p,a,q\n1,1.5,0\n0,2.5,0\n")
    assert everything(path, targets=["q", "p"]) == [([1.5], [0, 1]), ([2.5], [0, 0])]
    assert read_csv(path, ["q", "p"]).task == "multilabel"


def test_the_way_numbers_are_written_decides_between_classes_and_quantities(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("a,whole,real\n1,1,1.0\n2,2,2.0\n3,3,3.0\n")
    assert read_csv(path, ["whole"]).task == "multiclass"
    assert read_csv(path, ["real"]).task == "regression"
    assert read_csv(path, ["real"], task="multiclass").classes == ("1", "2", "3")
    assert read_csv(path, ["whole"], task="regression").train.y.dtype == np.float64


def test_quotes_byte_order_mark_crlf_and_gzip(tmp_path: Path) -> None:
    content = '\ufeff"a","the ""kind""",b\r\n1,"x, y",2\r\n3,"two\nlines",4\r\n'.encode()
    plain, packed = tmp_path / "plain.csv", tmp_path / "packed.csv.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    for path in (plain, packed):
        dataset = read_csv(path, targets='the "kind"')
        assert (dataset.features, dataset.classes) == (("a", "b"), ("two\nlines", "x, y"))
    assert read_csv(packed, targets='the "kind"').name == "packed"


def test_one_column_of_text_among_the_columns_that_are_left_out(table: Path) -> None:
    x = read_csv_features(table, ["width", "length"])
    assert x.tolist() == [[3.5, 5.1], [3.0, 4.9], [3.2, -4.7], [3.1, 4.6]]
    with pytest.raises(DataFileError, match=r"line 2, column 'kind': expected a finite number, found 'rose'"):
        read_csv_features(table)
    with pytest.raises(DataFileError, match=r"has no column 'lenght'; its columns: .*Did you mean 'length'\?"):
        read_csv_features(table, ["lenght"])


def test_the_features_can_be_named_and_the_rest_may_hold_anything(table: Path) -> None:
    dataset = read_csv(table, "price", features=["width", "length"], task="regression")
    assert dataset.features == ("width", "length")
    found = everything(table, targets="price", features=["width"], task="regression")
    assert found == [([3.0], [2.5]), ([3.1], [4.5]), ([3.2], [3.0]), ([3.5], [1.5])]
    with pytest.raises(DataFileError, match=r"has no column 'lenght'; its columns: .*Did you mean 'length'\?"):
        read_csv(table, "price", features=["lenght"])
    for wrong in ([], ["width", "width"], ["width", "price"]):
        with pytest.raises(InvalidArgumentError, match=r"^features must name .* beside the targets, found \["):
            read_csv(table, "price", features=wrong)


def test_fractions_and_seeds_reach_the_split(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    path.write_text("a,b\n" + "".join(f"{row},{row / 7}\n" for row in range(10_000)))
    first, other = (read_csv(path, "b", test_fraction=0.4, seed=seed) for seed in (0, 1))
    assert (len(first.train), len(first.test)) == (6000, 4000)
    assert first.test.x.tolist() != other.test.x.tolist()
    assert np.allclose(first.train.y, first.train.x / 7, rtol=1e-15, atol=0)  # rows stay together across blocks


def test_twenty_thousand_rows_take_little_more_than_python_needs_for_their_text(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    rows = np.random.default_rng(0).normal(size=(20_000, 9))
    path.write_text("a,b,c,d,e,f,g,h,i\n" + "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()))

    def plainly() -> list[list[float]]:
        with path.open(newline="") as file:
            return [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]

    assert read_csv(path, "i").train.x.shape == (16_000, 8)
    assert_within(4.0, lambda: read_csv(path, "i"), plainly)


BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("", "y", DataFileError, r"bad\.csv is empty; expected a header row"),
    ("\n\n", "y", DataFileError, r"bad\.csv is empty"),
    ("a,y\n", "y", DataFileError, r"has a header but no rows"),
    ("a,y\n1,2\n3\n", "y", DataFileError, r"bad\.csv, line 3: expected 2 cells as in the header, found 1"),
    ("a,y\n\n1,2,3\n", "y", DataFileError, r"line 3: expected 2 cells as in the header, found 3"),
    ("a,y\n1,2\nx,3\n", "y", DataFileError, r"line 3, column 'a': expected a finite number, found 'x'"),
    ("a,y\n1,2\n ,3\n", "y", DataFileError, r"line 3, column 'a': expected a finite number, found an empty cell"),
    ("a,y\n1,2\nnan,3\n", "y", DataFileError, r"line 3, column 'a': expected a finite number, found 'nan'"),
    ("a,y\n1,2\n-inf,3\n", "y", DataFileError, r"line 3, column 'a': expected a finite number, found '-inf'"),
    ("a,y\n1e999,2\n", "y", DataFileError, r"line 2, column 'a': expected a finite number, found '1e999'"),
    ("a,y\n1_000,2\n", "y", DataFileError, r"line 2, column 'a': expected a finite number, found '1_000'"),
    ("a,b,y\n1,2,3\n4,red,5\n", "y", DataFileError, r"line 3, column 'b': .* found 'red'; correct the cell or remove"),
    (
        "a,b,c,y\n1,red,,3\n4,blue,,5\n",
        "y",
        DataFileError,
        r"line 2, column 'b': .*, found 'red'; no cell of the column is a number\. Encode it in numbers \(.*\), or "
        r"leave it out\. The same holds for: c\.$",
    ),
    ("a,y\n1,2.5\n3,\n", "y", DataFileError, r"line 3, column 'y': expected a value, found an empty cell"),
    ("a,y\n1,2.5\n3,NaN\n", "y", DataFileError, r"line 3, column 'y': expected a finite number .*, found 'NaN'"),
    ("a,y\n1,2.5\n3,?\n", "y", DataFileError, r"line 3, column 'y': expected a finite number .*found '\?'"),
    ("a,y\n1,2.5\n3,1_0\n", "y", DataFileError, r"line 3, column 'y': expected a finite number .*found '1_0'"),
    (
        "a,y,z\n1,2,u\n",
        ["y", "z"],
        DataFileError,
        r"line 2, column 'z': expected a number, as .* several targets, found 'u'",
    ),
    ("a,price\n1,2\n", "prize", DataFileError, r"has no column 'prize'; its columns: a, price\. Did you mean 'price'"),
    ("1,2\n3,4\n", "y", DataFileError, r"has no column 'y'.*The first line holds numbers only; put a header row"),
    ("1,1\n3,4\n", "y", DataFileError, r"has no column 'y'.*The first line holds numbers only; put a header row"),
    ("a;y\n1;2\n", "y", DataFileError, r"has no column 'y'.*separated by something else than commas"),
    ("a,a,y\n1,2,3\n", "y", DataFileError, r"line 1: the header names the column 'a' more than once"),
    (",a,y\n0,1,2\n", "y", DataFileError, r"line 1: column 1 of the header has no name\. \(An index"),
    ("a,,y\n0,1,2\n", "y", DataFileError, r"line 1: column 2 of the header has no name\.$"),
    ("y\n1\n2\n", "y", DataFileError, r"all 1 columns are targets; leave at least one as a feature"),
    ('a,y\n1,"2\n', "y", DataFileError, r"line 2: no valid CSV: unexpected end of data"),
    ("a,y\n1,2\n", [], InvalidArgumentError, r"^targets must name one or more different columns .*found \[\]"),
    ("a,y\n1,2\n", ["y", "y"], InvalidArgumentError, r"^targets must name one or more different columns"),
    ("a,y\n1,u\n2,u\n", "y", InvalidDataError, r"^y \(y\): all rows have the class 'u'; a binary task needs"),
]


@pytest.mark.parametrize(("content", "targets", "error", "text"), BAD)
def test_tables_that_cannot_be_used(
    tmp_path: Path, content: str, targets: Any, error: type[Exception], text: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(error, match=text):
        read_csv(path, targets)


def test_a_fault_far_down_is_still_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "far.csv"
    path.write_text("a,y\n" + "1,2\n" * 9000 + "1,2\nx,2\n")
    with pytest.raises(DataFileError, match=r"far\.csv, line 9003, column 'a': .*found 'x'"):
        read_csv(path, "y")


def test_a_task_that_the_column_cannot_serve(table: Path) -> None:
    with pytest.raises(DataFileError, match=r"line 2, column 'kind': expected a finite number, found 'rose'"):
        read_csv(table, "price")
    table.write_text("a,kind\n1,x\n2,y\n")
    with pytest.raises(DTypeError, match=r"^y \(kind\): a regression task needs numbers"):
        read_csv(table, "kind", task="regression")
    table.write_text("a,kind\n1,3\n2,4b\n")
    assert read_csv(table, "kind", task="binary").classes == ("3", "4b")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"missing\.csv cannot be read: No such file or directory"):
        read_csv(tmp_path / "missing.csv", "y")
    with pytest.raises(StorageError, match=r"cannot be read: Is a directory"):
        read_csv(tmp_path, "y")
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress(TABLE.encode() * 100)[:-9])
    with pytest.raises(DataFileError, match=r"broken\.csv\.gz is no complete gzip file"):
        read_csv(broken, "kind")
    broken.write_text(TABLE)
    with pytest.raises(DataFileError, match=r"broken\.csv\.gz is no complete gzip file"):
        read_csv(broken, "kind")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("a,größe\n1,2\n".encode("latin-1"))
    with pytest.raises(DataFileError, match=r"latin\.csv is not UTF-8 text \(.* at byte 4\); save it as UTF-8"):
        read_csv(latin, "a")
