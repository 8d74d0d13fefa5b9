"""Integer twins of the firmware's kernels and control path, equal bit for bit."""

from hushkit_models.twin.biquad import BiquadTwin
from hushkit_models.twin.control_path import ControlPathTwin, PathRecord
from hushkit_models.twin.fdaf import FdafSettings, FdafTwin
from hushkit_models.twin.fir import FirQ15Twin, FirQ31Twin, gradient_q31
from hushkit_models.twin.fxnlms import FxNlmsSettings, FxNlmsTwin
from hushkit_models.twin.hybrid import HybridSettings, HybridTwin
from hushkit_models.twin.level import DcBlockTwin, LimiterTwin, RampTwin

__all__ = [
    "BiquadTwin",
    "ControlPathTwin",
    "DcBlockTwin",
    "FdafSettings",
    "FdafTwin",
    "FirQ15Twin",
    "FirQ31Twin",
    "FxNlmsSettings",
    "FxNlmsTwin",
    "HybridSettings",
    "HybridTwin",
    "LimiterTwin",
    "PathRecord",
    "RampTwin",
    "gradient_q31",
]
