"""The bodies of networks, a file for each family."""
