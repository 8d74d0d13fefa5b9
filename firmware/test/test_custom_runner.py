"""How ``pio test`` reads the firmware's C tests: the lines of hk_test.c, from QEMU or from a host program."""

import re

import click
from platformio.test.exception import UnitTestSuiteError
from platformio.test.result import TestCase, TestStatus
from platformio.test.runners.base import TestRunnerBase

_CASE = re.compile(r"^test (?P<name>\w+): (?:(?P<passed>passed)|FAILED at (?P<why>.*))$")
_END = re.compile(r"^tests: (?P<passed>\d+) passed, (?P<failed>\d+) failed$")


class CustomTestRunner(TestRunnerBase):
    """Builds, lets ``test_testing_command`` run the program, and wants a result for every test and a closing line."""

    def stage_building(self) -> None:
        """Build; PlatformIO would leave it to the upload stage, which an emulator does not have."""
        if not self.options.without_building:
            click.secho("Building...", bold=True)
            self.run_project_targets(["__test"])

    def stage_uploading(self) -> None:
        """Nothing: the testing command boots the program."""

    def stage_testing(self) -> None:
        """Run, and refuse a run that did not reach its end."""
        super().stage_testing()
        if not self.options.without_testing and not self.test_suite.is_finished():
            raise UnitTestSuiteError("the program did not run all its tests: see its output above")

    def on_testing_line_output(self, line: str) -> None:
        """Take one line of the program's output."""
        click.echo(line, nl=False)
        text = line.strip()
        if case := _CASE.match(text):
            status = TestStatus.PASSED if case["passed"] else TestStatus.FAILED
            self.test_suite.add_case(TestCase(name=case["name"], status=status, message=case["why"], stdout=text))
        elif end := _END.match(text):
            counted = len(self.test_suite.cases)
            if counted == int(end["passed"]) + int(end["failed"]) and counted > 0:
                self.test_suite.on_finish()
