"""What can go wrong with projects, and with samples that others share."""

from __future__ import annotations

from varloom.errors import define

PROJECT_NOT_FOUND = define(
    "project_not_found",
    "No such project",
    cause="There is no project with this id or name of which the account is a member: it was deleted, the account was "
    "taken out of it, or it never was there.",
    resolution=("Look at the list of projects.", "Or ask an owner of the project to add this account."),
    status=404,
)
PROJECT_INVALID = define(
    "project_invalid",
    "Invalid project",
    cause="The name of a project must have between 1 and 80 characters and no control characters; an account makes at "
    "most 500 projects.",
    resolution=("Choose another name, or delete projects that are not needed any more.",),
    status=422,
)
PROJECT_NAME_TAKEN = define(
    "project_name_taken",
    "There is a project of this name",
    cause="Another project that was made by the same account has the same name, the case of letters aside.",
    resolution=("Choose another name.",),
    status=409,
)
PROJECT_ROLE_INSUFFICIENT = define(
    "project_role_insufficient",
    "Your role does not allow this",
    cause="The project or the sample may be seen, but what was asked for needs another role: viewers look, editors "
    "also change names and tags and put their own samples in, owners also choose members. Some things only the account "
    "to which a sample belongs can do, such as deleting it.",
    resolution=(
        "Ask an owner of the project to do it, or for another role.",
        "What only its own account can do with a sample, ask that account for.",
    ),
    status=403,
)
PROJECT_OWNER_NEEDED = define(
    "project_owner_needed",
    "A project needs an owner",
    cause="The project would have no owner who can log in, and so nobody who could choose its members.",
    resolution=("Make another member an owner first.", "Or delete the project: its samples stay."),
    status=409,
)
PROJECT_MEMBER_NOT_FOUND = define(
    "project_member_not_found",
    "No such member",
    cause="The project has no member of this name.",
    resolution=("Look at the members of the project.",),
    status=404,
)
