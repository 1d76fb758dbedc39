"""A rule as an Elasticsearch query over documents of the AWS integration: Query DSL, values never in a query text.

The query finds at least what matches: what an index cannot be asked (text within a flattened object, one field against
another, a value too long to be indexed) is left to the reference evaluator, which looks at each document that comes back
(`sigma_ecs.record_of`). For that every test is rendered twice, as what surely holds all matches and as what surely holds
nothing else; `not` turns one into the other. Known difference: a list within a list is one text elsewhere, and here more
elements; AWS writes none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from decisions.sigma_detection import AllOf, AnyOf, InNetwork, Leaf, Matching, Node, Not, Present, Same, Text
from decisions.sigma_ecs import KEYWORDS, OBJECTS, TRUTH, flattened_field, text_field
from decisions.sigma_pattern import Pattern, Wild, fits
from decisions.sigma_regex import Branch, Characters, End, Repeat, Tree, render
from decisions.sigma_regex import Dialect as RegexDialect
from decisions.sigma_regex import Sequence as TreeSequence
from decisions.sigma_values import Path

Query = dict[str, Any]

ALL: Query = {"match_all": {}}
NONE: Query = {"match_none": {}}
ONLY_ORIGINAL: Query = {
    "bool": {
        "filter": [{"term": {"tags": "preserve_original_event"}}],
        "must_not": [{"exists": {"field": field(name)}} for name in OBJECTS for field in (flattened_field, text_field)],
    }
}
"""Documents of which nothing but `event.original`, which is not indexed, tells what was asked and answered."""
MIN_PIECE = 3
MAX_EXPRESSION = 900


class NotConvertible(ValueError):
    """The rule cannot be asked of Elasticsearch; the text says why."""


def query(node: Node) -> Query:
    """A query that finds every document that matches, and maybe more. Raises NotConvertible."""
    found = _wide(node)
    if found == ALL:
        raise NotConvertible("nothing of it can be searched for: every document would have to be read")
    return found


def _wide(node: Node) -> Query:
    match node:
        case AllOf():
            return _every([_wide(item) for item in node.items])
        case AnyOf():
            return _some([_wide(item) for item in node.items])
        case Not():
            return _none_of(_narrow(node.item))
        case Leaf():
            return _leaf(node)[0]


def _narrow(node: Node) -> Query:
    match node:
        case AllOf():
            return _every([_narrow(item) for item in node.items])
        case AnyOf():
            return _some([_narrow(item) for item in node.items])
        case Not():
            return _none_of(_wide(node.item))
        case Leaf():
            return _leaf(node)[1]


def _leaf(leaf: Leaf) -> tuple[Query, Query]:
    """Two queries: one that holds every match, and one that holds nothing else."""
    path = leaf.path
    if path is None:
        return ALL, NONE  # a keyword may stand in any field, and in names of fields below the top
    if isinstance(leaf.test, Same):
        _mapped(leaf.test.path)
    _mapped(path)
    if path in TRUTH:
        return _truth(TRUTH[path], leaf)
    if path in KEYWORDS:
        return _keyword(KEYWORDS[path], leaf)
    return _object(path, leaf)


def _mapped(path: Path) -> None:
    if any("." in name for name in path):
        raise NotConvertible(f"a document does not tell a dot within a name of {' '.join(path)} from one between names")
    if path not in TRUTH and path not in KEYWORDS and path[0] not in OBJECTS:
        name = ".".join(path)
        raise NotConvertible(
            f"documents of the AWS integration have no field for {name}, or not as CloudTrail wrote it"
        )


def _truth(field: str, leaf: Leaf) -> tuple[Query, Query]:
    match leaf.test:
        case Present():
            both = _exists(field)
        case Text(pattern, cased):
            both = _some(
                [{"term": {field: word == "true"}} for word in ("true", "false") if fits(pattern, word, cased)]
            )
        case _:
            return _exists(field), NONE
    return both, both


def _keyword(field: str, leaf: Leaf) -> tuple[Query, Query]:
    # A value longer than the index takes stands in the document all the same, and is named in _ignored.
    ignored: Query = {"term": {"_ignored": field}}
    match leaf.test:
        case Present():
            exact = _exists(field)
        case Text(pattern, cased):
            exact = _text(field, pattern, cased)
        case Matching(tree):
            exact = _regexp(field, tree)
        case InNetwork(network) if field == "source.address":
            exact = {"term": {"source.ip": network}}
        case _:
            return _some([_exists(field), ignored]), NONE
    if exact is None:
        return _some([_exists(field), ignored]), NONE
    return _some([exact, ignored]), exact


def _object(path: Path, leaf: Leaf) -> tuple[Query, Query]:
    """Within an object: by the flattened field where one whole value is asked for, else by pieces of Java's text."""
    root, text = flattened_field(path[0]), text_field(path[0])
    here = _some([_exists(root), _exists(text), {"term": {"_ignored": text}}, ONLY_ORIGINAL])
    if len(path) > 1 and isinstance(leaf.test, Text):
        exact = _flattened(".".join((root, *path[1:])), leaf.test)
        if exact is not None:
            return _some([exact, _every([here, _none_of(_exists(root))])]), exact
    wanted = [_piece(text, piece) for piece in _pieces(path[1:], leaf)]
    if not wanted:
        return here, NONE
    unsearchable = _every([here, _none_of(_exists(text))])
    return _some([_every(wanted), unsearchable]), NONE


