"""The executor keeps the contract of executors on every plan of the conformance kit that it does not decline."""

from polydnn.testing import conformance_tests

test_conformance = conformance_tests("polydnn-numba")
