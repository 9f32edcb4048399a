"""From an account to a restore point."""
