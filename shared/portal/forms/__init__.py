"""The forms of the portal: their fields, and the input that each makes."""
