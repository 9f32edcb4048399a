"""Settings: one frozen attrs class a section, described by its fields' metadata, stored in the state database."""
