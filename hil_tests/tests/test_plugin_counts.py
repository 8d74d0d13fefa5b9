"""The QEMU plugin against a guest whose instructions are known one by one."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hushkit.emulator import PROGRAM
from hushkit.image import Image
from hushkit_hil.errors import BenchError, TargetError
from hushkit_hil.instruments.code import Code
from hushkit_hil.instruments.native import plugin_library
from hushkit_hil.instruments.trace import Profile, Trace, read_trace
from hushkit_hil.selfcheck.guest import build_guest, guest_board
from hushkit_hil.targets.outcome import Outcome
from hushkit_hil.targets.plant import PlantRun
from hushkit_hil.targets.qemu import QemuHeadset, TraceWindow, run_on_qemu

SAMPLES = 2400
WINDOW = TraceWindow(first=1000, count=500)


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Image:
    return build_guest(tmp_path_factory.mktemp("guest"))


def a_run(*, loop: bool = False) -> PlantRun:
    rng = np.random.default_rng(seed=1)
    return PlantRun(
        rate_hz=48_000,
        block=1,
        latency_samples=3,
        reference=0.1 * rng.standard_normal((2, SAMPLES)),
        disturbance=0.1 * rng.standard_normal((2, SAMPLES)),
        secondary=0.1 * rng.standard_normal((1, 2, 64)),
        loop=loop,
    )


@pytest.fixture(scope="module")
def outcome(guest: Image) -> Outcome:
    return run_on_qemu(guest, guest_board(), a_run(), window=WINDOW)


def executions_of(trace: Trace, profile: Profile, guest: Image, name: str) -> int:
    """How often the first instruction of a function ran."""
    start = Code(guest.elf).function(name).address
    return sum(
        count
        for block, count in profile.counts.items()
        if trace.blocks[block].address <= start < trace.blocks[block].address + trace.blocks[block].n_bytes
    )


def test_lockstep_gives_every_sample_to_the_guest_and_takes_every_answer(outcome: Outcome) -> None:
    run = a_run()
    heard = np.clip(np.rint(run.reference.astype(np.float32) * 2.0**23), -(2**23), 2**23 - 1).astype(np.int64) * 256

    np.testing.assert_array_equal(outcome.output, -(heard >> 1))


def test_lockstep_counts_are_the_same_in_every_exchange(outcome: Outcome) -> None:
    """The guest's tick follows the wall clock and must not show."""
    assert np.unique(outcome.instructions).size == 1
    assert np.unique(outcome.isr_instructions).size == 1
    assert outcome.instructions.size == SAMPLES


def test_lockstep_counts_the_interrupt_to_the_instruction(outcome: Outcome, guest: Image) -> None:
    listing = subprocess.run(
        ["arm-none-eabi-objdump", "-d", str(guest.elf)], capture_output=True, text=True, check=True
    ).stdout
    body = listing.split("<play>:")[1].split("\n\n")[0].strip().splitlines()
    play = sum(1 for line in body if "\tnop" not in line and ".word" not in line)
    entry, spin, leave = 3, 31, 2  # push, movs, bl; ten turns of three and a return; pop, b.w

    assert outcome.isr_instructions[0] == entry + spin + leave + play


def test_trace_window_has_exact_block_counts(outcome: Outcome, guest: Image) -> None:
    trace = outcome.trace
    assert trace is not None
    isr, background = trace.profiles["isr"], trace.profiles["background"]

    assert isr.executions == background.executions == WINDOW.count
    assert executions_of(trace, isr, guest, "hk_audio_isr") == WINDOW.count
    assert executions_of(trace, background, guest, "hk_audio_isr") == 0
    assert executions_of(trace, background, guest, "hk_port_audio_sync") == WINDOW.count
    assert "hk_systick_isr" in guest.symbols
    assert executions_of(trace, background, guest, "hk_systick_isr") == 0
    assert isr.instructions == WINDOW.count * int(outcome.isr_instructions[0])
    assert sum(trace.instructions_by_address(isr).values()) == isr.instructions


def test_trace_edges_follow_the_loop(outcome: Outcome) -> None:
    """The handler's inner loop takes its own branch nine times in ten."""
    trace = outcome.trace
    assert trace is not None
    isr = trace.profiles["isr"]

    loops = [count for (source, target), count in isr.edges.items() if source == target]

    assert sum(loops) == 9 * WINDOW.count


def test_trace_of_a_second_run_is_the_same(outcome: Outcome, guest: Image) -> None:
    again = run_on_qemu(guest, guest_board(), a_run(), window=WINDOW)

    assert again.trace is not None
    assert outcome.trace is not None
    for name, profile in outcome.trace.profiles.items():
        other = again.trace.profiles[name]
        assert again.trace.instructions_by_address(other) == outcome.trace.instructions_by_address(profile)


def test_stack_watermark_is_read(outcome: Outcome) -> None:
    assert outcome.stack_bytes is not None
    assert 32 <= outcome.stack_bytes < 200


def test_regions_count_known_loops_exactly(guest: Image, tmp_path: Path) -> None:
    code = Code(guest.elf)
    markers = {key: hex(code.function(f"mark_{key}").address) for key in ("begin", "end", "stop")}
    trace_file, ready = tmp_path / "trace.json", tmp_path / "ready"
    arguments = ",".join(f"{key}={value}" for key, value in (markers | {"trace": trace_file, "ready": ready}).items())
    command = [
        *(PROGRAM, "-machine", str(guest_board().machine), "-display", "none", "-monitor", "none", "-serial", "none"),
        *("-kernel", str(guest.elf), "-plugin", f"{plugin_library()},{arguments}"),
    ]

    with subprocess.Popen(command) as process:
        while not ready.exists() and process.poll() is None:
            pass
        process.kill()
    trace = read_trace(trace_file)

    pairs = [profile.instructions for profile in trace.regions()]
    turns = [1, 10, 100, 1000]
    constant = pairs[0] - 3 * turns[0]
    assert pairs == [constant + 3 * n for n in turns]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (1, "the image was built from another spec"),
        (2, "lost or repeated an exchange after 100 samples"),
        (3, "did not go on within 2 s"),
        (4, "something else was booted"),
    ],
)
def test_a_guest_that_misbehaves_is_an_error(tmp_path: Path, fault: int, message: str) -> None:
    image = build_guest(tmp_path, fault=fault)

    with (
        pytest.raises(TargetError, match=message),
        QemuHeadset(image, guest_board(), a_run(), stall_s=2.0) as headset,
    ):
        headset.wait_done()


def test_a_trace_without_its_end_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"format": "hushkit-trace", "version": 1, "complete": false}')
    (tmp_path / "half.json").write_text('{"format": "hushkit-tr')

    with pytest.raises(BenchError, match="did not reach its end marker"):
        read_trace(tmp_path / "cut.json")
    with pytest.raises(BenchError, match="is not a trace"):
        read_trace(tmp_path / "half.json")
    with pytest.raises(BenchError, match="no trace at"):
        read_trace(tmp_path / "none.json")
