r"""What must stand in a record's raw bytes if a rule is to match: what the scanner looks for before it parses anything.

A group is a disjunction, and of a rule's groups each must be met. JSON writes one text in several ways (`\/`, `\u003d`,
blanks around a colon), so a literal is looked for by its `pattern`. A letter or digit of ASCII written as `\u0041` is valid
JSON that no AWS service writes: a scanner adds `ESCAPED` to every group, so that such a record is parsed and not missed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from decisions.sigma_detection import AllOf, AnyOf, Compared, Leaf, Matching, Node, Not, Present, Text
from decisions.sigma_pattern import Pattern
from decisions.sigma_regex import Branch, Characters, Repeat, Sequence, Tree

ESCAPED = rb"\\u00(?:2[0-589A-Fa-f]|3[0-9ABFabf]|[4-6][0-9A-Fa-f]|7[0-9A-Ea-e])"
r"""An ASCII character that needs no escape, escaped; what Java's JSON writers do escape (< = > & ') is in `pattern`."""
MIN_LENGTH = 3
MAX_ALTERNATIVES = 2000
_OFTEN = frozenset({
    "eventversion", "useridentity", "type", "principalid", "arn", "accountid", "accesskeyid", "username",
    "sessioncontext", "sessionissuer", "attributes", "eventtime", "eventsource", "eventname", "awsregion",
    "sourceipaddress", "useragent", "requestparameters", "responseelements", "requestid", "eventid", "readonly",
    "eventtype", "managementevent", "recipientaccountid", "eventcategory", "tlsdetails",
})  # fmt: skip
"""Names that stand in nearly every record: that one is there says nothing."""
_ALIKE = frozenset({"eventsource", "awsregion", "eventtype", "type", "recipientaccountid", "eventcategory"})
"""Fields of few values: a literal for one of them stands in many records."""

_TIME = re.compile(r"[-0-9:TZ]+", re.IGNORECASE)
_BUSY = frozenset({
    "getobject", "putobject", "headobject", "listobjects", "listbuckets", "assumerole", "decrypt", "generatedatakey", "invoke",
    "describeinstances", "getcalleridentity", "createlogstream", "getparameter", "getsecretvalue", "describelogstreams",
})  # fmt: skip
"""Calls that make up most of any account's records."""


@dataclass(frozen=True)
class Literal:
    """One text; with `field`, as the value of that name (`whole`: all of it), or of a list or an object there."""

    text: str
    field: str | None = None
    caseless: bool = True
    whole: bool = False

    @property
    def pattern(self) -> bytes:
        """The regular expression (RE2, Hyperscan, Python) over raw JSON bytes; use it caselessly if `caseless` says so."""
        value = "".join(map(_written, self.text))
        if self.field is None:
            return (f'"{value}"' if self.whole else value).encode()
        name = f'"{"".join(map(_written, self.field))}"'
        if not self.text:
            return name.encode()
        return (name + r"\s*:\s*" + (f'(?:"{value}"|[\\[{{])' if self.whole else value)).encode()

    @property
    def score(self) -> int:
        """How seldom it stands in records, by rule of thumb."""
        name = (self.field or "").lower()
        if not self.text:
            return 0 if name in _OFTEN else 3
        if name == "eventname":
            return 2 if self.text.lower() in _BUSY else 100
        rare = 1 if name in _ALIKE else len(self.text)
        return rare + (1 if self.whole else 0)


Group = tuple[Literal, ...]


def literals(node: Node, lines: bool = False) -> tuple[Group, ...] | None:
    """The groups that a match needs, the most telling first; None: any record may match, so that each must be parsed.

    `lines`: a rule about access logs, in whose lines texts stand as they are, and no names.
    """
    groups = _groups(node, _of_line if lines else _of_leaf)
    groups = [group for group in groups if min(literal.score for literal in group) > 0]
    best = sorted(dict.fromkeys(groups), key=_worth, reverse=True)
    return tuple(best) or None


def _worth(group: Group) -> tuple[int, int]:
    return min(literal.score for literal in group), -len(group)


def _groups(node: Node, of_leaf: Callable[[Leaf], list[Group]]) -> list[Group]:
    match node:
        case AllOf():
            return [group for item in node.items for group in _groups(item, of_leaf)]
        case AnyOf():
            return _either([_groups(item, of_leaf) for item in node.items])
        case Not(Not(inner)):
            return _groups(inner, of_leaf)
        case Not():
            return []
        case Leaf():
            return of_leaf(node)


