"""What a case of the kernel bench is, and what all cases are made from."""

from dataclasses import dataclass
from typing import Final

import jinja2
import numpy as np
from hushkit_codegen.kernels.correlation import Sum


@dataclass(frozen=True, slots=True)
class Peer:
    """One library call beside a generated kernel."""

    function: str
    tag: str
    instance: str = ""
    init: str = ""
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the bench.

    Attributes:
        name: C identifier, unique.
        kernel: Row name, e.g. ``"fir_q15"``.
        shape: Row shape in words.
        block: Samples per call.
        sample_bytes: 2 or 4.
        text: C of the generated kernel, its reference and its peers.
        reference: Tag of what the output is compared with on the core; empty: only its hash, with the host's.
        peers: Library calls that are timed.
        note: Why a peer or a reference is missing; empty otherwise.
        unequal: Peers that are timed but do not do the same job, so that no ratio is taken with them.
        outputs: Samples written per call; 0: as many as read.
        units: What a call's cost is divided by; 0: samples read.
        target: Smallest ratio of cycles, best library call over generated, that the project promises; 0: none.
    """

    name: str
    kernel: str
    shape: str
    block: int
    sample_bytes: int
    text: str
    reference: str
    peers: tuple[Peer, ...]
    target: float = 0.0
    note: str = ""
    unequal: frozenset[str] = frozenset()
    outputs: int = 0
    units: int = 0


FIR_PEERS: Final = {
    Sum.Q15: (
        Peer("arm_fir_q15", "plain", "arm_fir_instance_q15", "arm_fir_init_q15"),
        Peer("arm_fir_fast_q15", "fast", "arm_fir_instance_q15", "arm_fir_init_q15"),
    ),
    Sum.Q31: (
        Peer("arm_fir_q31", "plain", "arm_fir_instance_q31", "arm_fir_init_q31"),
        Peer("arm_fir_fast_q31", "fast", "arm_fir_instance_q31", "arm_fir_init_q31"),
    ),
}


def random_taps(n_taps: int, limit: int, seed: int) -> tuple[int, ...]:
    """Decaying random taps whose absolute sum is just below ``limit``; fixed by ``seed``."""
    raw = np.random.default_rng(seed).standard_normal(n_taps) * np.exp(np.linspace(-4.0, 0.0, n_taps))
    scaled = np.trunc(raw / np.abs(raw).sum() * (limit - 1))
    return tuple(int(tap) for tap in scaled)


def portable_only(text: str) -> str:
    """The portable branch of a function's text."""
    return text.split("#else\n", 1)[1].rsplit("#endif", 1)[0]


def render(template: str, **values: object) -> str:
    """Text of one of this package's templates."""
    return environment().get_template(f"{template}.c.j2").render(**values)


def environment() -> jinja2.Environment:
    """The templates of this package."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hushkit_hil.kernelbench"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is C
    )
