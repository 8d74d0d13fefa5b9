"""The controllers that are compared, each as a headset spec: one ear, no fixed filter, so that nothing else cancels."""

from dataclasses import dataclass

from hushkit.spec import HeadsetSpec, parse_spec

from hushkit_hil.errors import BenchError

CORES = {"cortex-m4": 168_000_000, "cortex-m7": 480_000_000}

_HEADSET = """
schema = 1
name = "{name}"

[core]
type = "{core}"
clock_hz = {clock_hz}
flash_bytes = 2_097_152
ram_bytes = 524_288

[audio]
rate_hz = 48_000
block = 1
ears = 1
microphones = ["reference", "error"]

[converters]
adc_us = 20.0
dac_us = 20.0
full_scale_db_spl = 120.0

[acoustics]
paths = "overear"
noise = "aircraft"
field = "diffuse"

[filters.feedforward]
kind = "none"

[filters.transparency]
kind = "none"

[adaptive]
update_block = 32
{adaptive}

[budgets]
latency_us = 500.0
cpu_percent = 100.0
flash_bytes = 524_288
ram_bytes = 524_288
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One controller on the target: its name in the table, and its [adaptive] beside the update block of 32."""

    name: str
    adaptive: str


def _fxnlms(taps: int) -> Case:
    # Twice the usual step and next to no leak: without a fixed filter in front there is far to go, and nothing to keep.
    settings = f"taps = {taps}\nsecondary_taps = 256\nstep = 0.002\nleak = 1e-6"
    return Case(f"fxnlms-{taps}", f'algorithm = "fxnlms"\n{settings}')


CASES = (
    _fxnlms(128),
    _fxnlms(256),
    _fxnlms(512),
    _fxnlms(1024),
    Case("hybrid", 'algorithm = "hybrid"'),
    Case("hybrid, rate", 'algorithm = "hybrid"\nrule = "rate"'),
    Case("fdaf-512", 'algorithm = "fdaf"\ntaps = 512'),
    Case("fdaf-1024", 'algorithm = "fdaf"\ntaps = 1024'),
    Case("warped_ls", 'algorithm = "warped_ls"'),
)


def headset(case: Case, core: str) -> tuple[HeadsetSpec, bool]:
    """The case's headset on a core.

    Returns:
        The spec, and whether it fits the core by the estimate.

    Raises:
        BenchError: The case's settings cannot be read.
    """
    spec, faults = parse_spec(headset_text(case, core), case.name)
    if spec is None:
        raise BenchError(f"{case.name}: {faults[0]}; correct the case")
    return spec, not faults


def headset_text(case: Case, core: str) -> str:
    """The same as TOML."""
    name = case.name.replace(", ", "-").replace("_", "-")
    return _HEADSET.format(name=name, core=core, clock_hz=CORES[core], adaptive=case.adaptive)
