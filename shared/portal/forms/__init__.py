"""What the forms of the portal hold, and the input each of them makes."""
