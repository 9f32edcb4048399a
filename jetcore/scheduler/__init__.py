"""Running tasks: recording them, and several at once in forks of this process."""
