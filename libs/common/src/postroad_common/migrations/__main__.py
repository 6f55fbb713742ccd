"""`postroad-migrate`: migrates the database of POSTROAD_DATABASE_URL, an administrator's address."""

import asyncio
import os
import sys

from postroad_common.errors import MigrationError
from postroad_common.migrations import migrate


def main() -> None:
    """Migrate and say so; exits 2 without an address, 1 when the database refuses."""
    dsn = os.environ.get("POSTROAD_DATABASE_URL")
    if not dsn:
        sys.exit(_complain("POSTROAD_DATABASE_URL: is required, with an administrator's login", 2))
    try:
        asyncio.run(migrate(dsn, role_password=os.environ.get("POSTROAD_ROLE_PASSWORD")))
    except (MigrationError, OSError) as error:
        sys.exit(_complain(str(error), 1))
    sys.stdout.write("the database is at the schema of this build\n")


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"postroad-migrate: {text}\n")
    return code


if __name__ == "__main__":
    main()
