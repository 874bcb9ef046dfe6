"""CUDA kernels run on the host: their text compiled by g++, the threads of a block as fibers that meet at barriers.

Blocks run one after another, the threads of a block in turns from barrier to barrier. A thread that returns while
others wait at a barrier is reported: on a GPU that is undefined.
"""

import atexit
import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["COMPILER", "host_module"]

COMPILER = shutil.which("g++")

SHIM = r"""
#include <cmath>
#include <functional>
#include <vector>
#include <ucontext.h>
using std::exp; using std::expm1; using std::log1p; using std::tanh; using std::fabs; using std::erfc; using std::sqrt;
#define __global__
#define __device__
#define __shared__ static
struct Place { unsigned x, y, z; };
static Place threadIdx, blockIdx, blockDim, gridDim;
static ucontext_t scheduler;
struct Fiber { ucontext_t context; std::vector<char> stack; bool done; long barriers; double kept; };
static std::vector<Fiber> fibers;
static int current;
static const std::function<void()>* body;

static void yield() { swapcontext(&fibers[current].context, &scheduler); }
static void __syncthreads() { ++fibers[current].barriers; yield(); }
template <class T> static T __shfl_xor_sync(unsigned, T value, int apart) {
  fibers[current].kept = double(value);
  __syncthreads();
  T other = T(fibers[current ^ apart].kept);
  __syncthreads();
  return other;
}
static void enter() { (*body)(); fibers[current].done = true; yield(); }

static int run_grid(int gx, int gy, int bx, int by, const std::function<void()>& call) {
  body = &call;
  gridDim = {unsigned(gx), unsigned(gy), 1}; blockDim = {unsigned(bx), unsigned(by), 1};
  int count = bx * by;
  if (int(fibers.size()) < count) fibers.resize(count);
  for (int y = 0; y < gy; ++y) for (int x = 0; x < gx; ++x) {
    blockIdx = {unsigned(x), unsigned(y), 0};
    for (int i = 0; i < count; ++i) {
      Fiber& f = fibers[i];
      f.stack.resize(16384); f.done = false; f.barriers = 0;
      getcontext(&f.context);
      f.context.uc_stack.ss_sp = f.stack.data(); f.context.uc_stack.ss_size = f.stack.size();
      f.context.uc_link = &scheduler;
      makecontext(&f.context, enter, 0);
    }
    for (int left = count; left > 0;) {
      left = 0;
      for (current = 0; current < count; ++current) {
        if (fibers[current].done) continue;
        threadIdx = {unsigned(current % bx), unsigned(current / bx), 0};
        swapcontext(&scheduler, &fibers[current].context);
        if (!fibers[current].done) ++left;
      }
    }
    for (int i = 1; i < count; ++i) if (fibers[i].barriers != fibers[0].barriers) return 1;
  }
  return 0;
}
"""

SIGNATURE = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')


@cache
def _folder() -> Path:
    made = tempfile.mkdtemp(prefix="cuda_on_host_")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


@cache
def _library(text: str) -> ctypes.CDLL:
    source = [SHIM, text]
    for name, parameters in SIGNATURE.findall(text):
        types = [each.strip().rpartition(" ")[0] for each in " ".join(parameters.split()).split(",")]
        values = ", ".join(f"*({kind}*)a[{number}]" for number, kind in enumerate(types))
        source.append(
            f'extern "C" int launch_{name}(int gx, int gy, int bx, int by, void** a) '
            f"{{ return run_grid(gx, gy, bx, by, [&] {{ {name}({values}); }}); }}"
        )
    path = _folder() / f"{hashlib.blake2b(text.encode(), digest_size=10).hexdigest()}.so"
    command = [str(COMPILER), "-x", "c++", "-std=c++14", "-O1", "-fPIC", "-shared", "-ffp-contract=off", "-Werror"]
    done = subprocess.run(
        [*command, "-Wno-unused-function", "-o", str(path), "-"],
        input="\n".join(source),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(path))


def host_module(text: str, names: Sequence[str]) -> Mapping[str, Callable[..., None]]:
    """The kernels of a module, each called as ``kernel(grid, block, arguments)`` with NumPy arrays and scalars."""
    library = _library(text)
    return {name: _kernel(library, name) for name in names}


def _kernel(library: ctypes.CDLL, name: str) -> Callable[..., None]:
    function = getattr(library, f"launch_{name}")

    def launch(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        kept = [_argument(each) for each in arguments]
        pointers = (ctypes.c_void_p * len(kept))(*(each.ctypes.data for each in kept))
        sizes = [*grid, 1][:2] + [*block, 1][:2]
        assert function(*sizes, pointers) == 0, f"{name}: threads left the block before a barrier that others reached"

    return launch


def _argument(value: Any) -> np.ndarray[Any, Any]:
    """The bytes of an argument: an array's address, or the scalar itself."""
    if isinstance(value, np.generic):
        return np.asarray(value).reshape(1)
    assert value.flags.c_contiguous
    return np.asarray([value.ctypes.data], dtype=np.uint64)
