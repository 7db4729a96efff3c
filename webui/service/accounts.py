"""Who a caller is. In open mode a browser is known by its cookie; everyone else shares the owner `api`."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from threading import Lock

from webui.store.accounts import NOBODY, AccountStore
from webui.store.rows import OwnerRow

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in URL-safe base64
_REMEMBERED = 10_000
COOKIE = "shengfang_owner"
API = "api"  # the shared owner of callers without a cookie


class AccountService:
    """Owners by cookie and by name."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._known: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def known(self, token: str | None) -> int:
        """The owner behind a cookie's value, without a well-formed one the shared owner `api`. Writes nothing:

        NOBODY is who has written nothing yet.
        """
        key = self._key(token)
        found = self.remembered(token)
        if found != NOBODY:
            return found
        owner = self._store.find_name(key) if key == API else self._store.find_token(key)
        return NOBODY if owner is None else self._remember(key, owner)

    def owner_of(self, token: str | None) -> int:
        """`known`, for who is about to write: an owner is made."""
        key = self._key(token)
        found = self.remembered(token)
        if found != NOBODY:
            return found
        return self._remember(key, self._store.by_name(key) if key == API else self._store.by_token(key))

    def remembered(self, token: str | None) -> int:
        """`known` without a look into the database; NOBODY also where the owner was not asked for lately."""
        key = self._key(token)
        with self._lock:
            if key not in self._known:
                return NOBODY
            self._known.move_to_end(key)
            return self._known[key]

    def local_owner(self) -> int:
        """The owner of what the command line submits."""
        return self._store.by_name("local").id

    def is_token(self, token: str | None) -> bool:
        return token is not None and _TOKEN.fullmatch(token) is not None

    def new_token(self) -> str:
        """A cookie's value for a new browser: 256 random bits, of which only the hash is ever stored."""
        return secrets.token_urlsafe(32)

    def _key(self, token: str | None) -> str:
        return hashlib.sha256(token.encode()).hexdigest() if token is not None and self.is_token(token) else API

    def _remember(self, key: str, owner: OwnerRow) -> int:
        with self._lock:
            self._known[key] = owner.id
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return owner.id
