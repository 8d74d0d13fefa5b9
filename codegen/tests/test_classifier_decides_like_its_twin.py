"""What decides behind the network, in C for this machine, against its integer twins."""

import ctypes
import subprocess
from typing import Any

import numpy as np
import pytest
from hushkit import build_plan
from hushkit.build import host_board
from hushkit.project import project_root
from hushkit_models.classifier import decision, emergency, frontend
from hushkit_models.classifier.synthesis import emergencies
from hushkit_models.classifier.taxonomy import EMERGENCIES

_GLUE = """\
#include "hk/hk_decision.h"
#include "hk/hk_emergency.h"
static hk_decision_t d;
static hk_cadence_t c;
static hk_emergency_t e;
void begin(int enter, const hk_emergency_rules_t *rules);
void begin(int enter, const hk_emergency_rules_t *rules) {
    hk_decision_init(&d, (uint16_t)enter);
    hk_cadence_init(&c);
    hk_emergency_init(&e, rules);
}
int window(const int8_t *codes, uint32_t step, int *out);
int window(const int8_t *codes, uint32_t step, int *out) {
    uint16_t p[HK_DECISION_CATEGORIES];
    (void)hk_decision_softmax(codes, step, p);
    const bool changed = hk_decision_take(&d, p);
    const int found[] = {changed, d.category, d.guess, d.confidence, d.superclass, p[0]};
    for (int k = 0; k < 6; k++) {
        out[k] = found[k];
    }
    return 0;
}
int frame(const int16_t *log_mel);
int frame(const int16_t *log_mel) {
    hk_cadence_step(&c, log_mel);
    return hk_cadence_speaks(&c);
}
int look(int p, const uint16_t *kinds, int cadence, int *out);
int look(int p, const uint16_t *kinds, int cadence, int *out) {
    const bool turned = hk_emergency_look(&e, (uint16_t)p, kinds, cadence != 0);
    out[0] = (int)e.state;
    out[1] = e.kind;
    out[2] = e.confidence;
    out[3] = (int)e.evidence_looks;
    return turned;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("decides")
    root, board = project_root(), host_board()
    (folder / "glue.c").write_text(_GLUE)
    sources = [root / "firmware" / "src" / "classify" / name for name in ("hk_decision.c", "hk_emergency.c")]
    includes = [f"-I{root / 'firmware' / name}" for name in ("include", "generated")]
    target = folder / "libdecides.so"
    flags = [*build_plan.compile_flags(root, board), "-fPIC", "-shared", *includes]
    subprocess.run(["gcc", *flags, str(folder / "glue.c"), *map(str, sources), "-o", str(target)], check=True)
    loaded = ctypes.CDLL(str(target))
    loaded.hk_decision_sigmoid.restype = ctypes.c_uint16
    loaded.hk_decision_step.argtypes = [ctypes.c_float, ctypes.c_float]
    loaded.hk_decision_step.restype = ctypes.c_uint32
    return loaded


def _begin(library: ctypes.CDLL, rules: emergency.Rules, enter: int = 400) -> None:
    packed = np.array([rules.threshold, rules.hint, rules.sure], np.uint16).tobytes()
    packed += bytes([rules.suspect, rules.window, rules.confirm, rules.cadence, rules.release])
    library.begin(enter, packed + b"\0")


def _ints(n: int) -> Any:
    return (ctypes.c_int * n)()


def test_decision_in_c_equals_its_twin(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(3)
    step = decision.step_q16(0.083, 1.4)
    _begin(library, emergency.Rules())
    twin, out = decision.Decision(enter=400), _ints(6)
    changes = 0

    for block in range(40):
        favourite, height = int(rng.integers(57)), int(rng.integers(20, 110))
        for _ in range(int(rng.integers(1, 9))):
            codes = rng.integers(-40, 20, 63).astype(np.int8)
            codes[favourite] = height
            p = decision.softmax_q15(codes[:57], step)
            changed = twin.take(p)
            library.window(codes.ctypes.data_as(ctypes.c_void_p), step, out)
            changes += changed
            found = (int(changed), twin.category, twin.guess, twin.confidence, twin.superclass, p[0])
            assert tuple(out) == found, f"block {block}"

    assert changes > 10


@pytest.mark.parametrize(("scale", "temperature"), [(0.05, 1.0), (0.1234, 1.7), (0.31, 0.6)])
def test_probability_of_a_logit_in_c_equals_its_twin(library: ctypes.CDLL, scale: float, temperature: float) -> None:
    step = decision.step_q16(scale, temperature)

    assert library.hk_decision_step(scale, decision.step_factor(temperature)) == step
    for code in range(-128, 128):
        found = library.hk_decision_sigmoid(code, -7, step)
        assert found == decision.sigmoid_permille(code, -7, step)
        exact = 1000.0 / (1.0 + np.exp(-(code + 7) * scale / temperature))
        assert abs(found - exact) < 2.0


def test_cadence_in_c_equals_its_twin(library: ctypes.CDLL) -> None:
    heard = {True: 0, False: 0}
    for seed, kind in enumerate([*EMERGENCIES, *EMERGENCIES]):
        rng = np.random.default_rng(seed)
        x = getattr(emergencies, kind)(rng, 16_000 * 6, 16_000)
        x = x + 0.1 * np.std(x) * rng.standard_normal(len(x))
        _begin(library, emergency.Rules())
        twin = emergency.Cadence()
        for row in frontend.log_mel(frontend.to_q31(x, rms_dbfs=-30.0)):
            twin.step(row.tolist())
            frame = row.astype(np.int16)
            assert bool(library.frame(frame.ctypes.data_as(ctypes.c_void_p))) == twin.speaks
            heard[twin.speaks] += 1

    assert min(heard.values()) > 100


def test_votes_in_c_equal_their_twin(library: ctypes.CDLL) -> None:
    rng = np.random.default_rng(9)
    turns = 0
    for look_frames in (5, 8, 15):
        rules = emergency.rules_for(look_frames, 0.7)
        _begin(library, rules)
        twin, out = emergency.Emergency(rules), _ints(4)
        for _ in range(60):
            mean = rng.choice([100, 500, 800, 950])
            cadence = bool(rng.integers(2))
            for _ in range(int(rng.integers(1, 25))):
                p = int(np.clip(rng.normal(mean, 120), 0, 1000))
                kinds = rng.integers(0, 1000, 5).astype(np.uint16)
                turned = twin.look(p, kinds.tolist(), cadence=cadence)
                found = library.look(p, kinds.ctypes.data_as(ctypes.c_void_p), int(cadence), out)
                assert (bool(found), *out) == (
                    turned, int(twin.state), twin.kind, twin.confidence, twin.evidence_looks,
                )  # fmt: skip
                turns += turned

    assert turns > 20


def test_emergency_is_suspected_within_two_looks_and_confirmed_within_two_seconds() -> None:
    """At looks every 160 ms: two hints make way, ten votes (six with a rhythm) make the event."""
    rules = emergency.rules_for(5, 0.9)
    plain, rhythmic = emergency.Emergency(rules), emergency.Emergency(rules)

    plain_states = [(plain.look(900, [900, 0, 0, 0, 0], cadence=False), plain.state)[1] for _ in range(12)]
    rhythm_states = [(rhythmic.look(900, [900, 0, 0, 0, 0], cadence=True), rhythmic.state)[1] for _ in range(12)]

    assert plain_states.index(emergency.State.SUSPECTED) == 1
    assert plain_states.index(emergency.State.CONFIRMED) == 9
    assert rhythm_states.index(emergency.State.CONFIRMED) == 5


def test_emergency_is_over_after_three_seconds_of_silence() -> None:
    rules = emergency.rules_for(5, 0.8)
    twin = emergency.Emergency(rules)
    for _ in range(12):
        twin.look(900, [0, 900, 0, 0, 0], cadence=False)

    turned = [twin.look(10, [0] * 5, cadence=False) for _ in range(rules.release)]

    assert turned == [False] * (rules.release - 1) + [True]
    assert twin.state is emergency.State.NONE
