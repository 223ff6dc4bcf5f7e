"""What a member said last, and what it says when it is asked again (02 sections 3 and 3.6)."""

from collections.abc import Callable

from . import messages
from .messages import Chunk, Resume
from .refusal import require
from .tls import Struct


class Conversation:
    def __init__(self) -> None:
        self._last: Struct | None = None
        self._answers: list[Struct] = []

    def hear(self, message: Struct, act: Callable[[], list[Struct]]) -> list[Struct]:
        """The answers to a message: `act` gives them if it is not the last one again."""
        if isinstance(message, Resume):
            return self._resume(message.next)
        if self._last is not None and type(message) is type(self._last):
            same = messages.encode(message) == messages.encode(self._last)
            require(same, "TAC-076")
            return self._answers
        answers = act()
        self._last, self._answers = message, answers
        return answers

    def _resume(self, first: int) -> list[Struct]:
        """TAC-042: goes on with an upload from its second chunk, at the earliest, to its end, at the latest."""
        uploads = bool(self._answers) and isinstance(self._answers[0], Chunk)
        require(uploads and 1 <= first < len(self._answers), "TAC-042")
        return self._answers[first:]
