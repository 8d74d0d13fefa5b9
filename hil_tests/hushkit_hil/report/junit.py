"""JUnit XML of one bench run: a test case per thing that was judged."""

import xml.etree.ElementTree as ET
from pathlib import Path

from hushkit_hil.bench.result import Result


def write_junit(path: Path, result: Result) -> None:
    """Write what CI systems read. Every failure is a case of its own; a passed run is one passed case."""
    suite = ET.Element(
        "testsuite",
        name=f"hushkit bench {result.spec}",
        tests=str(max(1, len(result.failures))),
        failures=str(len(result.failures)),
        errors="0",
        skipped="0",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("build_id", result.build_id),
        ("core", result.core),
        ("toolchain", result.toolchain),
        ("attenuation_db", f"{result.acoustics.attenuation_db:.2f}"),
        ("seed", str(result.scenario.seed)),
    ):
        ET.SubElement(properties, "property", name=name, value=value)
    name = f"{result.target}.{result.scenario.noise}.{result.scenario.paths}"
    if result.passed:
        ET.SubElement(suite, "testcase", classname=f"hushkit.{result.spec}", name=name, time=_seconds(result))
    for failure in result.failures:
        case = ET.SubElement(
            suite, "testcase", classname=f"hushkit.{result.spec}", name=f"{name}: {failure.split(' ')[0]}", time="0"
        )
        ET.SubElement(case, "failure", message=failure)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _seconds(result: Result) -> str:
    return f"{result.scenario.seconds / max(result.times_real_time, 1e-9):.3f}"
