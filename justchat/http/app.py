"""The REST app: blueprints, request ids, and problem details for everything that goes wrong before a handler runs."""

from __future__ import annotations

import logging
import re

from quart import Response, g, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from justchat.http.admin_room_routes import AdminRoomRoutes
from justchat.http.admin_user_routes import AdminUserRoutes
from justchat.http.answers import problem_answer
from justchat.http.audit_routes import AuditRoutes
from justchat.http.auth_routes import AuthRoutes
from justchat.http.avatar_routes import AVATAR_PATH, AvatarRoutes
from justchat.http.block_routes import BlockRoutes
from justchat.http.body_limits import request_class
from justchat.http.border import Border, operations_of
from justchat.http.contact_routes import ContactRoutes
from justchat.http.direct_routes import DirectRoutes
from justchat.http.document_routes import document_routes
from justchat.http.health_routes import HealthRoutes
from justchat.http.history_routes import HistoryRoutes
from justchat.http.invitation_routes import InvitationRoutes
from justchat.http.invite_routes import InviteRoutes
from justchat.http.member_routes import MemberRoutes
from justchat.http.message_routes import MessageRoutes
from justchat.http.moderation_routes import ModerationRoutes
from justchat.http.page_routes import page_routes
from justchat.http.permission_routes import PermissionRoutes
from justchat.http.pin_routes import PinRoutes
from justchat.http.profile_routes import ProfileRoutes
from justchat.http.reaction_routes import ReactionRoutes
from justchat.http.read_routes import ReadRoutes
from justchat.http.report_routes import ReportRoutes
from justchat.http.request_log import log_request
from justchat.http.revision_routes import RevisionRoutes
from justchat.http.room_list_routes import RoomListRoutes
from justchat.http.room_routes import RoomRoutes
from justchat.http.scheduled_routes import ScheduledRoutes
from justchat.http.session_routes import SessionRoutes
from justchat.http.user_routes import UserRoutes
from justchat.ids import new_id
from justchat.system import System
from justchat.wire.errors import ErrorCode, Refusal

logger = logging.getLogger(__name__)

API_PREFIX = "/api/v1"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BY_STATUS = {
    400: ErrorCode.VALIDATION_FAILED,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    408: ErrorCode.VALIDATION_FAILED,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA,
}
_DETAILS = {404: "there is nothing at this address", 408: "the request's body did not arrive in time"}


def create_app(system: System) -> QuartTrio:
    """Build the app over a running system."""
    app = QuartTrio("justchat", static_folder=None)
    # An address means what it says: no redirects to what may have been meant, to a host that the caller named.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = system.config.request_max_bytes
    app.request_class = request_class({("PUT", f"{API_PREFIX}{AVATAR_PATH}"): system.config.avatar_max_bytes})
    app.config["BODY_TIMEOUT"] = system.config.body_read_seconds
    for routes in (
        AuthRoutes(system),
        SessionRoutes(system),
        UserRoutes(system),
        ProfileRoutes(system),
        AvatarRoutes(system),
        ContactRoutes(system),
        BlockRoutes(system),
        AdminUserRoutes(system),
        AdminRoomRoutes(system),
        InvitationRoutes(system),
        RoomRoutes(system),
        RoomListRoutes(system),
        DirectRoutes(system),
        MemberRoutes(system),
        ModerationRoutes(system),
        InviteRoutes(system),
        PermissionRoutes(system),
        AuditRoutes(system),
        MessageRoutes(system),
        HistoryRoutes(system),
        ReadRoutes(system),
        RevisionRoutes(system),
        ReactionRoutes(system),
        PinRoutes(system),
        ReportRoutes(system),
        ScheduledRoutes(system),
    ):
        app.register_blueprint(routes.blueprint(), url_prefix=API_PREFIX)
    app.register_blueprint(SessionRoutes(system).root_blueprint())
    app.register_blueprint(HealthRoutes(system).blueprint())
    if system.config.page == "yes":
        app.register_blueprint(page_routes())
    if system.config.api_docs == "yes":
        app.register_blueprint(document_routes(app))
    border = Border(system.config, operations_of(app), api_prefix=API_PREFIX)
    app.before_request(_take_request_id)
    app.before_request(border.enter)
    app.after_request(_stamp)
    app.after_request(border.leave)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _crash)
    return app


async def _take_request_id() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else new_id("q")


async def _stamp(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.get("request_id", "")
    log_request(response)
    return response


async def _http_error(error: HTTPException) -> Response:
    """Give what the framework refuses (no route, wrong method, too large) the shape of every other refusal."""
    code = _BY_STATUS.get(error.code or 500)
    if code is None:
        code = ErrorCode.INTERNAL if (error.code or 500) >= 500 else ErrorCode.VALIDATION_FAILED
    detail = _DETAILS.get(error.code or 500) or error.description or error.name
    response = problem_answer(Refusal(code, detail), status=408 if error.code == 408 else None)
    for name, value in error.get_headers():
        if name.lower() == "allow":
            response.headers[name] = value
    return response


async def _crash(error: Exception) -> Response:
    # Not the path: that is whatever the caller wrote, line breaks included, and may hold an invite's code.
    route = None if request.url_rule is None else request.url_rule.rule
    logger.error("event=request_crashed request_id=%s route=%s", g.get("request_id"), route, exc_info=error)
    return problem_answer(Refusal(ErrorCode.INTERNAL, "this is a bug; the log has the details"))
