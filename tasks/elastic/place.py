"""Where people's browsers find Kibana, for the links of card, report and case."""

from __future__ import annotations

from decisions.kibana_links import KibanaPlace
from settings.elastic import elasticsearch, kibana


def kibana_place() -> KibanaPlace | None:
    """The place by the settings, in the first of our spaces; None where no Kibana is configured."""
    base = kibana().public_url or kibana().url
    if not base:
        return None
    return KibanaPlace(base=base, space=elasticsearch().spaces[0], data_view=kibana().data_view)
