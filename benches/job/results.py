"""Figures, and the table of them."""

import statistics

from processes import say


class Results:
    """Figures by name, in order; a target is what the project promises, as "<=" or ">=" of a number."""

    def __init__(self):
        self.rows = {}

    def add(self, name, value, unit="", target=None):
        row = self.rows.setdefault(name, {"unit": unit, "target": target, "values": []})
        row["values"].append(float(value))
        say(f"    {name}: {shown(value)} {unit}")

    def table(self, kept):
        head = ["", "min", "median", "max", "unit", "target", "", "kept"]
        lines = [head]
        for name, row in self.rows.items():
            values, target = row["values"], row["target"]
            middle = statistics.median(values)
            verdict = ""
            if target:
                sign, limit = target
                verdict = "yes" if (middle <= limit if sign == "<=" else middle >= limit) else "NO"
            before = kept.get(name)
            lines.append(
                [
                    name,
                    shown(min(values)),
                    shown(middle),
                    shown(max(values)),
                    row["unit"],
                    f"{target[0]} {shown(target[1])}" if target else "",
                    verdict,
                    f"{shown(before)} ({middle / before:.2f}x)" if before else "",
                ]
            )
        widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
        right = (1, 2, 3)
        for line in lines:
            cells = [c.rjust(w) if n in right else c.ljust(w) for n, (c, w) in enumerate(zip(line, widths))]
            print("  ".join(cells).rstrip())


def shown(value):
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def in_turn(pair, first, second):
    """Both, in an order that alternates."""
    if pair % 2:
        return first(), second()
    of_second = second()
    return first(), of_second
