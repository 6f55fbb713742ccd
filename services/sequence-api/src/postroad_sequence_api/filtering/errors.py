"""What is wrong with a filter."""


class FilterError(ValueError):
    """A filter that cannot be used. position counts characters from 0; expected is what could stand there."""

    def __init__(self, message: str, position: int, expected: tuple[str, ...] = ()) -> None:
        self.message = message
        self.position = position
        self.expected = expected
        hint = f"; expected {_listed(expected)}" if expected else ""
        super().__init__(f"{message} at character {position + 1}{hint}")


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
