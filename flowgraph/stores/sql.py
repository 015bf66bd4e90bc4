"""The store logic that all databases share: a batch is one transaction, and every command gets an answer.

A batch is applied in groups first, on the assumption that nothing is refused. Where that turns out wrong (a stale
epoch, an id that exists, a value that the database cannot hold) the transaction is rolled back and the batch is applied
one by one, each command behind a savepoint. So the usual batch costs few statements, and no command spoils the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from flowgraph.errors import StoreError, WriteRefused
from flowgraph.model.store import Command, Question, Recover
from flowgraph.stores.batches import groups
from flowgraph.stores.commands import NotAll, apply_many, apply_one
from flowgraph.stores.driver import Driver, Unfit
from flowgraph.stores.questions import answer

_log = logging.getLogger("flowgraph.stores")


D = TypeVar("D", bound=Driver)


class SqlStore(Generic[D]):
    """Applies commands and answers questions through a driver; what is special to a database is in its subclass."""

    _driver: D
    wrote = False

    def apply(self, commands: Sequence[Command], *, synced: bool, patient: bool = True) -> list[Any]:
        """Apply commands in one transaction; see `Store.apply`."""
        locks = self._locks_of([command.worker for command in commands if type(command) is Recover])
        try:
            answers = self._transact(_together, commands, synced, patient)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it comes from one command
            _log_bug(error, "A batch of commands could not be applied together, and is applied one by one")
            answers = self._transact(_one_by_one, commands, synced, patient)
        for lock in locks:
            self._remove_lock(lock)
        return answers

    def ask(self, question: Question) -> Any:
        """Answer a question; see `Store.ask`."""
        return self._answered(self._driver, question)

    def _transact(
        self,
        apply: Callable[[Driver, Sequence[Command]], list[Any]],
        commands: Sequence[Command],
        synced: bool,
        patient: bool,
    ) -> list[Any]:
        driver = self._driver
        driver.begin(synced=synced, patient=patient)
        before = driver.changes
        try:
            answers = apply(driver, commands)
            self.wrote = driver.changes != before
            driver.commit()
        except BaseException:
            driver.rollback()
            raise
        return answers

    def _answered(self, driver: Driver, question: Question) -> Any:
        driver.run("BEGIN")
        try:
            return answer(driver, question)
        except Unfit as error:
            raise StoreError(f"{type(question).__name__} cannot be asked: {error}.") from error
        finally:
            driver.rollback()

    def _locks_of(self, workers: Sequence[int]) -> list[str]:
        if not workers:
            return []
        return [lock for no, _, _, lock, _ in self._driver.rows("workers") if no in workers]

    def _remove_lock(self, lock: str) -> None:
        """Remove what is left of a struck-off worker's lock."""


def _together(driver: Driver, commands: Sequence[Command]) -> list[Any]:
    answers: list[Any] = [None] * len(commands)
    for kind, places in groups(commands):
        if len(places) == 1:
            answers[places[0]] = apply_one(driver, commands[places[0]])
        else:
            found = apply_many(driver, kind, [commands[place] for place in places])
            for place, value in zip(places, found, strict=True):
                answers[place] = value
    return answers


def _one_by_one(driver: Driver, commands: Sequence[Command]) -> list[Any]:
    return [_by_itself(driver, command) for command in commands]


def _by_itself(driver: Driver, command: Command) -> Any:
    driver.run("SAVEPOINT command")
    try:
        found = apply_one(driver, command)
    except StoreError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other commands are to be applied
        _log_bug(error, f"{type(command).__name__} could not be applied")
        driver.run("ROLLBACK TO SAVEPOINT command")
        found = _refusal(command, error)
    driver.run("RELEASE SAVEPOINT command")
    return found


def _refusal(command: Command, error: Exception) -> StoreError:
    refusal = WriteRefused(f"{type(command).__name__} was refused: {str(error) or type(error).__name__}.")
    refusal.__cause__ = error
    return refusal


def _log_bug(error: Exception, message: str) -> None:
    if not isinstance(error, NotAll | Unfit):
        _log.error(message, exc_info=error)
