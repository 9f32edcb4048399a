"""From a restore point back to an account."""
