"""What API and portal share."""
