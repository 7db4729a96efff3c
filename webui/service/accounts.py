"""Who a caller is. In open mode a browser is known by its cookie; everyone else shares the owner `api`."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from threading import Lock

from webui.store.accounts import AccountStore

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in URL-safe base64
_REMEMBERED = 10_000


class AccountService:
    """Owners by cookie and by name."""

    def __init__(self, store: AccountStore) -> None:
        self._store = store
        self._known: OrderedDict[str, int] = OrderedDict()
        self._lock = Lock()

    def owner_of(self, token: str | None) -> int:
        """The owner behind a cookie's value; without a well-formed one, the shared owner `api`."""
        if token is None or not self.is_token(token):
            return self._remembered("api", named=True)
        return self._remembered(hashlib.sha256(token.encode()).hexdigest(), named=False)

    def local_owner(self) -> int:
        """The owner of what the command line submits."""
        return self._remembered("local", named=True)

    def is_token(self, token: str | None) -> bool:
        return token is not None and _TOKEN.fullmatch(token) is not None

    def new_token(self) -> str:
        """A cookie's value for a new browser: 256 random bits, of which only the hash is ever stored."""
        return secrets.token_urlsafe(32)

    def _remembered(self, key: str, *, named: bool) -> int:
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        owner = self._store.by_name(key) if named else self._store.by_token(key)
        with self._lock:
            self._known[key] = owner.id
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return owner.id
