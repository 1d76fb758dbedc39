"""How every fact is read: one call that answers `Known` or `Unknown(why)`, never an exception and never an empty guess.

`@read` makes of a plain function a Prefect task that takes the case id in place of clients. `.plain` is the function
itself, for actions and tests: it raises.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from prefect import task
from prefect.cache_policies import NO_CACHE

from decisions.evidence import Known, Unknown
from tasks import sts
from tasks.actions.base import Clients
from tasks.elastic.failures import Unanswered

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "403"})
MALFORMED = (ResponseParserError, KeyError, IndexError, TypeError, ValueError, AttributeError)
"""What an answer in a shape that the service does not document ends as."""
MAX_MESSAGE = 400


class NotThere(LookupError):
    """AWS answered, and what was asked for does not exist; the sentence says what and where."""


class Read(Generic[P, T]):
    """One kind of fact, and how it is asked for."""

    def __init__(
        self, plain: Callable[Concatenate[Clients, P], T], step: str, source: str, permissions: tuple[str, ...]
    ) -> None:
        self.plain = plain
        """The read itself, with clients; raises."""
        self.step, self.source, self.permissions = step, source, permissions
        self.name = f"{plain.__module__.rpartition('.')[2]}.{plain.__name__}"
        self.__doc__ = plain.__doc__
        self.task = task(
            _with_signature_of(plain, self._answer),
            name=self.name,
            tags=[f"step:{step}"],
            cache_policy=NO_CACHE,
            persist_result=False,
        )

    def __call__(self, case_id: str, *args: P.args, **kwargs: P.kwargs) -> Awaitable[Known[T] | Unknown]:
        """The answer, from a thread of its own; inside a flow run it is a task run with the step's tag."""
        return self.task(case_id, *args, **kwargs)

    async def _answer(self, case_id: str, *args: P.args, **kwargs: P.kwargs) -> Known[T] | Unknown:
        return await asyncio.to_thread(self.answer, case_id, *args, **kwargs)

    def answer(self, case_id: str, *args: P.args, **kwargs: P.kwargs) -> Known[T] | Unknown:
        """The answer at once, without Prefect."""
        aws, asked_at = sts.aws(case_id), datetime.now(UTC)  # settings that cannot be used are not an unknown fact
        try:
            value = self.plain(aws, *args, **kwargs)
        except NotThere as absent:
            why = str(absent)
        except ClientError as error:
            why = self._refused(error)
        except BotoCoreError as error:
            why = f"{self.source} could not be asked: {error}"
        except Unanswered as unanswered:
            why = str(unanswered)
        except MALFORMED as error:
            log.exception("%s: the answer could not be read", self.name)
            why = f"{self.source} answered in a form that is not documented ({type(error).__name__}: {error})"
        else:
            return Known(value=value, source=self.source, asked_at=asked_at)
        return Unknown(why=why[: 2 * MAX_MESSAGE], source=self.source, asked_at=asked_at)

    def _refused(self, error: ClientError) -> str:
        said = error.response.get("Error", {})
        code, message = said.get("Code", "no code"), said.get("Message", "")[:MAX_MESSAGE]
        request = error.response.get("ResponseMetadata", {}).get("RequestId", "none")
        why = f"{error.operation_name}: {code}: {message} (request {request})."
        if code in DENIED:
            return f"{why} Allow the read role {', '.join(self.permissions)}, and see bucket policies and SCPs."
        return f"{why} Ask again, or look by hand."


def read(
    *, step: str, source: str, permissions: tuple[str, ...]
) -> Callable[[Callable[Concatenate[Clients, P], T]], Read[P, T]]:
    """Make a plain read a task of the playbook's `step`. `source`: the API, as evidence names it; `permissions`: IAM actions."""

    def decorate(plain: Callable[Concatenate[Clients, P], T]) -> Read[P, T]:
        made = Read(plain, step, source, permissions)
        _ALL.append(made)
        return made

    return decorate


_ALL: list[Read[Any, Any]] = []


def reads(module: str | None = None) -> tuple[Read[Any, Any], ...]:
    """Every read that was defined so far, or those of one module."""
    return tuple(r for r in _ALL if module in (None, r.plain.__module__))


def permissions(module: str) -> tuple[str, ...]:
    """The IAM actions of a module's reads, each once."""
    return tuple(dict.fromkeys(p for r in reads(module) for p in r.permissions))


def _with_signature_of(plain: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """`answer` with the parameters of `plain`, the case id in place of the clients: the Prefect UI shows them by name."""
    first, *rest = inspect.signature(plain).parameters.values()
    case = first.replace(name="case_id", annotation=str)

    async def asked(*args: Any, **kwargs: Any) -> Any:
        return await answer(*args, **kwargs)

    asked.__name__, asked.__doc__, asked.__module__ = plain.__name__, plain.__doc__, plain.__module__
    asked.__signature__ = inspect.Signature([case, *rest])
    return asked
