"""Where the ranks of a stage run: on this machine, as job arrays of Slurm, as tasks of Ray. The bytes are the same."""
