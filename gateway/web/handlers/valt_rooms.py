"""The calls of VALT's API that concern rooms and VALT itself, for clients written for VALT."""

from typing import Any

from gateway.access import Access
from gateway.errors import NotFoundError
from gateway.model import Identity, parse_id
from gateway.ports import Audit, ListPolicy, ValtSearch, ValtVersions
from gateway.recording_details import Room
from gateway.web.credentials import CredentialsReader
from gateway.web.handlers.valt_call import ValtHandlers, as_valt
from gateway.web.request import Request
from gateway.web.schemas import valt_api as schemas


class ValtRoomHandlers(ValtHandlers):
    """The calls ``rooms/info`` and ``admin/general`` under /api/v3."""

    def __init__(
        self,
        access: Access,
        policy: ListPolicy,
        valt_search: ValtSearch,
        versions: ValtVersions,
        reader: CredentialsReader,
        audit: Audit,
    ) -> None:
        super().__init__(access, reader, audit)
        self._policy = policy
        self._valt_search = valt_search
        self._versions = versions

    @as_valt()
    async def general(self, request: Request) -> Any:
        """GET /api/v3/admin/general: VALT's version, by which clients choose the shape of their calls, and no more."""
        identity = await self.authenticate(request)
        accounts = self._policy.accounts(identity, request.record.peer)
        return {"data": {"version": await self._versions.get(accounts)}}

    @as_valt()
    async def rooms(self, request: Request) -> Any:
        """GET /api/v3/rooms/info: the rooms of which the caller may see a recording."""
        identity = await self.authenticate(request)
        rooms: dict[int, str] = {}
        client = request.record.peer
        for account in self._policy.accounts(identity, client):
            for room_id, name in await self._valt_search.rooms(account):
                if self._policy.may_see_room(identity, account, name, client):
                    rooms.setdefault(room_id, name)
        return {"data": {"rooms": [{"id": room_id, "name": name} for room_id, name in rooms.items()]}}

    @as_valt()
    async def room(self, request: Request) -> Any:
        """GET /api/v3/rooms/info/{room}: one of those rooms. What is being recorded in it is named only to a caller who
        may see that recording; for everyone else nothing is being recorded."""
        room_id = parse_id(request.parts["room"])
        identity = await self.authenticate(request)
        accounts = self._policy.accounts(identity, request.record.peer)
        room = await self._find_room(identity, accounts, room_id, request.record.peer)
        recording = room.recording
        is_visible = recording is not None and await self._may_see(identity, accounts, recording, request.record.peer)
        return {"data": schemas.room(room, is_visible=is_visible)}

    async def _find_room(self, identity: Identity, accounts: list[str], room_id: str, client: str | None) -> Room:
        """Returns the room as the first account sees it whose rules allow it. Raises NotFoundError, and ValtError."""
        for account in () if identity.is_narrowed else accounts:
            try:
                room = await self._valt_search.room(account, room_id)
            except NotFoundError:
                continue  # another account may see it
            if self._policy.may_see_room(identity, account, room.name, client):
                return room
        raise NotFoundError("VALT has no such room, or no rule allows a recording of it")

    async def _may_see(self, identity: Identity, accounts: list[str], recording: str, client: str | None) -> bool:
        for account in accounts:
            if await self._policy.may_see(identity, account, recording, client):
                return True
        return False
