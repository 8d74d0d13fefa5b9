"""Cases of the kernel bench: each shape as C, next to the CMSIS-DSP calls that do the same job."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from hushkit_codegen.kernels.biquad import Cascade
from hushkit_codegen.kernels.bounds import q15_sum, q31_sum
from hushkit_codegen.kernels.correlation import Shape, Sum
from hushkit_codegen.kernels.functions import (
    biquad_text,
    correlation_text,
    decimator_shape,
    decimator_text,
    fir_text,
    fxnlms_text,
    preamble,
)
from numpy.typing import NDArray

from hushkit_hil.kernelbench.case import FIR_PEERS, Case, Peer, portable_only, random_taps, render
from hushkit_hil.kernelbench.equation_cases import regressors_case, vector_case, warped_case

#: Test signals, in the order in which bench_main.c knows them.
SIGNALS: Final = ("noise", "speech", "full_scale", "alternating", "dc", "silence")

_BIQUAD_PEERS: Final = (
    Peer("arm_biquad_cascade_df1_q31", "plain"),
    Peer("arm_biquad_cascade_df1_fast_q31", "fast"),
)

_LMS_PEERS: Final = (
    Peer("arm_lms_norm_q31", "norm", "arm_lms_norm_instance_q31", "arm_lms_norm_init_q31", "int32_t"),
    Peer("arm_lms_q31", "plain", "arm_lms_instance_q31", "arm_lms_init_q31", "int32_t"),
    Peer("arm_lms_norm_q15", "short", "arm_lms_norm_instance_q15", "arm_lms_norm_init_q15", "int16_t"),
)

#: Ratios promised per core; the Cortex-M33 within 10 % of the Cortex-M4.
_TARGETS: Final = {
    "cortex-m4": {
        "biquad_8_b8": 1.9,
        "fir_q15_128_b8": 1.9,
        "fir_q15_128_b1": 4.0,
        "fir_q31_512_b1": 2.0,
        "fxnlms_128_b8": 4.0,
    },
    "cortex-m7": {
        "biquad_8_b8": 1.4,
        "fir_q15_128_b8": 1.8,
        "fir_q15_128_b1": 4.0,
        "fir_q31_512_b1": 2.0,
        "fxnlms_128_b8": 5.0,
    },
    "cortex-m33": {
        "biquad_8_b8": 1.71,
        "fir_q15_128_b8": 1.71,
        "fir_q15_128_b1": 3.6,
        "fir_q31_512_b1": 1.8,
        "fxnlms_128_b8": 3.6,
    },
    "cortex-m55": {"fir_q15_128_b8": 1.2, "fir_q31_128_b8": 1.2},
}


def resonant_sections(n_sections: int, post_shift: int) -> tuple[tuple[int, ...], ...]:
    """Sections from 60 Hz to 8 kHz at 48 kHz, rows as CMSIS-DSP reads them; scaled so that no input overflows one."""
    rows = []
    for corner_hz in np.geomspace(60.0, 8000.0, n_sections):
        angle = 2.0 * np.pi * corner_hz / 48_000.0
        radius = float(np.exp(-angle / 2.0))
        a1, a2 = 2.0 * radius * np.cos(angle), -(radius**2)
        response = _impulse(np.array([1.0, -1.8 * np.cos(angle), 0.85]), a1, a2)
        b = np.array([1.0, -1.8 * np.cos(angle), 0.85]) / (np.abs(response).sum() * 1.001)
        scale = 2.0 ** (31 - post_shift)
        rows.append(tuple(round(float(c) * scale) for c in (*b, a1, a2)))
    return tuple(rows)


def _impulse(b: NDArray[np.float64], a1: float, a2: float) -> NDArray[np.float64]:
    out = np.zeros(8192)
    for n in range(out.size):
        out[n] = b[n] if n < 3 else 0.0
        out[n] += a1 * out[n - 1] if n > 0 else 0.0
        out[n] += a2 * out[n - 2] if n > 1 else 0.0
    return out


def fir_q31_case(core: str, n_taps: int, block: int) -> Case:
    """A Q1.31 filter against ``arm_fir_q31``."""
    name = f"fir_q31_{n_taps}_b{block}"
    taps = random_taps(n_taps, 2**31, seed=n_taps)
    inner = f"{name}_inner"
    peers = FIR_PEERS[Sum.Q31]
    text = render(
        "fir_case",
        name=name,
        type="int32_t",
        taps=taps,
        n_taps=n_taps,
        block=block,
        peers=peers,
        inner_text=correlation_text(
            inner, core, Shape(Sum.Q31, n_taps, block), bounds=q31_sum(taps), equivalent="arm_fir_q31"
        ),
        filter_text=fir_text(name, "Bench filter", n_taps, block, q15=False),
    )
    target = _TARGETS[core].get(name, 0.0)
    return Case(name, "fir_q31", f"{n_taps} taps, block {block}", block, 4, text, "plain", peers, target)


def fir_q15_case(core: str, n_taps: int, block: int) -> Case:
    """A Q1.15 filter against ``arm_fir_q15`` and ``arm_fir_fast_q15``."""
    name = f"fir_q15_{n_taps}_b{block}"
    taps = random_taps(n_taps, 65535, seed=n_taps)
    sums, bounds = q15_sum(taps)
    inner = f"{name}_inner"
    peers = FIR_PEERS[Sum.Q15]
    shape = Shape(sums, n_taps // 2, max(1, block // 2), windows=min(2, block))
    text = render(
        "fir_case",
        name=name,
        type="int16_t",
        taps=taps,
        n_taps=n_taps,
        block=block,
        peers=peers,
        inner_text=correlation_text(inner, core, shape, bounds=bounds, equivalent="arm_fir_q15"),
        filter_text=fir_text(name, "Bench filter", n_taps, block, q15=True),
    )
    target = _TARGETS[core].get(name, 0.0)
    return Case(name, "fir_q15", f"{n_taps} taps, block {block}", block, 2, text, "plain", peers, target)


def decimator_case(core: str, sums: Sum, n_taps: int, factor: int, block: int) -> Case:
    """``block`` outputs, one for every ``factor`` samples, against ``arm_fir_decimate_q15`` or ``_q31``."""
    word = "q31" if sums is Sum.Q31 else "q15"
    name = f"decimate_{word}_{n_taps}_by{factor}_b{block}"
    taps = random_taps(n_taps, 2**31 if sums is Sum.Q31 else 65535, seed=n_taps + factor)
    bounds = q31_sum(taps) if sums is Sum.Q31 else q15_sum(taps)[1]
    shape = decimator_shape(sums, n_taps, factor, block)
    function = f"arm_fir_decimate_{word}"
    peers = tuple(
        Peer(call, tag, f"arm_fir_decimate_instance_{word}", f"arm_fir_decimate_init_{word}")
        for call, tag in ((function, "plain"), (f"arm_fir_decimate_fast_{word}", "fast"))
    )
    text = render(
        "decimator_case",
        name=name,
        type=f"int{16 if word == 'q15' else 32}_t",
        taps=taps,
        n_taps=n_taps,
        factor=factor,
        inputs=factor * block,
        peers=peers,
        inner_text=correlation_text(f"{name}_inner", core, shape, bounds=bounds, equivalent=function),
        filter_text=decimator_text(name, "Bench decimator", shape, factor),
    )
    return Case(
        name,
        f"decimate_{word}",
        f"{n_taps} taps by {factor}, {block} output(s)",
        factor * block,
        2 if word == "q15" else 4,
        text,
        "plain",
        peers,
        outputs=block,
    )


def biquad_case(core: str, n_sections: int, block: int, *, saves_fraction: bool) -> Case:
    """A cascade against ``arm_biquad_cascade_df1_q31``; with fraction saving its portable C is the reference."""
    name = f"biquad_{n_sections}_b{block}" + ("_fraction" if saves_fraction else "")
    cascade = Cascade(n_sections, block, post_shift=1, saves_fraction=saves_fraction)
    inner = biquad_text(f"{name}_cascade", core, cascade)
    twin = portable_only(biquad_text(f"{name}_twin_cascade", core, cascade))
    text = render(
        "biquad_case",
        name=name,
        n_sections=n_sections,
        sections=resonant_sections(n_sections, 1),
        cascade=cascade,
        peers=_BIQUAD_PEERS,
        inner_text=inner,
        twin_text=twin,
    )
    shape = f"{n_sections} stages, block {block}" + (", fraction saving" if saves_fraction else "")
    reference = "twin" if saves_fraction else "plain"
    target = _TARGETS[core].get(name, 0.0)
    return Case(name, "biquad_q31", shape, block, 4, text, reference, _BIQUAD_PEERS, target)


def fxnlms_case(core: str, n_taps: int, block: int) -> Case:
    """Filter and one update per block against the library's NLMS, which updates at every sample."""
    name = f"fxnlms_{n_taps}_b{block}"
    parts = []
    for part in (name, f"{name}_twin"):
        weights = correlation_text(
            f"{part}_inner",
            core,
            Shape(Sum.Q31, n_taps, block),
            bounds="the caller keeps sum |w| <= 2^31",
            equivalent="arm_fir_q31",
        )
        step = correlation_text(
            f"{part}_step",
            core,
            Shape(Sum.Q31_STEP, block, n_taps),
            bounds="the error block is limited before",
            equivalent="none: updates once per block",
        )
        if part != name:
            weights, step = portable_only(weights), portable_only(step)
        filters = fir_text(part, "Control filter", n_taps, block, q15=False)
        update = fxnlms_text(part, "Adaptive control filter", n_taps, block)
        parts.append({"name": part, "text": "\n".join((weights, step, filters, update))})
    text = render("fxnlms_case", name=name, n_taps=n_taps, block=block, parts=parts, step=2**24, peers=_LMS_PEERS)
    target = _TARGETS[core].get(name, 0.0)
    shape = f"{n_taps} weights, one update per block of {block}"
    note = "arm_lms_norm_q15 is timed, not compared with: 16-bit weights, and it diverges or stalls"
    return Case(
        name, "fxnlms_q31", shape, block, 4, text, "twin", _LMS_PEERS, target, note, frozenset({"arm_lms_norm_q15"})
    )


