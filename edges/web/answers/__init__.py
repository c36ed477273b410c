"""What the HTTP side answers, as types: the JSON of every route, and what OpenAPI shows of it.

Fields are written in snake case here and sent in camel case.
"""
