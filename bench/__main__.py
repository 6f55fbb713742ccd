"""`make bench`: every figure, each beside its reference in the same run. ARGS="claim reads" runs some."""

import sys
from collections.abc import Callable, Mapping
from typing import Final

from bench import bulk, claim, contacts, pipeline, reads

BENCHES: Final[Mapping[str, Callable[[], None]]] = {
    "pipeline": pipeline.main,
    "claim": claim.main,
    "reads": reads.main,
    "contacts": contacts.main,
    "bulk": bulk.main,
}


def main(names: list[str]) -> int:
    """Run the named ones, or all; 2 for a name that is none."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.stderr.write(f"bench: no {', '.join(unknown)}; there are {', '.join(BENCHES)}\n")
        return 2
    for name in names or BENCHES:
        BENCHES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
