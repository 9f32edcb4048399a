"""How fast jetcore is beside restic, borg, tar and rsync: each against its peers in the same run."""