def _with_helium(case: Case) -> Case:
    """The case on a core where CMSIS-DSP uses Helium: other bits, and a fault at block 1 of its q31 cascades."""
    if not case.peers:
        return case
    if case.kernel.endswith("f32"):
        return replace(case, note="stays scalar: Helium flushes subnormal numbers to zero, which the host does not")
    note = "CMSIS-DSP's Helium code rounds differently: compared with the host's portable C"
    if case.kernel == "biquad_q31" and case.block == 1:
        note = "arm_biquad_cascade_df1_q31 with Helium faults at block 1: no peer"
        return replace(case, reference="twin" if case.reference == "twin" else "", peers=(), note=note)
    return replace(case, reference="twin" if case.reference == "twin" else "", note=note)


def all_cases(core: str) -> tuple[Case, ...]:
    """Every shape the bench knows, for one core (``"host"``: in portable C)."""
    return tuple(_with_helium(case) if core == "cortex-m55" else case for case in _cases(core))


def _cases(core: str) -> tuple[Case, ...]:
    core = "cortex-m4" if core == "host" else core  # the text holds both; the host's compiler takes the portable branch
    makers: Sequence[Callable[[], Case]] = (
        lambda: biquad_case(core, 8, 8, saves_fraction=False),
        lambda: biquad_case(core, 8, 4, saves_fraction=False),
        lambda: biquad_case(core, 8, 1, saves_fraction=False),
        lambda: biquad_case(core, 8, 8, saves_fraction=True),
        lambda: biquad_case(core, 8, 1, saves_fraction=True),
        lambda: fir_q15_case(core, 128, 8),
        lambda: fir_q15_case(core, 128, 4),
        lambda: fir_q15_case(core, 128, 1),
        lambda: fir_q31_case(core, 128, 8),
        lambda: fir_q31_case(core, 128, 4),
        lambda: fir_q31_case(core, 128, 1),
        lambda: fir_q31_case(core, 512, 1),
        lambda: fxnlms_case(core, 128, 8),
        lambda: decimator_case(core, Sum.Q15, 48, 3, 8),
        lambda: decimator_case(core, Sum.Q15, 48, 3, 4),
        lambda: decimator_case(core, Sum.Q15, 48, 3, 1),
        lambda: decimator_case(core, Sum.Q31, 48, 3, 8),
        lambda: decimator_case(core, Sum.Q31, 48, 3, 4),
        lambda: decimator_case(core, Sum.Q31, 48, 3, 1),
        lambda: warped_case(core, 64, 64),
        lambda: regressors_case(core, 64, 32),
        lambda: vector_case(core, "enter", 64),
        lambda: vector_case(core, "dot", 64),
        lambda: vector_case(core, "axpy", 64),
    )
    return tuple(make() for make in makers)


def program_text(
    core: str, cases: Sequence[Case], *, samples: int, regions: int, signals: Collection[str] = SIGNALS
) -> str:
    """The C file with all cases of one run."""
    mask = sum(1 << place for place, name in enumerate(SIGNALS) if name in signals)
    return render("cases", core=core, cases=cases, samples=samples, regions=regions, signals=mask, preamble=preamble())
