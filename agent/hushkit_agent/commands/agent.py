"""Bridge one headset to AWS IoT Core, or to the local one.

`run` connects the headset on a serial line with its thing's shadow: what an operator desires is carried to the
headset, and what the headset does is reported; telemetry is batched, spooled on disk and delivered when there is a
connection. It runs until it is stopped (SIGTERM or Ctrl-C), through unplugged headsets, lost brokers and power cuts.
`doctor` checks what an agent needs and says what to do.

    hushkit agent doctor --config agent.toml
    hushkit agent run --config agent.toml

The file, with paths relative to its directory:

    thing = "hs-001"

    [cloud]
    endpoint = "abc123-ats.iot.eu-central-1.amazonaws.com:8883"   # or localhost:8883
    ca = "ca.pem"
    cert = "hs-001.pem"
    key = "hs-001.key"

    [headset]
    serial = "/dev/ttyACM0"       # or a pseudo-terminal, or socket://host:port
    baud = 115200                 # optional

    [telemetry]
    spool = "spool.sqlite"
    batch_s = 1.0                 # optional
    spool_mib = 64                # optional
"""

import argparse
import json
import logging
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from hushkit_agent.config import load_config
from hushkit_agent.doctor import Finding, examine
from hushkit_agent.errors import AgentError
from hushkit_agent.runner import Runner

HELP = "bridge a headset to AWS IoT Core: run, doctor"
ERRORS: tuple[type[Exception], ...] = (AgentError,)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    run_action = actions.add_parser("run", help="bridge until stopped")
    run_action.add_argument("--verbose", action="store_true", help="log all that passes on the line and in the cloud")
    doctor = actions.add_parser("doctor", help="check clock, certificates, spool, broker and headset")
    doctor.add_argument("--json", metavar="FILE", help="write the findings as JSON (- for standard output)")
    for action in (run_action, doctor):
        action.add_argument("--config", type=Path, required=True, metavar="FILE", help="the agent's TOML file")


def run(options: argparse.Namespace) -> int:
    """Carry one action out."""
    config = load_config(options.config)
    if options.action == "doctor":
        return _doctor(list(examine(config)), options.json)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format=f"%(asctime)s %(levelname)-7s {config.thing}: %(message)s",
        stream=sys.stderr,
    )
    runner = Runner(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runner.stop())
    runner.run()
    return 0


def _doctor(findings: list[Finding], json_file: str | None) -> int:
    passed = all(finding.ok for finding in findings)
    if json_file:
        text = json.dumps({"passed": passed, "checks": [asdict(finding) for finding in findings]}, indent=2) + "\n"
        if json_file == "-":
            sys.stdout.write(text)
        else:
            Path(json_file).write_text(text, encoding="utf-8")
    if json_file != "-":
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check:<12}{finding.detail}")
            if finding.advice:
                print(f"{'':18}{finding.advice}")
    return 0 if passed else 1
