import io
import os
import pty

from colorizer.core.progress import Progress


def test_a_log_gets_plain_lines(monkeypatch):
    monkeypatch.setattr("colorizer.core.progress._SECONDS_BETWEEN_LINES", 0)
    stream = io.StringIO()
    with Progress("epoch 1/2", total=4, stream=stream) as progress:
        progress.advance(2, lambda: "l1 0.100")
        progress.label = "epoch 2/2"
        progress.advance(2)
    lines = stream.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch 1/2: 2/4 img", "epoch 2/2: 4/4 img"]
    assert "s left" in lines[0]
    assert lines[0].endswith("l1 0.100")
    assert "\r" not in stream.getvalue()


def test_a_terminal_gets_a_bar_with_rate_and_time_left():
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        with Progress("epoch 1/1", total=4, stream=stream) as progress:
            for _ in range(4):
                progress.advance(1, lambda: "l1 0.100")
        stream.flush()
        shown = ""
        while "4/4" not in shown:
            shown += os.read(reader, 100_000).decode()
    os.close(reader)
    assert "epoch 1/1" in shown
    assert "img/s" in shown
    assert "l1 0.100" in shown
