"""Microsoft Entra ID: tokens of callers, sign-in, and the app's own credentials."""
