"""What benchmarks/README.md says in short, from the tables that stand in it."""

#: Tables by title, rows as {column: what stands there}.
Tables = dict[str, list[dict[str, str]]]
#: The pictures that goals are for, as tables write them.
V2, XL, STYLED = "768²", "1024²", "v2-style"
#: What has a goal in both versions, and how the goals begin.
GOALS = {
    "operations of the split alone, against the plain UNet (XL: base)": ("operations of split, against", "base: "),
    "operations of all that is on": ("operations of split, injection", "v2-style: "),
    "processor time's ratio, against the operations'": ("processor time", "processor time"),
    "operators launched with all on, against the plain UNet's": ("operators", "operators"),
    "operations inside a step that wait for the device": ("operations inside", "operations inside"),
    "extra peak memory of a run, float16, of the plain run's": ("extra peak", "extra peak"),
}


def tables_of(page: str) -> Tables:
    """Read the first table of each section of a page."""
    found: Tables = {}
    for section in page.split("\n## ")[1:]:
        title, _, rest = section.partition("\n")
        lines = [line[2:-2].split(" | ") for line in rest.splitlines() if line.startswith("| ")]
        if lines:
            head, _, *rows = lines
            found[title] = [dict(zip(head, row, strict=False)) for row in rows]
    return found


def summary(page: str) -> str:
    """Write the table in short."""
    tables = tables_of(page)
    lines = [["", "goal", f"v2, {V2}", "goal", f"XL v2-style, {XL}"], ["---"] * 5]
    for what, (v2, xl) in GOALS.items():
        lines.append([what, *goal(tables["Goals"], v2), *goal(tables["XL: goals"], xl)])
    lines += [[what, "", v2, "", xl] for what, (v2, xl) in grown(tables).items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def goal(rows: list[dict[str, str]], start: str) -> tuple[str, str]:
    """Return a goal's limit, and what was reached; in bold where it was missed."""
    [row] = [row for row in rows if row["goal"].startswith(start)]
    reached = row["reached"] if row["met"] != "no" else f"**{row['reached']}**"
    return f"≤ {float(row['limit']):g}", reached


def grown(tables: Tables) -> dict[str, tuple[str, str]]:
    """Return how it grows, and what is done once, in v2 and in XL."""

    def pick(title: str, column: str, **where: str) -> str:
        [row] = [row for row in tables[title] if all(row[name] == text for name, text in where.items())]
        return row[column]

    def xl(title: str, column: str, size: str = XL, **where: str) -> str:
        return pick(f"XL: {title}", column, model=STYLED, size=size, **where)

    growth, peaks = "Operations with size, batch and characters", "Peak memory of a run, float16"
    one = {"batch": "1", "characters": "1"}
    four = {"batch": "4", "characters": "1"}
    return {
        "extra peak memory, MB": (pick(peaks, "extra", size=V2, **one), xl(peaks.lower(), "extra", **one)),
        "with a batch of four, of the plain run's": (
            pick(peaks, "extra share", size=V2, **four),
            xl(peaks.lower(), "extra share", **four),
        ),
        "operations with four characters": (
            pick(growth, "4 characters", size=V2, batch="1"),
            xl("operations of a step", "4 characters", background="50%"),
        ),
        "operations at 512² and 1024² (XL: 768² and 1536²)": (
            " and ".join(pick(growth, "1 character", size=size, batch="1") for size in ("512²", "1024²")),
            " and ".join(xl("operations of a step", "a step", size, background="50%") for size in ("768²", "1536²")),
        ),
        "all encoders, once, in steps of the plain UNet": (
            f"{steps(tables['What is done once']):.2f}",
            f"{steps(tables['XL: what is done once']):.2f}",
        ),
    }


def steps(rows: list[dict[str, str]]) -> float:
    """Add up how many steps the encoders cost."""
    return sum(float(row["of a step"]) for row in rows)
