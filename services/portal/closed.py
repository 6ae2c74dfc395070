"""What the front door says while sessions can't be read: nobody is let in on trust, or told to sign in again."""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from shared.commands import here
from shared.errors import TamgaError
from shared.i18n import choose_locale, translate
from shared.web.errors import PROBLEM, TYPE_PREFIX, UnavailableError, wants_json
from shared.web.middleware import LANGUAGE_COOKIE, SECURITY_HEADERS
from shared.web.static import static_url

_PAGE = Markup("""<!doctype html>
<html lang="{locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Tamga</title>
<link rel="icon" href="{icon}" type="image/svg+xml">
<link rel="stylesheet" href="{style}">
</head>
<body>
<div class="plain"><main id="main"><section class="error">
<p class="soft">{status}</p>
<h1>{title}</h1>
<p>{text}</p>
<p class="soft">{operators} <code>{command}</code></p>
</section></main></div>
</body>
</html>
""")


class ClosedError(UnavailableError):
    """Sessions can't be read."""

    title = "Tamga is not available now"


def closed(request: Request) -> Response:
    """Return the answer to whoever comes meanwhile, in their language, for a machine as problem+json."""
    problem: TamgaError = ClosedError("The database does not answer. Nothing was changed; try again in a moment")
    locale = choose_locale((request.cookies.get(LANGUAGE_COOKIE),), request.headers.get("accept-language", ""))

    def said(message: str) -> str:
        return translate("portal", message, locale=locale)

    title, text = said(problem.title), said(problem.message)
    headers = {"retry-after": str(ClosedError.retry_after), **SECURITY_HEADERS, "cache-control": "no-store"}
    if wants_json(request):
        body = {"type": TYPE_PREFIX + problem.type, "title": title, "status": problem.status, "detail": text}
        return JSONResponse(body, problem.status, headers, PROBLEM)
    page = _PAGE.format(
        locale=locale,
        title=title,
        text=text,
        status=problem.status,
        icon=static_url("favicon.svg"),
        style=static_url("tamga.css"),
        command=here("tamga status"),
        operators=said("Whoever runs Tamga sees on the server what is wrong:"),
    )
    return HTMLResponse(page, problem.status, headers)
