"""The API's description of itself: an OpenAPI document, a page to read it on, and every code."""
