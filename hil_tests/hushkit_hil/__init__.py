"""Bench: runs headsets on QEMU, boards and the host, and judges them."""
