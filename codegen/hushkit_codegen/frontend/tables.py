"""Design of the front end and of what decides behind the network: tables as integers, taken from the models."""

from dataclasses import dataclass

from hushkit_models.classifier import decision, frontend


@dataclass(frozen=True, slots=True)
class FrontendIr:
    """Tables of the front end, in the formats firmware/src/classify/hk_frontend.c reads.

    Attributes:
        frame: Samples per frame at 16 kHz.
        window_frames: Frames the network sees.
        branches: All-pass coefficients of the decimator, Q1.31, two per branch.
        third: A third in Q1.31.
        hann: First half of the window and its middle, Q1.31; the rest mirrors it.
        split: Three per bin but the first, Q1.31.
        bands: First bin and number of bins of each mel band.
        weights: Q15, band after band.
        log2: 256 log2(1 + i / 256).
        exp2: 2^(-i / 256), Q30.
        superclass_of: Superclass of each category.
    """

    frame: int
    window_frames: int
    branches: tuple[tuple[int, ...], ...]
    third: int
    hann: tuple[int, ...]
    split: tuple[tuple[int, ...], ...]
    bands: tuple[tuple[int, int], ...]
    weights: tuple[int, ...]
    log2: tuple[int, ...]
    exp2: tuple[int, ...]
    superclass_of: tuple[int, ...]


def design_frontend() -> FrontendIr:
    """The front end of ``hushkit_models.classifier.frontend`` as integers."""
    first, count, weights = frontend.mel_bands()
    return FrontendIr(
        frame=frontend.FRAME,
        window_frames=frontend.N_FRAMES,
        branches=tuple(tuple(row) for row in frontend.branches_q31().tolist()),
        third=round(2**31 / frontend.DECIMATION),
        hann=tuple(frontend.hann_q31()[: frontend.FRAME // 2 + 1].tolist()),
        split=tuple(tuple(row) for row in frontend.split_q31()[1:].tolist()),
        bands=tuple(zip(first.tolist(), count.tolist(), strict=True)),
        weights=tuple(weights.tolist()),
        log2=tuple(frontend.log2_table().tolist()),
        exp2=tuple(decision.exp2_q30().tolist()),
        superclass_of=decision.superclass_of(),
    )
