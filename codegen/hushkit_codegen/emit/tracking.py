"""What the design of the tracking controller becomes in C."""

from hushkit_codegen.emit.tables import Table, float_literal, sections_table
from hushkit_codegen.ir import BiquadIr, TrackingIr, WarpedLsIr

_PER_ROW = 8


def tracking_tables(design: WarpedLsIr) -> list[Table]:
    """Constant arrays; none without tracking."""
    tracking = design.tracking
    if tracking is None:
        return []
    tables = [
        sections_table(title, f"hk_design_{name}_taps[HK_CONFIG_EQUALISER_SECTIONS][5]", section)
        for name, title, section in (
            ("equaliser", "Equaliser of the driver's low end", tracking.equaliser),
            ("inverse", "Its inverse", tracking.inverse),
        )
        if isinstance(section, BiquadIr)
    ]
    weighting = [float_literal(round(tap * 10**9 / 2**28)) for tap in tracking.weighting_q28]
    name = "const float hk_design_weighting[HK_CONFIG_WEIGHTING_TAPS]"
    tables.append(Table("Weighting of the equations, on the chain.", name, _lines(weighting)))
    correlation = [float_literal(value) for value in tracking.auxiliary_correlation_ppb]
    name = "const float hk_design_auxiliary_correlation[HK_CONFIG_WARPED_SECONDARY_TAPS]"
    tables.append(Table("Correlation of the auxiliary noise over sections apart.", name, _lines(correlation)))
    return tables


def tracking_fields(tracking: TrackingIr) -> list[str]:
    """Initializers of hk_tracking_design_t."""
    floats = {
        "hold": tracking.hold_ppb,
        "change_ratio": tracking.change_ratio_ppb,
        "change_keeps": tracking.change_keeps_ppb,
        "harm_ratio": tracking.harm_ratio_ppb,
        "harm_keeps": tracking.harm_keeps_ppb,
        "fast": tracking.fast_ppb,
        "slow": tracking.slow_ppb,
        "least_memory": tracking.least_memory_ppb,
        "auxiliary": tracking.auxiliary_ppb,
        "auxiliary_rms": tracking.auxiliary_rms_ppb,
    }
    integers = {
        "delay": tracking.delay,
        "hurry_jobs": tracking.hurry_jobs,
        "hurry_solve_jobs": tracking.hurry_solve_jobs,
        "blind_jobs": tracking.blind_jobs,
        "fade_jobs": tracking.fade_jobs,
        "auxiliary_pole_q31": tracking.auxiliary_pole_q31,
    }
    return [
        ".tracking =",
        "    {",
        "        .weighting = hk_design_weighting,",
        "        .auxiliary_correlation = hk_design_auxiliary_correlation,",
        *(f"        .{name} = {float_literal(value)}," for name, value in floats.items()),
        *(f"        .{name} = {value}," for name, value in integers.items()),
        "    },",
    ]


def _lines(values: list[str]) -> tuple[str, ...]:
    rows = [values[at : at + _PER_ROW] for at in range(0, len(values), _PER_ROW)]
    return tuple(" ".join(f"{value}," for value in row) for row in rows)
