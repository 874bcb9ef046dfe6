"""The executor for CuPy: a training step captured once as a CUDA graph and then replayed.

Nothing in this room has run on a GPU yet; on the host its kernels, descriptors and bookkeeping are tested against the
reference step. The first run on a GPU has to show, in this order (``benchmarks/gpu_check.py`` runs what is written):

1. that capture succeeds for plans of built-in parts (a warning of the logger ``polydnn`` says where it does not), and
   that a captured plug-in (a private memory pool, see ``device``) survives other work on the same device;
2. that cublasLt takes its scalars from device memory for every shape (``products.Direct``), with which algorithms;
3. how many steps one graph should hold (``graph.CHUNK``), and the cost of a node;
4. whether the epilogues RELU_AUX_BIAS with DRELU_BGRAD, and BGRADA, beat a product followed by one kernel; the executor
   does not use them: ``cublaslt`` can describe them, and they stay candidates until they have won;
5. block sizes and rows per block of ``kernels``, above all the column sums of wide layers at large batches;
6. whether one kernel that runs whole epochs of a tiny network is worth writing.
"""

from polydnn.executors.on_cupy.executor import cupy_executor

__all__ = ["cupy_executor"]
