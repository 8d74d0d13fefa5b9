"""Integer designs: the dataclasses, and their canonical JSON."""

from hushkit_codegen.ir.model import (
    AdaptiveIr,
    BiquadIr,
    CategoriesIr,
    CategorySettingsIr,
    FdafIr,
    FilterIr,
    FilterQuality,
    FirIr,
    FxNlmsIr,
    HeadsetIr,
    HybridIr,
    NoAdaptiveIr,
    SilentIr,
    TransversalIr,
    WarpedIr,
    WarpedLsIr,
)
from hushkit_codegen.ir.quality import describe_quality
from hushkit_codegen.ir.store import IR_FILE, digest_ir, dump_ir, load_ir, parse_ir, save_ir

__all__ = [
    "IR_FILE",
    "AdaptiveIr",
    "BiquadIr",
    "CategoriesIr",
    "CategorySettingsIr",
    "FdafIr",
    "FilterIr",
    "FilterQuality",
    "FirIr",
    "FxNlmsIr",
    "HeadsetIr",
    "HybridIr",
    "NoAdaptiveIr",
    "SilentIr",
    "TransversalIr",
    "WarpedIr",
    "WarpedLsIr",
    "describe_quality",
    "digest_ir",
    "dump_ir",
    "load_ir",
    "parse_ir",
    "save_ir",
]
