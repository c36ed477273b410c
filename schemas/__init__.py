"""The machine-readable contract, generated from the types: OpenAPI, AsyncAPI, JSON Schemas."""
