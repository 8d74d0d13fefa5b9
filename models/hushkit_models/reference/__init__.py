"""Adaptive controllers in float64: what the integer firmware is measured against.

Every algorithm is a :class:`~hushkit_models.reference.controller.Controller`: sample by sample as a library, or a whole
closed loop at once, compiled. :func:`~hushkit_models.reference.registry.make_controller` builds one by name.
"""

from hushkit_models.reference.controller import Controller, ControllerError, Run
from hushkit_models.reference.registry import ALGORITHMS, make_controller

__all__ = ["ALGORITHMS", "Controller", "ControllerError", "Run", "make_controller"]
