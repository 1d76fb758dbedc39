"""Kibana: it answers, the spaces are there, and rule and connector stand in each as our files say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.checks.check import Check, not_configured, ok, problem, warning

if TYPE_CHECKING:
    from tasks.elastic.kibana_rules import Compared

SEE = "See docs/elastic.md."


def kibana() -> Iterator[Check]:
    """Each space by itself."""
    from settings.elastic import elasticsearch as elastic_settings
    from settings.elastic import kibana as settings
    from tasks.elastic.kibana_request import KibanaRefused, connected
    from tasks.elastic.kibana_rules import NotInstallable, compare
    from tasks.elastic.rule_files import NotSet

    if settings().url is None:
        sentence = "VMEXPORT_KIBANA_URL is not set: nothing is written back, and the rule is not looked at"
        yield not_configured("Kibana", sentence, f"Set it with VMEXPORT_KIBANA_API_KEY. {SEE}")
        return
    try:
        with connected() as connection:
            for space in elastic_settings().spaces:
                try:
                    yield from _space(compare(connection, space))
                except (NotInstallable, NotSet) as why:
                    yield warning(f"Kibana space {space}", str(why), SEE)
    except KibanaRefused as why:
        yield problem("Kibana", str(why), SEE)


def _space(one: Compared) -> Iterator[Check]:
    yield ok(f"Kibana space {one.space}", f"it answers; alerts go by {one.route}")
    for part in one.parts:
        name = f"{part.name} in space {one.space}"
        if not part.there:
            yield problem(name, "it is not in Kibana", "Run: vmexport elastic apply")
        elif part.diff:
            yield warning(
                name, "it differs from our files", "See `vmexport elastic diff`, then `vmexport elastic apply`."
            )
        else:
            yield ok(name, "it is as in our files")
    if one.rule is not None and not one.rule.get("enabled"):
        sentence, next_step = "it is switched off and raises no alert", "Switch it on in Kibana."
        yield problem(f"rule in space {one.space}", sentence, next_step)
    if one.rule is not None and one.rule.get("exceptions_list"):
        sentence = "it has exceptions: what they match raises no alert"
        yield warning(f"rule in space {one.space}", sentence, "See in Kibana that they are meant.")