def _flattened(field: str, test: Text) -> Query | None:
    """term and prefix are all that a field within a flattened one can be asked."""
    parts = test.pattern.parts
    if parts and isinstance(parts[0], str) and parts[0][0] in "[{":
        return None  # may be the text of an object, which is not indexed as one
    match parts:
        case (str() as whole,):
            return {"term": {field: {"value": whole, "case_insensitive": not test.cased}}}
        case (str() as start, Wild.ANY):
            return {"prefix": {field: {"value": start, "case_insensitive": not test.cased}}}
        case _:
            return None


def _pieces(names: Sequence[str], leaf: Leaf) -> list[str]:
    """Words that must stand in Java's text of the object; its signs are not those of JSON, so words alone are sought."""
    found = [word for name in names for word in _words(name)]
    if isinstance(leaf.test, Text):
        found += [word for run in leaf.test.pattern.runs for word in _words(run)]
    return list(dict.fromkeys(found))


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"[A-Za-z0-9._/@-]+", text) if len(word) >= MIN_PIECE and not _number(word)]


def _number(word: str) -> bool:
    return re.fullmatch(r"[-0-9.eE/]+", word) is not None and not word.isdigit()


def _piece(field: str, word: str) -> Query:
    return {"wildcard": {field: {"value": f"*{_escaped(word)}*", "case_insensitive": True}}}


def _text(field: str, pattern: Pattern, cased: bool) -> Query:
    if pattern.anything:
        return _exists(field)
    options = {"case_insensitive": not cased}
    match pattern.parts:
        case (str() as whole,):
            return {"term": {field: {"value": whole} | options}}
        case (str() as start, Wild.ANY):
            return {"prefix": {field: {"value": start} | options}}
        case _:
            written = "".join(part.value if isinstance(part, Wild) else _escaped(part) for part in pattern.parts)
            return {"wildcard": {field: {"value": written} | options}}


def _escaped(text: str) -> str:
    return re.sub(r"([\\*?])", r"\\\1", text)


_LUCENE = RegexDialect("", "")


def _regexp(field: str, tree: Tree) -> Query | None:
    """Lucene's expressions are whole values and have no anchors: ours at the ends become that, others have no query."""
    items = tree.items if isinstance(tree, TreeSequence) else (tree,)
    first = bool(items) and items[0] == End(True)
    last = bool(items) and items[-1] == End(False)
    inner = items[first : len(items) - last]
    if any(_anchored(item) for item in inner):
        return None
    written = "".join(render(item, _LUCENE) for item in inner).replace("(?:", "(")
    if len(written) > MAX_EXPRESSION or '"' in written:
        return None  # Lucene limits their length, and reads a quotation mark as its own
    value = ("" if first else ".*") + f"({written})" + ("" if last else ".*")
    return {"regexp": {field: {"value": value, "flags": "NONE"}}}


def _anchored(tree: Tree) -> bool:
    match tree:
        case End():
            return True
        case TreeSequence() | Branch():
            return any(_anchored(item) for item in tree.items)
        case Repeat():
            return _anchored(tree.item)
        case Characters():
            return False


def _exists(field: str) -> Query:
    return {"exists": {"field": field}}


def _every(queries: list[Query]) -> Query:
    kept = [one for one in queries if one != ALL]
    if NONE in kept:
        return NONE
    return ALL if not kept else kept[0] if len(kept) == 1 else {"bool": {"filter": kept}}


def _some(queries: list[Query]) -> Query:
    if ALL in queries:
        return ALL
    kept = [one for one in queries if one != NONE]
    return NONE if not kept else kept[0] if len(kept) == 1 else {"bool": {"should": kept, "minimum_should_match": 1}}


def _none_of(query: Query) -> Query:
    if query in (ALL, NONE):
        return NONE if query == ALL else ALL
    return {"bool": {"must_not": [query]}}
