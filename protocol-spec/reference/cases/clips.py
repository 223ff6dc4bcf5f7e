"""Adaptive clipping: the clip norm of the next round (04 section 13)."""

from . import Case

_RULES = ("0.5,0.2,1,0.1,10", "0.5,1,2,0.001,100", "0.9,2,1,0.000000001,999999999.999999999", "0.123456,1.234567,1,1,1")


def clips() -> list[Case]:
    cases = []
    for number, rule in enumerate(_RULES):
        for clip in ("1", "0.333333333", "7.654321", "9.999999999"):
            for within in ("0", "0.123457", "0.5", "0.9", "0.999999", "1"):
                if number == 3 and clip != "1" or number == 0 and clip == "9.999999999" and within == "1":
                    continue
                given = {"rule": rule, "clip": clip, "within": within}
                cases.append(Case(f"rule {number}, {clip}, {within} within", "next clip", given))
    bad = {
        "four decimals": "0.5,0.2,1,0.1",
        "six decimals": "0.5,0.2,1,0.1,10,10",
        "a space": "0.5, 0.2,1,0.1,10",
        "a trailing zero": "0.50,0.2,1,0.1,10",
        "quantile 0": "0,0.2,1,0.1,10",
        "quantile 1": "1,0.2,1,0.1,10",
        "quantile of seven places": "0.1234567,0.2,1,0.1,10",
        "rate 0": "0.5,0,1,0.1,10",
        "rate above 2": "0.5,2.000001,1,0.1,10",
        "rate of seven places": "0.5,0.2000001,1,0.1,10",
        "least 0": "0.5,0.2,1,0,10",
        "initial below least": "0.5,0.2,0.09,0.1,10",
        "initial above largest": "0.5,0.2,10.1,0.1,10",
        "largest 10^9": "0.5,2,1,1,1000000000",
        "largest beyond any step": "0.5,2,1,1,999999999999999999",
        "ten places": "0.5,0.2,1.0000000001,0.1,10",
    }
    for name, rule in bad.items():
        given = {"rule": rule, "clip": "1", "within": "0.5"}
        cases.append(Case(f"rule, {name}", "next clip", given, "TAC-003"))
    return cases
