"""Instruments of the bench: instruction counts, traces and cycle models of what ran on QEMU."""
