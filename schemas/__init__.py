"""The contract for machines, generated from the types: OpenAPI, AsyncAPI, JSON Schemas; `released/` is never edited."""
