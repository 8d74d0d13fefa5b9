"""Headset spec to integers: the only stage that computes in floating point."""

from hushkit_codegen.design.headset import design_headset
from hushkit_codegen.errors import DesignError

__all__ = ["DesignError", "design_headset"]
