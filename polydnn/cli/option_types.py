"""The types of options; flags and experiment files are read by the same ones."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from polydnn.cli.item_text import Item, item_from_text
from polydnn.errors import InvalidArgumentError

__all__ = ["Caches", "ExperimentType", "Hidden", "ItemType", "Number", "Sizes", "Whole"]

if TYPE_CHECKING:
    Base = click.ParamType[Any]
else:
    Base = click.ParamType  # generic since click 8.2 only


class ExperimentType(Base):
    """A type that knows which TOML values it may come from."""

    expected: str

    @abstractmethod
    def fits(self, value: object) -> bool:
        """Whether a value of an experiment file is of a kind that ``convert`` reads."""


class Number(ExperimentType):
    """A finite number between two bounds, or one of some words.

    ``low`` and ``high`` are part of the range unless ``open`` says otherwise; ``words`` maps words to their meaning.
    """

    name = "number"

    def __init__(
        self,
        expected: str,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        open: bool = False,
        words: Mapping[str, object] | None = None,
    ) -> None:
        self.words = dict(words or {})
        self.expected = expected + "".join(f", or {word!r}" for word in self.words)
        self.low, self.high, self.open = low, high, open

    def fits(self, value: object) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number or (isinstance(value, str) and value in self.words)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and value.strip().lower() in self.words:
            return self.words[value.strip().lower()]
        number = self.parse(value)
        if number is None or not self._inside(number):
            self.fail(f"expected {self.expected}; found {value!r}.", param, ctx)
        return number

    def parse(self, value: Any) -> float | None:
        """The number a word or a value stands for, None where it is none."""
        try:
            return float(value)
        except (TypeError, ValueError):
            return None

    def _inside(self, number: float) -> bool:
        inside = self.low < number < self.high if self.open else self.low <= number <= self.high
        return inside and math.isfinite(number)


class Whole(Number):
    """A whole number of at least ``low``, or one of some words."""

    name = "whole number"

    def __init__(self, *, low: int = 1, words: Mapping[str, object] | None = None) -> None:
        super().__init__(f"a whole number of at least {low}", low=low, words=words)

    def fits(self, value: object) -> bool:
        return super().fits(value) and not isinstance(value, float)

    def parse(self, value: Any) -> int | None:
        try:
            return int(value)
        except (TypeError, ValueError):
            return None


class Hidden(ExperimentType):
    """The widths of the hidden layers, ``512,512``; ``none``, or an empty list in a file, for a network without any."""

    name = "widths"
    expected = "whole numbers of at least 1 separated by commas, such as 64,64, or 'none'"

    def fits(self, value: object) -> bool:
        return isinstance(value, str | list)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, str):
            text = value.strip()
            parts: list[Any] = [] if text == "none" else text.split(",")
        else:
            parts = list(value)
        try:
            widths = tuple(int(part) for part in parts if not isinstance(part, bool | float))
        except (TypeError, ValueError):
            widths = ()
        if len(widths) < len(parts) or min(widths, default=1) < 1:
            self.fail(f"expected {self.expected}; found {value!r}.", param, ctx)
        return widths


class ItemType(ExperimentType):
    """A registered item: a name with options, as text or as an inline table ``{name = "sgd", momentum = 0.9}``."""

    name = "item"
    expected = "a name, name:key=value, or a table {name = ..., key = value}"

    def __init__(self, *, optional: bool = False) -> None:
        self.optional = optional

    def fits(self, value: object) -> bool:
        return isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("name"), str))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Item | None:
        if isinstance(value, Item):
            return value
        if isinstance(value, dict):
            return Item(value["name"], {key: option for key, option in value.items() if key != "name"})
        if self.optional and value == "none":
            return None
        try:
            return item_from_text(value)
        except InvalidArgumentError as error:
            self.fail(str(error), param, ctx)


class Sizes(ExperimentType):
    """Batch sizes: a range with its powers of two, ``1:4096``, or a list, ``16,64,256``."""

    name = "sizes"
    expected = "a range such as 1:4096 or a list such as 16,64,256"

    def fits(self, value: object) -> bool:
        whole = isinstance(value, list) and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
        return isinstance(value, str) or whole

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        from polydnn.batch_size.sizes import parse_sizes

        try:
            return parse_sizes(value if isinstance(value, str) else ",".join(map(str, value)))
        except InvalidArgumentError as error:
            self.fail(str(error), param, ctx)


class Caches(ExperimentType):
    """Sizes of caches by level, ``L2=1M,L3=32M``."""

    name = "caches"
    expected = "sizes by level such as 'L2=1M,L3=32M'"

    def fits(self, value: object) -> bool:
        return isinstance(value, str)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        from polydnn.batch_size.cache_sizes import parse_caches

        if isinstance(value, dict):
            return value
        try:
            return parse_caches(value)
        except InvalidArgumentError as error:
            self.fail(str(error), param, ctx)
