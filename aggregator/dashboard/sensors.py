"""The sensors of a state, asked of the job, which has them in its ledger."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

_PATIENCE_S: Final = 5.0
MOST: Final = 200
"""The job gives no more of a state."""


class SensorsError(Exception):
    """Why there are none, as a sentence with what to do."""


class Job:
    """The job's HTTP endpoint.

    Args:
        url: its address; None where the person gave none.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url

    def sensors(self, state: str) -> dict[str, Any]:
        """What the job says of a state's sensors; takes up to some seconds.

        Raises:
            SensorsError: it does not say.
        """
        if self._url is None:
            raise SensorsError(
                "start the job with --metrics HOST:PORT and this page with --job http://HOST:PORT; "
                "the job has the sensors in its ledger (--scope both)"
            )
        try:
            with urlopen(f"{self._url}/sensors/{state}", timeout=_PATIENCE_S) as answer:  # noqa: S310 http(s), checked in the settings
                found: dict[str, Any] = json.load(answer)
        except HTTPError as error:
            said = error.read().decode("utf-8", "replace").strip()
            raise SensorsError(f"the job at {self._url} says: {said}") from error
        except (OSError, URLError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "reason", error)
            raise SensorsError(
                f"the job at {self._url} (--job) does not answer: {why}; is it running with "
                "--metrics?"
            ) from error
        return found
