"""The web: the HTTP API, the pages, and what guards them. It knows services only."""
