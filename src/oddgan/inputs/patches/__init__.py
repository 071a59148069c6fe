"""Images that are cut into patches."""
