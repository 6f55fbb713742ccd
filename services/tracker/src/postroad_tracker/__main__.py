"""postroad-tracker: the tracker as a process."""

from postroad_common.lifecycle import run
from postroad_tracker.app import build
from postroad_tracker.settings import TrackerSettings


def main() -> None:
    """Run until SIGTERM."""
    run("tracker", TrackerSettings, build, trusts_callers_trace=False)


if __name__ == "__main__":
    main()
