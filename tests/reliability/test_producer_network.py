"""Producer, scenarios 6 and 7: the line to the broker is cut in the midst of a batch, or answers nothing at all."""

from __future__ import annotations

from functools import partial

from sqlalchemy.engine import make_url

from shared.testing.backbone import Backbone, eventually
from shared.testing.proxy import Proxy, proxy_to
from shared.testing.scenario import Scenario


def _through(url: str, line: Proxy) -> str:
    return make_url(url).set(host="127.0.0.1", port=line.port).render_as_string(hide_password=False)


def _address(url: str) -> tuple[str, int]:
    parsed = make_url(url)
    return parsed.host or "127.0.0.1", parsed.port or 5672


def _backlog(backbone: Backbone, events: int) -> None:
    for number in range(events // 5):
        backbone.commit(f"e{number % 7}", *["ok"] * 5)


def _cut(line: Proxy, times: int) -> bool:
    return line.cuts == times


def test_network_cut_mid_batch(scenario: Scenario) -> None:
    """The line breaks four times after so many bytes and refuses callers at last: all arrives, once in effect."""
    backbone, each = scenario.backbone, scenario.many(100)
    with proxy_to(*_address(backbone.amqp_url)) as line:
        options = {"amqp_url": _through(backbone.amqp_url, line), "batch": 40}
        with backbone.relaying(**options) as relay, backbone.working():
            for cuts in range(1, 5):
                _backlog(backbone, each)
                line.cut_after(scenario.random.randrange(2_000, 12_000))
                _backlog(backbone, each)
                eventually(partial(_cut, line, cuts))
            line.cut(refuse=True)
            backbone.commit("a", "ok", "ok")
            eventually(lambda: relay.state == "broker away")
            line.heal()
            scenario.fault_over()
            scenario.settle()
    assert len(backbone.effects()) == 8 * each + 2


def test_network_black_hole(scenario: Scenario) -> None:
    """A line that takes bytes and answers nothing is given up after the time-out; what it swallowed goes out again."""
    backbone, events = scenario.backbone, scenario.many(100)
    with proxy_to(*_address(backbone.amqp_url)) as line:
        options = {"amqp_url": _through(backbone.amqp_url, line), "confirm_timeout": 0.5}
        with backbone.relaying(**options) as relay, backbone.working():
            _backlog(backbone, events)
            eventually(lambda: backbone.unpublished() == 0)
            line.swallow()
            _backlog(backbone, events)
            eventually(lambda: relay.state == "broker away")
            assert backbone.unpublished() == events
            line.heal()
            scenario.fault_over()
            scenario.settle()
    assert len(backbone.effects()) == 2 * events
