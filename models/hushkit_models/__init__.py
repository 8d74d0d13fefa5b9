"""Acoustics, reference algorithms and integer twins."""
