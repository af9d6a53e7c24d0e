"""The HTTP application: the page, its API, its stream, and who may ask."""
