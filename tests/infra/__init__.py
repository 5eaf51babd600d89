"""What is deployed, checked as far as it can be without Azure."""
