"""The words the other rooms use in their annotations.

The Array API standard describes arrays and namespaces by behaviour, and no library ships one static type for them;
the aliases name the role of a value, and the tests on array-api-strict check the behaviour.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array of the standard: ``numpy.ndarray``, ``cupy.ndarray``, ``torch.Tensor``, ``jax.Array`` ..."""

Namespace: TypeAlias = Any
"""The module of array functions, always passed as the keyword ``xp``."""

Device: TypeAlias = Any
"""Whatever an array's ``device`` attribute gives."""

DType: TypeAlias = Any
"""A data type object of one namespace, for example ``xp.float32``."""

Parameters: TypeAlias = dict[str, Array]
"""Parameters by name, ``{"layers.0.weight": (in_features, out_features), "layers.0.bias": (out_features,)}``."""

Gradients: TypeAlias = dict[str, Array]
"""One array for each parameter, of the same name, shape and dtype."""

Options: TypeAlias = Mapping[str, Any]
"""Keyword options of a registered item, as they are written into files: numbers, strings, booleans, lists."""
