"""Acoustic paths, noise scenes, sound fields, what physics allows, and how what was reached is measured.

``paths`` loads or computes a headset's responses, ``noise`` a scene, ``scenario`` joins them into the signals a plant
plays, ``bound`` solves for the best causal filter, ``metrics`` and ``spectrum`` measure a run. Everything is float64,
deterministic in its seed, and raises :class:`AcousticsError` on input it cannot use.
"""

from hushkit_models.acoustics.errors import AcousticsError

__all__ = ["AcousticsError"]
