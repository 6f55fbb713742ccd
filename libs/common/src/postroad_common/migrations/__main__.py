"""`postroad-migrate [--restored]`: migrates the database of POSTROAD_DATABASE_URL, an administrator's address.

POSTROAD_ROLE_PASSWORD is given to each login role; POSTROAD_ROLE_PASSWORD_SENDER (_SEQUENCE_API, …) to one of them.
--restored holds the database too: for a copy, before any service starts on it. docs/backup.md says what follows.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Final

from postroad_common.errors import MigrationError
from postroad_common.migrations import LOGIN_ROLES, hold_restored, migrate

ROLE_PASSWORD: Final = "POSTROAD_ROLE_PASSWORD"  # noqa: S105 - the name of a variable
ROLE_PASSWORDS: Final = {f"{ROLE_PASSWORD}_{role.removeprefix('postroad_').upper()}": role for role in LOGIN_ROLES}
"""Environment names of the passwords that one login role gets."""


def main() -> None:
    """Migrate and say so; exits 2 for what was not given or not understood, 1 when the database refuses."""
    restored = sys.argv[1:] == ["--restored"]
    if sys.argv[1:] and not restored:
        sys.exit(_complain("takes --restored and nothing else", 2))
    dsn = os.environ.get("POSTROAD_DATABASE_URL")
    if not dsn:
        sys.exit(_complain("POSTROAD_DATABASE_URL: is required, with an administrator's login", 2))
    try:
        asyncio.run(_prepare(dsn, role_passwords(os.environ), restored=restored))
    except ValueError as error:
        sys.exit(_complain(str(error), 2))
    except (MigrationError, OSError) as error:
        sys.exit(_complain(str(error), 1))
    sys.stdout.write("the database is at the schema of this build\n")
    if restored:
        sys.stdout.write("it is held: start the services and run `postroad restore status`\n")


async def _prepare(dsn: str, passwords: Mapping[str, str], *, restored: bool) -> None:
    await migrate(dsn, role_password=passwords)
    if restored:
        await hold_restored(dsn)


def role_passwords(environment: Mapping[str, str]) -> dict[str, str]:
    """The password of each login role that gets one; raises ValueError for a name that is no role's."""
    known = {ROLE_PASSWORD, *ROLE_PASSWORDS}
    unknown = sorted(name for name in environment if name.startswith(ROLE_PASSWORD) and name not in known)
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no login role has this name; known are {', '.join(ROLE_PASSWORDS)}")
    every = environment.get(ROLE_PASSWORD)
    given = {role: environment.get(name) or every for name, role in ROLE_PASSWORDS.items()}
    return {role: password for role, password in given.items() if password}


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"postroad-migrate: {text}\n")
    return code


if __name__ == "__main__":
    main()
