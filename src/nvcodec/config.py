"""The base of every model that a user or a file fills in: frozen, and strict about unknown keys."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Immutable, validated settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Self:
        """Settings from plain values, as JSON and TOML have them; a number is no text, nor 1 true.

        Raises:
            ValidationError: one is not allowed.
        """
        return cls.model_validate_json(json.dumps(dict(table)), strict=True)
