"""The short table of benchmarks/README.md says what the tables below it say, and the README quotes it."""

from pathlib import Path

from module_files import load_file

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "benchmarks" / "README.md").read_text()


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_the_short_table_is_made_of_the_tables_below():
    summary = load_file(ROOT / "benchmarks" / "summary.py", "benchmark_summary").summary(PAGE)
    assert len(lines_of(summary)) > 10
    stands = PAGE.partition("in short from here -->")[2].partition("<!--")[0]
    assert lines_of(stands) == lines_of(summary), "benchmarks/run.py --write writes it anew"


def test_the_readme_quotes_three_of_its_lines():
    readme = (ROOT / "README.md").read_text().partition("## Speed and memory")[2].partition("\n## ")[0]
    short = PAGE.partition("in short from here -->")[2].partition("<!--")[0]
    head, rule, *quoted = [line for line in lines_of(readme) if line in lines_of(short)]
    assert [head, rule] == lines_of(short)[:2]
    assert len(quoted) == 3
