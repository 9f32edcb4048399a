"""The state database: accounts, destinations, restore points, tasks, alerts, settings."""
