"""Starts trainings: on this machine, on GKE, on Vertex AI, through Slurm, on TPU VMs."""
