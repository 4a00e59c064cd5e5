"""The API as a router of somebody else's application: its users, its event loop, its documents."""
