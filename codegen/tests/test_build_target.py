import pytest
from hushkit.errors import InputError
from hushkit.target import Target, parse_target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("qemu", Target("qemu")),
        ("host", Target("host")),
        ("serial:/dev/ttyACM0", Target("serial", device="/dev/ttyACM0")),
        ("serial:/dev/ttyACM0@921600", Target("serial", device="/dev/ttyACM0", baud=921_600)),
        ("serial:socket://127.0.0.1:5337", Target("serial", device="socket://127.0.0.1:5337")),
        ("labgrid:bench-3", Target("labgrid", place="bench-3")),
    ],
)
def test_target_is_read_and_written_back(text: str, expected: Target) -> None:
    target = parse_target(text)

    assert target == expected
    assert str(target) == text


@pytest.mark.parametrize("text", ["", "qemu:", "serial:", "serial:/dev/ttyS0@fast", "labgrid:", "usb", "serial:@9600"])
def test_unknown_target_is_refused_with_the_forms_there_are(text: str) -> None:
    with pytest.raises(InputError, match=r"serial:DEVICE\[@BAUD\]"):
        parse_target(text)


def test_impossible_baud_rate_is_refused() -> None:
    with pytest.raises(InputError, match=r"1200\.\.4000000"):
        parse_target("serial:/dev/ttyS0@300")
