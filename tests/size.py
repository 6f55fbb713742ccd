"""How much of a proof is done: all of it in `make prove`, enough to show the rule in `make test`."""

import os
from typing import Final

FULL: Final = os.environ.get("POSTROAD_PROVE") == "1"
SEED: Final = int(os.environ.get("POSTROAD_PROVE_SEED", "20261122"))


def examples(full: int) -> int:
    """How many inputs hypothesis draws where full size has so many."""
    return full if FULL else full // 4
