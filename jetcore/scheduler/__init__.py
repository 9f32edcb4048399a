"""Running tasks: for now, several at once in forks of this process."""
