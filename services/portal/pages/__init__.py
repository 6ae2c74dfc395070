"""The portal's pages."""

from services.portal.pages import (
    account,
    call_part,
    calls,
    catalogue,
    confirm,
    gate,
    home,
    operations,
    organisations,
    people,
    programmes,
    questions,
    versions,
    welcome,
)

routers = [
    *(gate.router, welcome.router, home.router, people.router, organisations.router, programmes.router),
    *(calls.router, call_part.router, questions.router, versions.router),
    *(operations.router, catalogue.router, account.router, confirm.router),
]
