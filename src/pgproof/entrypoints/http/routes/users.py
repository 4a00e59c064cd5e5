"""`/api/admin/users`: who may sign in."""

from fastapi import APIRouter

from pgproof.entrypoints.http.dependencies import UserManager
from pgproof.entrypoints.http.fields import PathName
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.access import AddUser, ChangeUser, NewPassword, UserList, UserRow, user_row
from pgproof.entrypoints.http.schemas.backups import Message

router = APIRouter(prefix="/api/admin/users", tags=["access"])


@router.get("")
def list_users(context: UserManager) -> UserList:
    """List the users by name."""
    return UserList(users=[user_row(user) for user in context.app.users.list()])


@router.post("", status_code=201, responses=problems(409, 413))
def add_user(context: UserManager, body: AddUser) -> UserRow:
    """Add a user."""
    with context.audited("user.add", body.name, role=body.role):
        return user_row(context.app.users.add(body.name, body.role, body.password))


@router.put("/{name:path}/password", responses=problems(404, 413))
def set_password(context: UserManager, name: PathName, body: NewPassword) -> UserRow:
    """Store another password. Every session of the user ends; API tokens stay."""
    with context.audited("user.password", name):
        return user_row(context.app.users.set_password(name, body.password))


@router.get("/{name:path}", responses=problems(404))
def get_user(context: UserManager, name: PathName) -> UserRow:
    """A user."""
    return user_row(context.app.users.get(name))


@router.patch("/{name:path}", responses=problems(404, 409, 413))
def change_user(context: UserManager, name: PathName, body: ChangeUser) -> UserRow:
    """Change the role, or whether the user may sign in. The last active admin stays one."""
    with context.audited("user.change", name, **body.model_dump(mode="json", exclude_none=True)):
        return user_row(context.app.users.change(name, role=body.role, active=body.active))


@router.delete("/{name:path}", responses=problems(404, 409))
def remove_user(context: UserManager, name: PathName) -> Message:
    """Forget a user with sessions and API tokens. The audit trail keeps the name."""
    with context.audited("user.remove", name):
        removed = context.app.users.remove(name)
    return Message(message=f"the user {removed.name} is removed")
