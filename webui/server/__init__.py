"""The HTTP side: the FastAPI application, its guard and routes."""
