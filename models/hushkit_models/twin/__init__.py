"""Integer twins of the firmware's kernels, equal bit for bit."""

from hushkit_models.twin.biquad import BiquadTwin
from hushkit_models.twin.fir import FirQ15Twin, FirQ31Twin, gradient_q31

__all__ = ["BiquadTwin", "FirQ15Twin", "FirQ31Twin", "gradient_q31"]
