"""The program's version, for the package and for what it says of itself (OpenAPI, AsyncAPI)."""

from typing import Final

VERSION: Final = "0.1.0"
