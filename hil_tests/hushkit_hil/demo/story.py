"""The demo: design, generate, build, cancel noise in the closed loop, then live through a shadow, and a report."""

import contextlib
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hushkit.project import build_dir

from hushkit_hil.bench.run import bench
from hushkit_hil.bench.setup import Request, Setup, plant_run
from hushkit_hil.demo.operate import THING, Fleet, agent, local_cloud, wait_until
from hushkit_hil.demo.steps import Steps
from hushkit_hil.errors import BenchError
from hushkit_hil.report.html import write_html
from hushkit_hil.targets.live import LiveHeadset
from hushkit_hil.targets.outcome import Progress

MIN_ATTENUATION_DB: Final = 3.0
"""What the live headset has to reach with cancellation on: clearly audible, and far from what "off" gives."""

_SETTLE_S: Final = 4.0
_WAIT_S: Final = 20.0
_TELEMETRY_BATCHES: Final = 3
_N_STEPS: Final = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What the demo runs.

    Attributes:
        spec: Headset spec.
        noise: Scene or audio file; None takes the spec's own.
        seconds: Audio in the closed loop.
        directory: Where everything is written; emptied first.
    """

    spec: str
    noise: str | None
    seconds: float
    directory: Path


def tell(plan: Plan, progress: Progress) -> dict[str, Any]:
    """Run the demo and write ``demo.json`` and ``report.html``.

    Args:
        plan: What to run.
        progress: Called with the samples heard so far while the loop runs.

    Returns:
        The document written to ``demo.json``.

    Raises:
        BenchError: A step failed; the message says which log to read.
        InputError, AcousticsError, DesignError: Unusable spec, noise or paths.
    """
    begin = time.monotonic()
    shutil.rmtree(plan.directory, ignore_errors=True)
    plan.directory.mkdir(parents=True)
    steps = Steps(_N_STEPS, plan.directory / "logs")
    document: dict[str, Any] = {"passed": False, "classifier": None}
    try:
        setup = _make_and_prove(plan, steps, progress, document)
        _operate(plan, steps, setup, document)
        document["passed"] = (
            bool(document["bench"]["bit_exact"]["host_vs_target"]) and not document["bench"]["failures"]
        )
    finally:
        document["seconds"] = round(time.monotonic() - begin, 1)
        document["steps"] = [
            {"name": step.name, "seconds": round(step.seconds, 2), "ok": step.ok} for step in steps.done
        ]
        text = json.dumps(document, indent=1) + "\n"
        (plan.directory / "demo.json").write_text(text, encoding="utf-8")
    return document


def _make_and_prove(plan: Plan, steps: Steps, progress: Progress, document: dict[str, Any]) -> Setup:
    with steps.step("design", "acoustic paths and spec to integer filters"):
        steps.command("design", "design", plan.spec, "-o", str(plan.directory / "design"))
    with steps.step("generate", "integer filters to C"):
        steps.command("generate", "generate", plan.spec, "-o", str(plan.directory / "generated"))
    with steps.step("build", "firmware for an emulated Cortex-M") as step:
        build = json.loads(steps.command("build", "build", plan.spec, "--json", "-"))
        step.note = f"flash {build['flash_bytes']} bytes, RAM {build['ram_bytes']} bytes"
    with steps.step("bench", f"{plan.seconds:g} s of noise in the closed loop, target against host") as step:
        request = Request(spec=plan.spec, noise=plan.noise, seconds=plan.seconds)
        result, setup, outcome = bench(request, lambda _line: None, progress)
        document["bench"] = result.as_json()
        write_html(plan.directory / "report.html", result, setup, outcome)
        document["report"] = _relative(plan.directory / "report.html")
        heard = result.acoustics
        bound = "" if heard.bound_db is None else f" of {heard.bound_db:.1f} possible"
        same = "same bits as host" if result.bit_exact.host_vs_target else "NOT the host's bits"
        step.note = f"{heard.attenuation_db:.1f} dB{bound}; {same}; {result.times_real_time:.1f} x real time"
    return setup


def _operate(plan: Plan, steps: Steps, setup: Setup, document: dict[str, Any]) -> None:
    assert setup.build is not None
    run = plant_run(setup.signals, block=setup.spec.audio.block, latency=setup.latency_samples, loop=True)
    with contextlib.ExitStack() as stack:
        with steps.step("cloud", "local IoT Core: certificates, broker, shadow engine") as step:
            cloud = stack.enter_context(local_cloud(steps, plan.directory / "cloud"))
            step.note = f"MQTT with mutual TLS on {cloud.host}:{cloud.port}"
        with steps.step("headset", "the same firmware live, in real time, with the agent on its serial line") as step:
            headset = stack.enter_context(LiveHeadset(setup.build.image, setup.build.board, run))
            stack.enter_context(agent(cloud, headset.serial_url, plan.directory / "agent"))
            fleet = Fleet(cloud, steps.logs)
            seconds = wait_until("agent online", lambda: _online(fleet), _WAIT_S)
            step.note = f"online after {seconds:.1f} s"
        with steps.step("shadow", "off, then noise cancelling, from the fleet's command line") as step:
            step.note = _steer(fleet, headset, document)
        with steps.step("telemetry", "batches from the headset through the agent to the core") as step:
            wait_until("telemetry", lambda: _batches(fleet) >= _TELEMETRY_BATCHES, _WAIT_S)
            document["telemetry"] = {"messages": _batches(fleet)}
            step.note = f"{document['telemetry']['messages']} batches"


def _steer(fleet: Fleet, headset: LiveHeadset, document: dict[str, Any]) -> str:
    """Switch off and on again; measure the way there and what the ear hears."""
    fleet.set("mode=off", wait_s=_WAIT_S)
    _listen(headset)
    without = headset.attenuation_db(1.0)
    elapsed_ms = 1e3 * float(fleet.set("mode=anc", wait_s=_WAIT_S)["seconds"])
    _listen(headset)
    with_anc = headset.attenuation_db(1.0)
    shown = fleet.show()
    document["shadow"] = {
        "desired_to_device_ms": round(elapsed_ms, 1),
        "reported": shown["reported"],
        "attenuation_off_db": round(without, 2),
        "attenuation_anc_db": round(with_anc, 2),
    }
    document["classifier"] = shown["reported"].get("classifier")
    if shown["reported"].get("mode") != "anc":
        raise BenchError(f"shadow: reported {shown['reported']}, expected mode anc; see the agent's log")
    if with_anc - without < MIN_ATTENUATION_DB:
        raise BenchError(
            f"shadow: the ear hears {without:.1f} dB of attenuation off and {with_anc:.1f} dB with ANC, expected "
            f"{MIN_ATTENUATION_DB:g} dB between them; the mode did not reach the audio path, or nothing is cancelled"
        )
    return f"{elapsed_ms:.0f} ms to the headset; {without:.1f} dB off, {with_anc:.1f} dB on"


def _listen(headset: LiveHeadset) -> None:
    """Let the headset play on until what was set has settled."""
    until = headset.seconds + _SETTLE_S
    wait_until("live audio", lambda: headset.seconds >= until, 10.0 * _SETTLE_S)


def _online(fleet: Fleet) -> bool:
    shown = fleet.show()
    return bool(shown.get("reported")) and shown["reported"].get("link") == "up"


def _batches(fleet: Fleet) -> int:
    return len(fleet.telemetry()["telemetry"])


def _relative(path: Path) -> str:
    root = build_dir().parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _heard(classifier: dict[str, Any]) -> str:
    level = f", {classifier['level_db_spl']:.0f} dB SPL" if "level_db_spl" in classifier else ""
    return f"  hears      {classifier['category']}, confidence {classifier['confidence']:.2f}{level}"


def screen(document: dict[str, Any]) -> str:
    """The summary: what happened, on less than a screen."""
    result, shadow = document["bench"], document["shadow"]
    heard, latency, load = result["acoustics"], result["latency"], result["load"]
    lines = [
        "",
        f"{'PASSED' if document['passed'] else 'FALLS SHORT'} in {document['seconds']:.0f} s",
        f"  headset    {result['spec']}, {result['core']} on QEMU, {result['scenario']['algorithm']}",
        f"  noise      {result['scenario']['noise']}, {result['scenario']['field']}",
        f"  quieter by {heard['attenuation_db']:.1f} dB, {heard['attenuation_dba']:.1f} dB(A); "
        f"physics allows {heard['bound_db']:.1f} dB",
        f"  latency    {latency['total_us']:.1f} us of {latency['limit_us']:.0f} us ({latency['evidence']})",
        f"  load       {load['cpu_percent_max']:.1f} % of the core ({load['evidence']}), "
        f"{load['instructions_per_sample_mean']:.0f} instructions a sample (emulated)",
        f"  bits       host and target {'equal' if result['bit_exact']['host_vs_target'] else 'DIFFER'} over "
        f"{result['bit_exact']['samples']} samples",
        f"  shadow     desired to device {shadow['desired_to_device_ms']:.0f} ms; thing {THING} reports "
        f"{shadow['reported']['mode']}",
        f"  telemetry  {document['telemetry']['messages']} batches",
        *([_heard(document["classifier"])] if document["classifier"] else []),
        f"  report     {document['report']}",
    ]
    return "\n".join([*lines, *(f"  falls short: {failure}" for failure in result["failures"])])
