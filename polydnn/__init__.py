"""Feed-forward deep neural networks on NumPy, CuPy, PyTorch and JAX from one code base."""
