"""An AWS error that any lab module may raise from anywhere below the gate, which writes it in the protocol of the request."""

from __future__ import annotations


class AwsError(Exception):
    """One error answer: AWS's code, message and HTTP status; `fields` become further elements of an S3 error."""

    def __init__(self, code: str, message: str, status: int = 400, **fields: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields
