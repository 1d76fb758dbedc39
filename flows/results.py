"""How results of phases and gates are kept, so that a resumed run reads them back as what they were.

Prefect's own JSON serializer builds whatever class a dictionary names under `__class__`, at any depth: a tag with that
key, written by an attacker, would end a case. This one names the model once, outside the content, and only ours.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from prefect.serializers import Serializer
from pydantic import BaseModel, Field

RINGS = ("decisions", "flows", "tasks")


class ModelSerializer(Serializer):  # not Serializer[Any]: Prefect cannot register a parametrized base
    """One model of ours, a string or None, as JSON."""

    type: str = Field(default="vmexport-model", frozen=True)

    def dumps(self, obj: Any) -> bytes:
        """The result as bytes. Raises TypeError for what is neither a model of ours, a string nor None."""
        if obj is None or isinstance(obj, str):
            return json.dumps({"model": None, "content": obj}).encode()
        if isinstance(obj, BaseException):
            return json.dumps({"model": None, "content": f"{type(obj).__name__}: {obj}"}).encode()
        kind = type(obj)
        if not isinstance(obj, BaseModel) or kind.__module__.split(".", 1)[0] not in RINGS:
            raise TypeError(
                f"a {kind.__module__}.{kind.__qualname__} cannot be a result: return a model of decisions, flows or tasks"
            )
        return json.dumps(
            {"model": f"{kind.__module__}:{kind.__qualname__}", "content": obj.model_dump(mode="json")}
        ).encode()

    def loads(self, blob: bytes) -> Any:
        """The result as it was. Raises TypeError for a class that is not a model of ours."""
        kept = json.loads(blob)
        if kept["model"] is None:
            return kept["content"]
        module, _, name = kept["model"].partition(":")
        if module.split(".", 1)[0] not in RINGS:
            raise TypeError(f"{kept['model']} is not a model of ours")
        kind = getattr(importlib.import_module(module), name)
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            raise TypeError(f"{kept['model']} is not a model")
        return kind.model_validate_json(json.dumps(kept["content"]))


RESULTS = ModelSerializer()
