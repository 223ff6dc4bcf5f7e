"""What ends a computation: a rule of 02 section 7 by its number, or a word for what has no number."""


class Refused(Exception):
    """`rule` is `TAC-nnn`, or a word of 10-vectors section 2 where the pages give no number."""

    def __init__(self, rule: str, why: str = "") -> None:
        super().__init__(f"{rule}: {why}" if why else rule)
        self.rule = rule


class Aborted(Exception):
    """The server gives the attempt up (02 section 6)."""


def require(condition: bool, rule: str, why: str = "") -> None:
    """Refuses with `rule` unless `condition` holds."""
    if not condition:
        raise Refused(rule, why)
