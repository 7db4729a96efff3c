"""The services put together: what `app.py` builds once and everything above calls."""

from __future__ import annotations

import threading
from collections.abc import Callable

from webui.audio.intake import Decoder
from webui.ballast import Ballast
from webui.hosting.host import ModelHost
from webui.jobs.changes import ChangeFeed
from webui.jobs.context import Context
from webui.jobs.runner import JobRunner
from webui.service.accounts import AccountService
from webui.service.hotwords import HotwordService
from webui.service.jobs import JobService
from webui.service.lexicon import LexiconService
from webui.service.models import ModelService
from webui.service.streaming import SpeechStreams
from webui.service.submission import Submitter
from webui.service.system import SystemService
from webui.service.uploads import clear_incoming
from webui.service.voices import VoiceService
from webui.settings import Settings
from webui.store.accounts import AccountStore
from webui.store.data_folder import open_data_folder
from webui.store.history import History
from webui.store.history_mark import MarkFile, mark_of
from webui.store.hotwords import HotwordStore
from webui.store.jobs import JobStore
from webui.store.machine_facts import MachineFacts
from webui.store.options import OptionStore
from webui.store.voices import VoiceStore


class Services:
    """Quick to build: opens (and where needed migrates) the database, loads no model and no torch.

    Raises DatabaseRefused.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        ballast = Ballast(settings)
        ballast.give_way()
        self.database = open_data_folder(settings)
        self.database.before_deletions(ballast.give_way)
        self.feed = ChangeFeed(self.database)
        self.host = ModelHost(settings, MachineFacts(self.database.patient()))
        self._runner: JobRunner | None = None
        self._stopping = threading.Event()
        self._hung = threading.Event()
        self.on_hang: Callable[[], object] = self.begin_stop  # `serve` puts its own way to stop here
        self._decoder = Decoder(settings)
        self._context = Context.build(settings, self.database, self.host, self._decoder)
        self._mark = MarkFile(settings.history_mark)
        options, history = OptionStore(self.database), History(self.database)
        store = JobStore(self.database, self._mark)
        self.accounts = AccountService(AccountStore(self.database))
        self.hotwords = HotwordService(HotwordStore(self.database))
        self.models = ModelService(settings, options, self.host)
        self.voices = VoiceService(settings, VoiceStore(self.database), self._decoder)
        self.lexicon = LexiconService(options)
        submitter = Submitter(settings, store, self.models, self.voices, self.lexicon, self._decoder)
        self.jobs = JobService(settings, store, history, submitter, self.voices, self.feed, self._stopping)
        self.streams = SpeechStreams(settings, store, self.feed, self._stopping)
        self.system = SystemService(settings, self.database, store, self.models, self.host, self._stopping)

    @property
    def hung(self) -> bool:
        """Whether a device hangs, so that the process should end and be started again."""
        return self._hung.is_set()

    def start(self, workers: bool = True) -> None:
        """With `workers` this process works the queue, and is the only one that may. Raises AlreadyRunning."""
        self.feed.start()
        if workers:
            runner = JobRunner(self._context, self.feed, self._note_hang)
            runner.start()
            self._runner = self.system.runner = runner
            self._mark.put(mark_of(self.database))
            clear_incoming(self.settings)

    def _note_hang(self) -> None:
        self._hung.set()
        self.on_hang()

    def begin_stop(self) -> None:
        """Not ready any more, and nobody waits any longer: what is open can be answered. May be called by a signal."""
        if not self._stopping.is_set():
            self._stopping.set()
            threading.Thread(target=self.feed.stop, name="stopping").start()

    def stop(self) -> None:
        """Finish the batch in hand, put the rest back into the queue, unload the models."""
        self.begin_stop()
        if self._runner is not None:
            self._runner.stop()
        self._decoder.close()
        self.host.close()
        self.database.close()
