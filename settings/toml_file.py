"""Reads a TOML file that people write, and says which key is wrong and what to do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


def read(path: Path, model: type[M], example: Path, variable: str, unusable: type[ValueError]) -> M:
    """What the file describes, as the model. Raises `unusable`; the message names the file, the key and the next step.

    `example`: a file to copy and to compare with. `variable`: what points at the file.
    """
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise unusable(f"there is no {path}: copy {example}, fill it in, and point {variable} at it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise unusable(f"{path} cannot be read ({error}): make it a UTF-8 file that we may read") from error
    except tomllib.TOMLDecodeError as error:
        raise unusable(f"{path} is not TOML: {error}. Compare it with {example}") from error
    except ValidationError as error:
        wrong = "; ".join(f"`{'.'.join(map(str, e['loc']))}`: {e['msg']}" for e in error.errors(include_url=False))
        raise unusable(f"{path}: {wrong}. Correct the key, or see {example}") from error
