"""Targets a headset runs on: QEMU, this machine, a board."""
