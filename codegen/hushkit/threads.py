"""One thread per process in numerical libraries."""

import os


def use_one_thread() -> None:
    """Ask BLAS and OpenMP for one thread, unless the user has said otherwise; call before NumPy is imported.

    Our matrices are small: more threads cost time (thirty-fold on a busy machine), and they sum in another order.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
