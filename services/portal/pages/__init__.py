"""The portal's pages."""

from services.portal.pages import account, catalogue, confirm, gate, home, operations, people, programmes, welcome

routers = [
    *(gate.router, welcome.router, home.router, people.router, programmes.router),
    *(operations.router, catalogue.router, account.router, confirm.router),
]
