"""What the API and the portal share: calls, validation, problems and the OpenAPI document."""
