"""Pages: one Jinja environment a service, with the words, numbers and times of the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared import i18n
from shared.clock import Clock
from shared.commands import here
from shared.web import navigation
from shared.web.csrf import masked
from shared.web.static import static_url

TEMPLATES = Path(__file__).parent / "templates"
DASH = "–"


def _moment_value(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


class Pages:
    """Renders a service's templates over the shared ones. `zone` is that of the house, for who has no other."""

    def __init__(self, service: str, templates: Path, clock: Clock, zone: str = "UTC") -> None:
        self.service, self.clock, self._zone = service, clock, ZoneInfo(zone)
        self.env = Environment(
            loader=ChoiceLoader([FileSystemLoader(templates), FileSystemLoader(TEMPLATES)]),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.env.install_gettext_callables(self._gettext, self._ngettext, newstyle=True)  # type: ignore[attr-defined]
        self.env.filters |= {
            "money": self.money,
            "number": self.number,
            "percent": self.percent,
            "moment": self.moment,
            "day": self.day,
            "ago": self.ago,
            "translated": self._said,
            "worded": self._worded,
        }
        self.env.globals |= {
            "static": static_url,
            "command": here,
            "languages": i18n.NAMES,
            "errors": {},
            "given": {},
            "crumbs": [],
        }
        self.env.globals["zone"] = self.zone_named
        # Macros of parts.html see neither the page's context nor the reader, so these are global and take arguments.

    @property
    def zone(self) -> ZoneInfo:
        """Return the time zone of this page's times: the programme's that it is about, else the house's."""
        named = i18n.current_zone.get()
        return ZoneInfo(named) if named else self._zone

    def _gettext(self, message: str) -> str:
        text = i18n.catalogue(self.service, i18n.current_locale.get()).gettext(message)
        # Jinja fills the places of every text, so a sign that only the translation has must not look like one.
        return text if "%" in message else text.replace("%", "%%")

    def _said(self, text: str) -> str:
        return i18n.said(self.service, text)

    def _worded(self, refusal: Any) -> str:
        """Return a refusal's sentence, its amounts written as the reader's language does."""
        return i18n.translate(self.service, refusal.message, refusal.params)

    def _ngettext(self, singular: str, plural: str, number: int) -> str:
        return i18n.catalogue(self.service, i18n.current_locale.get()).ngettext(singular, plural, number)

    def money(self, value: Any) -> str:
        """Return an amount with its currency: Money, or its JSON form; a dash for nothing."""
        if value is None:
            return DASH
        amount, currency = (
            (value["amount"], value["currency"]) if isinstance(value, Mapping) else (value.amount, value.currency)
        )
        return i18n.money_in_words(Decimal(amount), currency, i18n.current_locale.get())

    def number(self, value: Any, places: int = 0) -> str:
        """Return a number grouped as the reader's language groups it."""
        if value is None:
            return DASH
        pattern = "#,##0" + ("." + "0" * places if places else "")
        return str(format_decimal(Decimal(str(value)), format=pattern, locale=i18n.reader()))

    def percent(self, value: Any, places: int = 0) -> str:
        """Return a fraction as per cent."""
        return DASH if value is None else f"{self.number(Decimal(str(value)) * 100, places)}\u00a0%"

    def moment(self, value: datetime | str | None) -> str:
        """Return a point in time in the people's time zone; on hover with its zone, and exactly in UTC."""
        if value is None:
            return DASH
        moment = _moment_value(value)
        text = format_datetime(moment, "d MMM y, HH:mm", tzinfo=self.zone, locale=i18n.reader())
        exact = moment.astimezone(UTC)
        named = f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M:%S} {self.zone.key}"
        if self.zone.key != "UTC":
            named = f"{named} = {exact.replace(tzinfo=None).isoformat(' ', 'milliseconds')} UTC"
        element = Markup('<time datetime="{}" title="{}">{}</time>')
        return element.format(exact.isoformat(timespec="milliseconds"), named, text)

    def zone_named(self) -> str:
        """Return the time zone of all times on the page, with how far it is off UTC today: "Europe/Skopje, UTC+1"."""
        if self.zone.key == "UTC":
            return "UTC"
        minutes = int((self.clock().astimezone(self.zone).utcoffset() or timedelta()).total_seconds() // 60)
        hours, rest = divmod(abs(minutes), 60)
        offset = f"{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"
        return f"{self.zone.key}, UTC{offset}"

    def day(self, value: date | str | None) -> str:
        """Return a date."""
        if value is None:
            return DASH
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
        if isinstance(value, datetime):
            value = value.astimezone(self.zone).date()
        return str(format_date(value, "d MMM y", locale=i18n.reader()))

    def ago(self, value: datetime | str | None) -> str:
        """Return how long ago (or how soon) a point in time is, in words."""
        if value is None:
            return DASH
        delta = _moment_value(value) - self.clock()
        return str(format_timedelta(delta, add_direction=True, locale=i18n.reader()))

    def html(self, template: str, **context: Any) -> str:
        """Return a rendered template."""
        return self.env.get_template(template).render(**context)

    def render(self, request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
        """Return a template as an answer; see `shared_context` for what every template may use."""
        return HTMLResponse(self.html(template, **(shared_context(request) | context)), status_code)


def _csrf_field(token: str) -> Callable[[], Markup]:
    def field() -> Markup:
        return Markup('<input type="hidden" name="csrf" value="{}">').format(masked(token))

    return field


def shared_context(request: Request) -> dict[str, Any]:
    """Return what every page may use: who, nav, csrf_field(), locale, path, correlation_id, notice."""
    state = request.state
    who = getattr(state, "identity", None)
    places = navigation.sections_for(who)
    links = [link for _, found in places for link in found]
    path = request.scope["path"]
    return {
        "request": request,
        "who": who,
        "links": links,
        "places": places,
        "here": navigation.current(links, path),
        "path": path,
        "address": f"{path}?{request.url.query}" if request.url.query else path,
        "locale": getattr(state, "locale", i18n.DEFAULT),
        "csrf_field": _csrf_field(who.csrf if who else ""),
        "correlation_id": getattr(state, "correlation_id", ""),
    }


def render(request: Request, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
    """Return a template of the request's own service as an answer."""
    pages: Pages = request.app.state.pages
    return pages.render(request, template, status_code=status_code, **context)
