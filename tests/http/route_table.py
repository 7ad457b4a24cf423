"""Who is answered what by which route.

Columns are those of a private room, by how the caller stands to it (owner, admin, moderator, member, guest, muted,
banned, gone, stranger, nobody at all), and then the outsiders of a public one: banned, gone, stranger. The word after a
route says on what it is tried; on one's own message where it is about messages, for whoever has said something.
"""

from __future__ import annotations

from typing import Final, NamedTuple

OUTSIDERS: Final = ("banned", "gone", "stranger")
_COLUMNS: Final = (
    *("owner", "admin", "moderator", "member", "guest", "muted", "banned", "gone", "stranger", "nobody"),
    *(f"{name}/public" for name in OUTSIDERS),
)
# Operators' routes are open to callers from the machine itself, as all of them are here.
_TABLE: Final = """
                                                           own adm mod mem gue mut ban gon str nob  ban gon str
POST   /auth/register                             -        201 201 201 201 201 201 201 201 201 201  201 201 201
POST   /auth/login                                -        401 401 401 401 401 401 401 401 401 401  401 401 401
POST   /auth/refresh                              -        401 401 401 401 401 401 401 401 401 401  401 401 401
POST   /auth/password                             -        403 403 403 403 403 403 403 403 403 401  403 403 403
POST   /auth/introspect                           -        200 200 200 200 200 200 200 200 200 401  200 200 200
POST   /auth/ticket                               -        200 200 200 200 200 200 200 200 200 401  200 200 200
POST   /auth/logout                               -        204 204 204 204 204 204 204 204 204 401  204 204 204
POST   /auth/logout-all                           -        204 204 204 204 204 204 204 204 204 401  204 204 204
GET    /auth/sessions                             -        200 200 200 200 200 200 200 200 200 401  200 200 200
GET    /auth/sessions/<session>                   own      200 200 200 200 200 200 200 200 200 401  200 200 200
GET    /auth/sessions/<session>                   others   404 404 404 404 404 404 404 404 404 401  404 404 404
DELETE /auth/sessions/<session>                   own      204 204 204 204 204 204 204 204 204 401  204 204 204
DELETE /auth/sessions/<session>                   others   404 404 404 404 404 404 404 404 404 401  404 404 404
POST   /auth/tokens                               -        201 201 201 201 201 201 201 201 201 401  201 201 201
GET    /auth/tokens                               -        200 200 200 200 200 200 200 200 200 401  200 200 200
GET    /auth/tokens/<token>                       -        404 404 404 404 404 404 404 404 404 401  404 404 404
DELETE /auth/tokens/<token>                       -        404 404 404 404 404 404 404 404 404 401  404 404 404
GET    /.well-known/jwks.json                     -        200 200 200 200 200 200 200 200 200 200  200 200 200
GET    /users/me                                  -        200 200 200 200 200 200 200 200 200 401  200 200 200
GET    /users                                     -        200 200 200 200 200 200 200 200 200 401  200 200 200
GET    /users/<user>                              -        200 200 200 200 200 200 200 200 200 401  200 200 200
PATCH  /users/me                                  -        200 200 200 200 200 200 200 200 200 401  200 200 200
DELETE /users/me                                  -        403 403 403 403 403 403 403 403 403 401  403 403 403
POST   /users/me/email/verification               -        404 404 404 404 404 404 404 404 404 401  404 404 404
POST   /users/me/email/verification/confirm       -        404 404 404 404 404 404 404 404 404 401  404 404 404
PUT    /users/me/avatar                           -        415 415 415 415 415 415 415 415 415 401  415 415 415
DELETE /users/me/avatar                           -        204 204 204 204 204 204 204 204 204 401  204 204 204
GET    /users/<user>/avatar                       -        404 404 404 404 404 404 404 404 404 401  404 404 404
GET    /users/me/contacts                         -        200 200 200 200 200 200 200 200 200 401  200 200 200
PUT    /users/me/contacts/<user>                  -        200 200 200 200 422 200 200 200 200 401  200 200 200
GET    /users/me/contacts/<user>                  -        200 200 200 200 404 200 200 200 200 401  200 200 200
DELETE /users/me/contacts/<user>                  -        204 204 204 204 204 204 204 204 204 401  204 204 204
GET    /users/me/blocks                           -        200 200 200 200 200 200 200 200 200 401  200 200 200
PUT    /users/me/blocks/<user>                    -        204 204 204 204 422 204 204 204 204 401  204 204 204
DELETE /users/me/blocks/<user>                    -        204 204 204 204 204 204 204 204 204 401  204 204 204
GET    /admin/users                               -        403 403 403 403 403 403 403 403 403 401  403 403 403
GET    /admin/users/<user>                        -        403 403 403 403 403 403 403 403 403 401  403 403 403
PATCH  /admin/users/<user>                        -        403 403 403 403 403 403 403 403 403 401  403 403 403
DELETE /admin/users/<user>                        -        403 403 403 403 403 403 403 403 403 401  403 403 403
GET    /admin/rooms                               -        403 403 403 403 403 403 403 403 403 401  403 403 403
POST   /admin/rooms/<room>/takeover               -        403 403 403 403 403 403 403 403 403 401  403 403 403
DELETE /admin/rooms/<room>                        -        403 403 403 403 403 403 403 403 403 401  403 403 403
POST   /admin/invitations                         -        403 403 403 403 403 403 403 403 403 401  403 403 403
GET    /admin/invitations                         -        403 403 403 403 403 403 403 403 403 401  403 403 403
DELETE /admin/invitations/<invitation>            -        403 403 403 403 403 403 403 403 403 401  403 403 403
POST   /rooms                                     -        201 201 201 201 201 201 201 201 201 401  201 201 201
GET    /rooms/<room>                              -        200 200 200 200 200 200 404 404 404 401  404 200 200
PATCH  /rooms/<room>                              -        200 200 403 403 403 403 404 404 404 401  403 403 403
DELETE /rooms/<room>                              -        204 403 403 403 403 403 404 404 404 401  403 403 403
GET    /rooms                                     -        200 200 200 200 200 200 200 200 200 401  200 200 200
GET    /users/me/rooms                            -        200 200 200 200 200 200 200 200 200 401  200 200 200
PUT    /users/me/direct/<user>                    -        201 201 201 201 422 201 201 201 201 401  201 201 201
PUT    /rooms/<room>/members/me                   -        204 204 204 204 204 204 404 404 404 401  403 204 204
DELETE /rooms/<room>/members/me                   -        409 204 204 204 204 204 204 204 204 401  204 204 204
GET    /rooms/<room>/members                      -        200 200 200 200 200 200 404 404 404 401  404 200 200
GET    /rooms/<room>/members/<user>               -        200 200 200 200 200 200 404 404 404 401  404 200 200
PUT    /rooms/<room>/members/<user>               -        204 204 204 403 403 403 404 404 404 401  403 403 403
PATCH  /rooms/<room>/members/<user>               -        204 204 403 403 403 403 404 404 404 401  403 403 403
DELETE /rooms/<room>/members/<user>               -        204 204 204 403 204 403 404 404 404 401  403 403 403
GET    /rooms/<room>/bans                         -        200 200 200 403 403 403 404 404 404 401  404 403 403
GET    /rooms/<room>/bans/<user>                  banned   200 200 200 403 403 403 404 404 404 401  404 403 403
PUT    /rooms/<room>/bans/<user>                  -        204 204 204 403 403 403 404 404 404 401  403 403 403
DELETE /rooms/<room>/bans/<user>                  banned   204 204 204 403 403 403 404 404 404 401  403 403 403
GET    /rooms/<room>/mutes                        -        200 200 200 403 403 403 404 404 404 401  404 403 403
PUT    /rooms/<room>/mutes/<user>                 -        204 204 204 403 403 403 404 404 404 401  403 403 403
DELETE /rooms/<room>/mutes/<user>                 muted    204 204 204 403 403 403 404 404 404 401  403 403 403
POST   /rooms/<room>/invites                      -        201 201 201 403 403 403 404 404 404 401  403 403 403
GET    /rooms/<room>/invites                      -        200 200 200 403 403 403 404 404 404 401  404 403 403
GET    /rooms/<room>/invites/<code>               -        200 200 200 403 403 403 404 404 404 401  404 403 403
DELETE /rooms/<room>/invites/<code>               -        204 204 204 403 403 403 404 404 404 401  403 403 403
GET    /rooms/<room>/permissions                  -        200 200 200 200 200 200 404 404 404 401  404 200 200
PATCH  /rooms/<room>/permissions                  -        200 200 403 403 403 403 404 404 404 401  403 403 403
GET    /rooms/<room>/audit-log                    -        200 200 200 403 403 403 404 404 404 401  404 403 403
GET    /admin/audit-log                           -        403 403 403 403 403 403 403 403 403 401  403 403 403
POST   /rooms/<room>/messages                     -        201 201 201 201 403 403 404 404 404 401  403 403 403
POST   /rooms/<room>/messages/bulk-delete         own      204 204 204 204 403 204 404 404 404 401  403 403 403
POST   /rooms/<room>/messages/bulk-delete         others   204 204 204 403 403 403 404 404 404 401  403 403 403
GET    /messages/<message>                        -        200 200 200 200 200 200 404 404 404 401  404 200 200
PATCH  /messages/<message>                        own      200 200 200 200 403 403 404 404 404 401  404 403 403
PATCH  /messages/<message>                        others   403 403 403 403 403 403 404 404 404 401  404 403 403
DELETE /messages/<message>                        own      204 204 204 204 403 204 404 404 404 401  403 403 403
DELETE /messages/<message>                        others   204 204 204 403 403 403 404 404 404 401  403 403 403
GET    /messages/<message>/replies                -        200 200 200 200 200 200 404 404 404 401  404 200 200
GET    /rooms/<room>/messages                     -        200 200 200 200 200 200 404 404 404 401  404 200 200
GET    /rooms/<room>/events                       -        200 200 200 200 200 200 404 404 404 401  404 200 200
PUT    /rooms/<room>/read                         -        204 204 204 204 204 204 404 404 404 401  404 403 403
GET    /messages/<message>/revisions              own      200 200 200 200 200 200 404 404 404 401  404 200 403
GET    /messages/<message>/revisions              others   200 200 200 403 403 403 404 404 404 401  404 403 403
PUT    /messages/<message>/reactions/<emoji>      others   204 204 204 204 403 403 404 404 404 401  403 403 403
DELETE /messages/<message>/reactions/<emoji>      others   204 204 204 204 204 204 404 404 404 401  403 204 204
GET    /messages/<message>/reactions              -        200 200 200 200 200 200 404 404 404 401  404 200 200
GET    /rooms/<room>/pins                         -        200 200 200 200 200 200 404 404 404 401  404 200 200
PUT    /rooms/<room>/pins/<message>               -        204 204 204 403 403 403 404 404 404 401  403 403 403
DELETE /rooms/<room>/pins/<message>               pinned   204 204 204 403 403 403 404 404 404 401  403 403 403
POST   /messages/<message>/reports                -        204 204 204 204 204 204 404 404 404 401  403 204 204
GET    /rooms/<room>/reports                      -        200 200 200 403 403 403 404 404 404 401  404 403 403
DELETE /rooms/<room>/reports/<message>/<user>     reporter 204 204 204 403 403 403 404 404 404 401  403 403 403
POST   /rooms/<room>/scheduled                    -        201 201 201 201 403 403 404 404 404 401  403 403 403
GET    /rooms/<room>/scheduled                    -        200 200 200 200 200 200 404 404 404 401  404 200 200
GET    /rooms/<room>/scheduled/<scheduled>        -        200 200 200 200 200 200 404 404 404 401  404 200 404
DELETE /rooms/<room>/scheduled/<scheduled>        -        204 204 204 204 204 204 204 204 204 401  204 204 204
GET    /health                                    -        200 200 200 200 200 200 200 200 200 200  200 200 200
GET    /health/ready                              -        200 200 200 200 200 200 200 200 200 200  200 200 200
GET    /version                                   -        200 200 200 200 200 200 200 200 200 200  200 200 200
GET    /health/rooms                              -        200 200 200 200 200 200 200 200 200 200  200 200 200
GET    /health/rooms/<room>                       -        200 200 200 200 200 200 200 200 200 200  200 200 200
GET    /health/actors                             -        200 200 200 200 200 200 200 200 200 200  200 200 200
POST   /invites/<code>/accept                     -        200 200 200 200 200 200 403 200 200 401  403 200 200
"""


class Row(NamedTuple):
    """One route, what it is tried on, and the status for each caller."""

    route: str
    which: str
    cells: dict[str, int]


def _rows() -> list[Row]:
    rows = []
    for line in _TABLE.strip().splitlines()[1:]:
        method, path, which, *cells = line.split()
        rows.append(Row(f"{method} {path}", which, dict(zip(_COLUMNS, map(int, cells), strict=True))))
    return rows


ROUTES: Final = _rows()
