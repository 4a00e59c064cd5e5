"""Randomness of the operating system."""

import secrets


class SystemRandomness:
    """What nobody can guess."""

    def token(self) -> str:
        """43 URL-safe characters from 32 random bytes."""
        return secrets.token_urlsafe(32)

    def password(self) -> str:
        """24 characters from 18 random bytes."""
        return secrets.token_urlsafe(18)
