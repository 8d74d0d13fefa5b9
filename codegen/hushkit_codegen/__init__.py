"""Headset spec to integer IR to C."""
