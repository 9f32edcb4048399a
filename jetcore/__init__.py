"""jetcore backs up and restores web-hosting accounts."""
