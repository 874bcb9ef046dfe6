"""The three products of a dense layer in cublasLt's column-major terms, without a transposition of row-major arrays.

A row-major (r, c) array is a column-major (c, r) one with leading dimension c, so that

    Y = X W       is  Y^T (units, rows)    = W^T (units, inputs)  X^T (inputs, rows)
    dX = dZ W^T   is  dX^T (inputs, rows)  = W (inputs, units)    dZ^T (units, rows)
    dW = X^T dZ   is  dW^T (units, inputs) = dZ^T (units, rows)   X (rows, inputs)

where W^T, X^T and dZ^T are what cublasLt sees in memory, and W and X are had by its flag for transposition.
"""

from polydnn.executors.on_cupy.cublaslt import Terms

__all__ = ["forward_terms", "input_gradient_terms", "weight_gradient_terms"]


def forward_terms(rows: int, inputs: int, units: int, *, double: bool, tf32: bool = False) -> Terms:
    """Y (rows, units) = X (rows, inputs) W (inputs, units): A is W, B is X.

    >>> terms = forward_terms(64, 784, 512, double=False)
    >>> (terms.m, terms.n, terms.k), (terms.lda, terms.ldb, terms.ldd)
    ((512, 64, 784), (512, 784, 512))
    """
    return Terms(units, rows, inputs, units, inputs, units, double=double, tf32=tf32)


def input_gradient_terms(rows: int, inputs: int, units: int, *, double: bool, tf32: bool = False) -> Terms:
    """dX (rows, inputs) = dZ (rows, units) W^T: A is W, B is dZ."""
    return Terms(inputs, rows, units, units, units, inputs, transpose_a=True, double=double, tf32=tf32)


def weight_gradient_terms(
    rows: int, inputs: int, units: int, *, double: bool, tf32: bool = False, into_weights: bool = False
) -> Terms:
    """dW (inputs, units) = X^T dZ: A is dZ, B is X.

    ``into_weights`` is for plain gradient descent: alpha = -learning_rate and beta = 1 then lie on the device, D is the
    weight itself, and there is no gradient to store and to read again.
    """
    return Terms(
        units,
        inputs,
        rows,
        units,
        inputs,
        units,
        transpose_b=True,
        double=double,
        tf32=tf32,
        scalars_on_device=into_weights,
    )
