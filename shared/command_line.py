"""What all commands of `tamga` have in common: no argument is empty, and a server that is silent is one sentence."""

from __future__ import annotations

from collections.abc import Sequence


def slip(arguments: Sequence[str]) -> str | None:
    """Return what is wrong with arguments that no command can mean, such as a variable of a script that is not set."""
    for place, argument in enumerate(arguments):
        before = arguments[place - 1] if place else ""
        name, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
        after = before.startswith("--") and "=" not in before
        named = name or (f"What follows {before}" if after else f"Argument {place + 1}")
        if not value.strip() and (equals or not argument.startswith("--")):
            return f"{named} is empty: say what is meant, or leave it out."
        if not argument.isascii() and any("\ud800" <= letter <= "\udfff" for letter in argument):
            return f"{named} is not text in UTF-8."
    return None


def unanswered(error: Exception) -> str | None:
    """Return in one sentence that the database, the broker or the disk does not answer; None for any other error."""
    from amqp.exceptions import AMQPError  # noqa: PLC0415 - most commands never need this
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415 - the same

    from shared.infrastructure.refusals import worded  # noqa: PLC0415 - the same
    from shared.messaging.broker_api import BrokerAPIError  # noqa: PLC0415 - the same

    if isinstance(error, BrokerAPIError):
        return str(error)
    if isinstance(error, OperationalError):
        return f"The database does not answer: {worded(error)}"
    if isinstance(error, AMQPError | ConnectionError | TimeoutError):
        return f"The broker does not answer: {worded(error)}"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None
