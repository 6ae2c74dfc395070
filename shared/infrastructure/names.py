"""Names of every service's database and roles; apart, so that asking for them imports no SQL library."""


def database_name(service: str) -> str:
    """Return the name of a service's database."""
    return f"tamga_{service}"


def app_role(service: str) -> str:
    """Return the name of the role a service works as."""
    return f"tamga_{service}"


def owner_role(service: str) -> str:
    """Return the name of the role that owns a service's tables and runs its migrations."""
    return f"tamga_{service}_owner"
