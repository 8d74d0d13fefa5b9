"""Integer design to C: byte for byte, on fixed designs small enough to read."""

import dataclasses

import pytest
from hushkit_codegen.emit import emit_headset
from hushkit_codegen.golden import Golden
from hushkit_codegen.ir import (
    BiquadIr,
    FilterQuality,
    FirIr,
    FxNlmsIr,
    HeadsetIr,
    NoAdaptiveIr,
    SilentIr,
    describe_quality,
    digest_ir,
)

SMALL = HeadsetIr(
    spec_name="small",
    spec_digest="0123456789abcdef",
    core="cortex-m4",
    clock_hz=168_000_000,
    rate_hz=48_000,
    ears=1,
    block=4,
    has_error_microphone=1,
    start_mode=1,
    full_scale_mdb_spl=120_000,
    latency_samples=9,
    paths="overear",
    feedforward=BiquadIr(((1 << 29, -(1 << 29), 0, 1 << 30, -(1 << 28)), (1 << 28, 0, 0, 0, 0)), 1, 3),
    transparency=SilentIr(),
    secondary=FirIr((0, -5, 1 << 28, 1 << 29, 0, 0, 0, 0), 1),
    update_block=32,
    adaptive=FxNlmsIr(FirIr((0,) * 32, 4), 10_737_418, 2147, 900_719_925, 1 << 31),
    dc_block_pole_q31=2_146_921_512,
    limiter_threshold_q31=1_520_301_996,
    limiter_release_q31=894_785,
    ramp_samples=960,
    watch_samples=960,
    watch_ratio_q16=260_904,
    quality=(
        FilterQuality("feedforward", -12_345, 20_049, -951),
        FilterQuality("transparency", 0, 0, 0, "not flat: 4.0 dB off at 5000 Hz, 3 dB wanted; allow more sections"),
        FilterQuality("secondary", -30_000, 0, 0),
    ),
)

CASES = {
    "fxnlms_block4": SMALL,
    "fixed_two_ears": dataclasses.replace(
        SMALL,
        ears=2,
        block=1,
        has_error_microphone=0,
        core="cortex-m7",
        feedforward=FirIr(tuple(range(-8, 8)), 0, "q15"),
        transparency=FirIr(tuple(range(1 << 20, (1 << 20) + 16)), 1),
        secondary=SilentIr(),
        adaptive=NoAdaptiveIr(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_emitted_files_are_the_golden_ones(case: str, golden: Golden) -> None:
    golden.check(case, emit_headset(CASES[case], kernels="cmsis"))


def test_emitting_twice_gives_the_same_bytes_with_unix_line_ends() -> None:
    first, second = emit_headset(SMALL), emit_headset(SMALL)

    assert first == second
    assert sorted(first) == ["hk_config.h", "hk_design.c", "hk_kernels.c"]
    assert all(text.endswith("\n") and "\r" not in text for text in first.values())


def test_every_file_carries_the_digest_of_its_design() -> None:
    other = dataclasses.replace(SMALL, ramp_samples=961)

    assert all(digest_ir(SMALL) in text for text in emit_headset(SMALL).values())
    assert not any(digest_ir(SMALL) in text for text in emit_headset(other).values())


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (SMALL.quality[0], "feedforward: 20.0 dB attenuation in its scene, worst octave -1.0 dB, -12.3 dB from the "),
        (FilterQuality("feedforward", 0, 0, 0, "left out: why"), "feedforward: left out: why"),
        (FilterQuality("transparency", 7, 0, -49), "transparency: open ear within 0.0 dB, rms 0.01 dB"),
        (SMALL.quality[2], "secondary: model error -30.0 dB"),
    ],
)
def test_quality_is_told_in_one_line(item: FilterQuality, text: str) -> None:
    assert describe_quality(item).startswith(text)
