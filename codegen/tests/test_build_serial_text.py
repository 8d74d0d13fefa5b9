from hushkit.serial_text import SerialText


def test_text_packets_and_frames_are_told_apart_in_any_pieces() -> None:
    stream = b"hushkit 0.1.0\r\n\x06\x09AAoL\n\x00\x02\x01\x05\x00*** fault\n"
    text = SerialText()

    whole = SerialText().feed(stream)
    pieces = [line for byte in stream for line in text.feed(bytes([byte]))]

    assert whole == pieces
    assert whole == ["hushkit 0.1.0", "<management, 6 bytes: AAoL>", "<telemetry, 3 bytes: 020105>", "*** fault"]


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert SerialText().feed(b"a\x1b[2Jb\n") == ["a\\x1b[2Jb"]


def test_endless_line_is_shown_in_pieces() -> None:
    shown = SerialText().feed(b"x" * 5000)

    assert [len(line) for line in shown] == [4096]
