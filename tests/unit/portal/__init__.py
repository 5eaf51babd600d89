"""What the portal renders."""
