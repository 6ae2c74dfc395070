"""The portal's pages."""

from services.portal.pages import (
    account,
    catalogue,
    confirm,
    gate,
    home,
    operations,
    organisations,
    people,
    programmes,
    welcome,
)

routers = [
    *(gate.router, welcome.router, home.router, people.router, organisations.router, programmes.router),
    *(operations.router, catalogue.router, account.router, confirm.router),
]
