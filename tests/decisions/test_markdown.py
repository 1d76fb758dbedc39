"""Whatever strangers write, a page keeps its form: as Markdown, and in a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from decisions.document import Bullets, Code, Heading, Link, Listing, Page, Paragraph, Quote, Steps, Strong, Table
from decisions.markdown import code, prose, to_markdown
from decisions.plain import plain_lines, plain_text
from decisions.terminal import to_terminal

PARSER = MarkdownIt("commonmark").enable("table")
NASTY = [
    "a|b", "\\|", "\\\\|", "`", "``|``", "`|`", "|---|", "\n|x|\n", "</td><script>alert(1)</script>", "<img src=x onerror=1>",
    "[click](https://evil.example)", "![](https://evil.example/x.png)", "https://evil.example/login", "www.evil.example",
    "\x1b[2J\x1b]0;owned\x07", "\u202egpj.exe", "\u200b", "\r", "\x00", "\u2028", "# heading", "- item", "1. x", "> quote", "---",
    "***", "__x__", "$x$", "&lt;", "&#124;", "~~x~~", "", " ", "  ", "e" + "\u0301" * 50, "\ud800", "|" * 20, "\\" * 9 + "|",
]  # fmt: skip
anything = st.one_of(st.sampled_from(NASTY), st.text(), st.lists(st.sampled_from(NASTY)).map("".join))


def table(*cells: str) -> Page:
    rows = tuple((Code(c), c, Strong(c)) for c in cells)
    return (Heading(1, cells[0]), Table(("First", "Second", "Third"), rows), Paragraph("The end."))


def shape(markdown: str) -> list[str]:
    return [t.type for t in PARSER.parse(markdown) if t.nesting >= 0 and t.type != "inline"]


def inline_types(markdown: str) -> set[str]:
    return {c.type for t in PARSER.parse(markdown) for c in t.children or ()}


def pipes_that_split(row: str) -> int:
    """As GitHub and Prefect count them: a backslash escapes the next character if that is a pipe or a backslash."""
    count, n = 0, 0
    while n < len(row):
        if row[n] == "\\" and row[n + 1 : n + 2] in ("\\", "|"):
            n += 2
            continue
        count += row[n] == "|"
        n += 1
    return count


@given(st.lists(anything, min_size=1, max_size=4))
def test_a_table_keeps_its_rows_and_cells(cells):
    markdown = to_markdown(table(*cells))
    assert shape(markdown) == shape(to_markdown(table(*("x" for _ in cells))))
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {pipes_that_split(row) for row in rows} == {4}


@given(anything)
def test_no_text_becomes_a_link_an_image_or_html(text):
    page = (Paragraph((text, Code(text), Strong(text))), Bullets((text, Code(text))), Steps((text,)), Quote(text))
    assert inline_types(to_markdown(page)) <= {"text", "code_inline", "strong_open", "strong_close", "text_special"}
    assert "html_block" not in [t.type for t in PARSER.parse(to_markdown(page))]
    drawn = prose(text)
    assert "://" not in drawn
    assert "www." not in drawn.lower()


@given(anything, anything)
def test_a_listing_stays_one_listing(first, second):
    blocks = shape(to_markdown((Listing(f"{first}\n{second}"), Paragraph("The end."))))
    assert blocks == ["fence", "paragraph_open"]
    drawn = to_terminal((Listing(f"{first}\n{second}"),), 60)
    assert all(c.isprintable() for c in drawn.replace("\n", ""))
    assert max(map(len, drawn.split("\n"))) <= 60


@given(anything)
def test_a_paragraph_stays_one_paragraph(text):
    blocks = shape(to_markdown((Paragraph(("At ", text)), Paragraph((text or "x", " ends")))))
    assert blocks == ["paragraph_open", "paragraph_open"]


@given(st.text(st.characters(codec="ascii", exclude_categories=("Cc",))).filter(str.strip))
def test_code_shows_the_value_as_it_is(text):
    children = [c for t in PARSER.parse(code(text)) for c in t.children or ()]
    assert [(c.type, c.content) for c in children] == [("code_inline", text)]


@pytest.mark.parametrize(("value", "shown"), [("", "`(empty)`"), ("   ", "`(3 blanks)`"), ("`", "`` ` ``")])
def test_an_empty_or_blank_value_can_be_seen(value, shown):
    assert code(value) == shown


@given(anything)
def test_nothing_steers_a_terminal(text):
    page = (Heading(1, text), Paragraph((text, Code(text), Strong(text))), *table(text), Bullets((text,)), Quote(text))
    drawn = to_terminal(page, 60)
    assert all(c.isprintable() for c in drawn.replace("\n", ""))
    assert all(c.isprintable() for c in plain_lines(text).replace("\n", ""))


@given(st.lists(anything, min_size=1, max_size=3), st.integers(40, 200))
def test_no_line_is_wider_than_the_terminal(cells, width):
    assert max(len(line) for line in to_terminal(table(*cells), width).splitlines()) <= width


def test_what_is_cut_is_said_and_what_must_be_seen_whole_is_not_cut():
    assert plain_text("x" * 50, 10) == "xxxxxxxxxx… (50 characters)"
    assert "x" * 9000 not in code("x" * 9000)
    assert "x" * 9000 in to_markdown((Paragraph(Code("x" * 9000, whole=True)),))


def test_marks_piled_on_one_letter_do_not_paint_over_other_lines():
    assert plain_text("e" + "\u0301" * 9).count("\u0301") == 4


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x.example/) [y](z", "ftp://x.example"])
def test_only_a_plain_web_address_is_linked(url):
    with pytest.raises(ValueError, match="no address"):
        Link("x", url)
