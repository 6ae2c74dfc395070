"""What the machine around the containers adds to the parcel for whoever helps."""

from __future__ import annotations

import pytest

from deploy.monitoring import parcel


def test_logs_of_containers_are_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What erases a line or colours a word is left out, of everything that the machine said."""

    def asked(command: tuple[str, ...]) -> tuple[int, bytes]:
        return 0, b"watch" if "--services" in command else b'\x1b[2K{"level": "info"}\n\x1b[31mred\x1b[0m\n'

    monkeypatch.setattr(parcel, "asked", asked)
    found = parcel.around()
    assert found["log/watch.log"] == '{"level": "info"}\nred\n'
    assert "\x1b" not in "".join(found.values())
