"""The language of filters over contacts: text to tree (parsing), tree to SQL with parameters (conditions, sources).

No I/O: what a tenant has defined is an argument. docs/filters.md explains the language.
"""