def _either(children: list[list[Group]]) -> list[Group]:
    """One group that holds the best of each child; none if a child may match without any literal."""
    if not all(children):
        return []
    joined = tuple(dict.fromkeys(literal for groups in children for literal in max(groups, key=_worth)))
    return [joined] if len(joined) <= MAX_ALTERNATIVES else []


def _of_leaf(leaf: Leaf) -> list[Group]:
    named: list[Group] = [(Literal("", leaf.path[-1]),)] if leaf.path and _plain(leaf.path[-1]) else []
    match leaf.test:
        case Text(pattern, cased):
            return _of_text(leaf, pattern, not cased) + named
        case Matching(tree):
            return [tuple(Literal(run, None, True) for run in runs) for runs in _of_regex(tree)] + named
        case Compared() | Present():
            return named
        case _:
            return named


def _of_line(leaf: Leaf) -> list[Group]:
    """A line writes its time in another form than the field `time` has."""
    if leaf.path == ("time",):
        return []
    groups = [tuple(Literal(one.text, None, one.caseless) for one in group) for group in _of_leaf(leaf)]
    timely = leaf.path is None
    return [group for group in groups if all(one.text and not (timely and _TIME.fullmatch(one.text)) for one in group)]


def _of_text(leaf: Leaf, pattern: Pattern, caseless: bool) -> list[Group]:
    whole = pattern.literal
    if whole is not None and _plain(whole) and _only_text(whole) and leaf.path is not None:
        top = leaf.path[-1] if len(leaf.path) == 1 and _plain(leaf.path[-1]) else None
        return [(Literal(whole, top, caseless, True),)]
    runs = [piece for run in pattern.runs for piece in _pieces(run)]
    return [(Literal(run, None, caseless),) for run in runs if len(run) >= MIN_LENGTH]


def _of_regex(tree: Tree) -> list[tuple[str, ...]]:
    """Groups of runs that an expression cannot match without."""
    match tree:
        case Characters():
            return _runs([tree])
        case Sequence():
            return _runs(tree.items)
        case Branch():
            branches = [_of_regex(item) for item in tree.items]
            if not all(branches):
                return []
            return [tuple(run for groups in branches for run in max(groups, key=lambda g: min(map(len, g))))]
        case Repeat():
            return _of_regex(tree.item) if tree.least else []
        case _:
            return []


def _runs(items: Iterable[Tree]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    run = ""
    for item in items:
        only = item.only if isinstance(item, Characters) else None
        if only is not None:
            run += only
            continue
        found += [(piece,) for piece in _pieces(run)]
        run = ""
        found += _of_regex(item) if not isinstance(item, Characters) else []
    found += [(piece,) for piece in _pieces(run)]
    return [group for group in found if all(len(piece) >= MIN_LENGTH for piece in group)]


def _plain(text: str) -> bool:
    return len(text) >= MIN_LENGTH and _pieces(text) == [text]


def _only_text(text: str) -> bool:
    """Whether only a JSON string can have this text: no number, truth value, object or list has it."""
    return re.fullmatch(r"[-+0-9.eE]+|true|false|nan|-?infinity", text, re.IGNORECASE) is None and text[0] not in "[{"


def _pieces(run: str) -> list[str]:
    """The parts of a text that stand in JSON as they are, or in the few ways that `_written` knows.

    It is cut where the compact text of an object may have blanks or another order in a file (`":`, commas, brackets), and
    decimal fractions are left out: 1.0 may be written 1e0. Quotes around a piece, before which any number of backslashes may
    stand, tell little and make an automaton large.
    """
    pieces = [piece.strip('"') for piece in re.split(r'[^ -~]|(?<="):|[,{}\[\]]', run)]
    return [piece for piece in pieces if piece and not re.fullmatch(r"[-+0-9.eE]*[.eE][-+0-9.eE]*", piece)]


def _written(character: str) -> str:
    match character:
        case "/":
            return r"\\?/"
        case '"':
            return r'\\*"'
        case "\\":
            return r"\\+"
        case "<" | ">" | "&" | "=" | "'":
            return f"(?:{re.escape(character)}|\\\\u00{ord(character):02x}|\\\\u00{ord(character):02X})"
        case _:
            return re.escape(character)
