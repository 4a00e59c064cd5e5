"""The shop's own login: passwords, JWTs, and who is an admin."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import jwt
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pwdlib import PasswordHash
from sqlalchemy import select

from shop.database import Db, User

router = APIRouter(tags=["login"])
passwords = PasswordHash.recommended()
token_of = OAuth2PasswordBearer(tokenUrl="login")

_LIFETIME = timedelta(minutes=30)
# Compared with where nobody has that name: the answer must not take less time then.
_NOBODY = passwords.hash("nobody has this password")


@router.post("/login")
def login(db: Db, request: Request, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    """Exchange e-mail and password for a token."""
    user = db.scalar(select(User).where(User.email == form.username))
    fits = passwords.verify(form.password, user.password_hash if user else _NOBODY)
    if user is None or not fits:
        raise HTTPException(401, "wrong e-mail or password", headers={"WWW-Authenticate": "Bearer"})
    claims = {"sub": str(user.id), "exp": datetime.now(UTC) + _LIFETIME}
    token = jwt.encode(claims, request.app.state.secret, algorithm="HS256")
    return {"access_token": token, "token_type": "bearer"}


def current_user(db: Db, request: Request, token: Annotated[str, Depends(token_of)]) -> User:
    """Who calls."""
    try:
        claims = jwt.decode(token, request.app.state.secret, algorithms=["HS256"], options={"require": ["exp", "sub"]})
        user = db.get(User, UUID(claims["sub"]))
    except (jwt.InvalidTokenError, ValueError):
        user = None
    if user is None:
        raise HTTPException(401, "not signed in", headers={"WWW-Authenticate": "Bearer"})
    return user


CurrentUser = Annotated[User, Depends(current_user)]


def current_admin(user: CurrentUser) -> User:
    """Who calls, if that is an admin: this is all that pgproof needs to know of our users."""
    if not user.is_admin:
        raise HTTPException(403, "admins only")
    return user
