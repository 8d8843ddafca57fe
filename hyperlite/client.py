"""The names of http.client, with an HTTPSConnection that speaks HTTP/2 with servers that have it.

::

    from hyperlite import client as http_client

The three classes are those of `client_classes`.  Type checkers are told that they are http.client's own: so a
method that takes or returns one overrides a method of the standard library, and a program is typed as it was
with http.client.  `isinstance(response, hyperlite.HTTP20Response)` is true of every response here, and shows
type checkers what is beyond http.client (`trailers`, …).

All other names are looked up in http.client, and set there too: http.client's code reads `_MAXHEADERS` and
its like.
"""

import http.client as http_client
import sys
from typing import TYPE_CHECKING

from .client_classes import _create_https_context as _create_https_context
from .client_names import ClientModule

if TYPE_CHECKING:
    # `X as X`, and here: in typed packages what comes by a star belongs to no module but its own (pyright).
    from http.client import (
        ACCEPTED as ACCEPTED, ALREADY_REPORTED as ALREADY_REPORTED, BAD_GATEWAY as BAD_GATEWAY,
        BAD_REQUEST as BAD_REQUEST, CONFLICT as CONFLICT, CONTINUE as CONTINUE, CREATED as CREATED,
        EARLY_HINTS as EARLY_HINTS, EXPECTATION_FAILED as EXPECTATION_FAILED,
        FAILED_DEPENDENCY as FAILED_DEPENDENCY, FORBIDDEN as FORBIDDEN, FOUND as FOUND,
        GATEWAY_TIMEOUT as GATEWAY_TIMEOUT, GONE as GONE, HTTP_PORT as HTTP_PORT,
        HTTP_VERSION_NOT_SUPPORTED as HTTP_VERSION_NOT_SUPPORTED, HTTPS_PORT as HTTPS_PORT,
        IM_A_TEAPOT as IM_A_TEAPOT, IM_USED as IM_USED, INSUFFICIENT_STORAGE as INSUFFICIENT_STORAGE,
        INTERNAL_SERVER_ERROR as INTERNAL_SERVER_ERROR, LENGTH_REQUIRED as LENGTH_REQUIRED, LOCKED as LOCKED,
        LOOP_DETECTED as LOOP_DETECTED, METHOD_NOT_ALLOWED as METHOD_NOT_ALLOWED,
        MISDIRECTED_REQUEST as MISDIRECTED_REQUEST, MOVED_PERMANENTLY as MOVED_PERMANENTLY,
        MULTI_STATUS as MULTI_STATUS, MULTIPLE_CHOICES as MULTIPLE_CHOICES,
        NETWORK_AUTHENTICATION_REQUIRED as NETWORK_AUTHENTICATION_REQUIRED, NO_CONTENT as NO_CONTENT,
        NON_AUTHORITATIVE_INFORMATION as NON_AUTHORITATIVE_INFORMATION, NOT_ACCEPTABLE as NOT_ACCEPTABLE,
        NOT_EXTENDED as NOT_EXTENDED, NOT_FOUND as NOT_FOUND, NOT_IMPLEMENTED as NOT_IMPLEMENTED,
        NOT_MODIFIED as NOT_MODIFIED, OK as OK, PARTIAL_CONTENT as PARTIAL_CONTENT,
        PAYMENT_REQUIRED as PAYMENT_REQUIRED, PERMANENT_REDIRECT as PERMANENT_REDIRECT,
        PRECONDITION_FAILED as PRECONDITION_FAILED, PRECONDITION_REQUIRED as PRECONDITION_REQUIRED,
        PROCESSING as PROCESSING, PROXY_AUTHENTICATION_REQUIRED as PROXY_AUTHENTICATION_REQUIRED,
        REQUEST_ENTITY_TOO_LARGE as REQUEST_ENTITY_TOO_LARGE,
        REQUEST_HEADER_FIELDS_TOO_LARGE as REQUEST_HEADER_FIELDS_TOO_LARGE,
        REQUEST_TIMEOUT as REQUEST_TIMEOUT, REQUEST_URI_TOO_LONG as REQUEST_URI_TOO_LONG,
        REQUESTED_RANGE_NOT_SATISFIABLE as REQUESTED_RANGE_NOT_SATISFIABLE, RESET_CONTENT as RESET_CONTENT,
        SEE_OTHER as SEE_OTHER, SERVICE_UNAVAILABLE as SERVICE_UNAVAILABLE,
        SWITCHING_PROTOCOLS as SWITCHING_PROTOCOLS, TEMPORARY_REDIRECT as TEMPORARY_REDIRECT,
        TOO_EARLY as TOO_EARLY, TOO_MANY_REQUESTS as TOO_MANY_REQUESTS, UNAUTHORIZED as UNAUTHORIZED,
        UNAVAILABLE_FOR_LEGAL_REASONS as UNAVAILABLE_FOR_LEGAL_REASONS,
        UNPROCESSABLE_ENTITY as UNPROCESSABLE_ENTITY, UNSUPPORTED_MEDIA_TYPE as UNSUPPORTED_MEDIA_TYPE,
        UPGRADE_REQUIRED as UPGRADE_REQUIRED, USE_PROXY as USE_PROXY,
        VARIANT_ALSO_NEGOTIATES as VARIANT_ALSO_NEGOTIATES, BadStatusLine as BadStatusLine,
        CannotSendHeader as CannotSendHeader, CannotSendRequest as CannotSendRequest,
        HTTPConnection as HTTPConnection, HTTPException as HTTPException, HTTPMessage as HTTPMessage,
        HTTPResponse as HTTPResponse, HTTPSConnection as HTTPSConnection,
        ImproperConnectionState as ImproperConnectionState, IncompleteRead as IncompleteRead,
        InvalidURL as InvalidURL, LineTooLong as LineTooLong, NotConnected as NotConnected,
        RemoteDisconnected as RemoteDisconnected, ResponseNotReady as ResponseNotReady,
        UnimplementedFileMode as UnimplementedFileMode, UnknownProtocol as UnknownProtocol,
        UnknownTransferEncoding as UnknownTransferEncoding, error as error, parse_headers as parse_headers,
        responses as responses,
    )  # fmt: skip

    if sys.version_info >= (3, 13):
        from http.client import (
            CONTENT_TOO_LARGE as CONTENT_TOO_LARGE, RANGE_NOT_SATISFIABLE as RANGE_NOT_SATISFIABLE,
            UNPROCESSABLE_CONTENT as UNPROCESSABLE_CONTENT, URI_TOO_LONG as URI_TOO_LONG,
        )  # fmt: skip

    __all__ = [
        "BadStatusLine",
        "CannotSendHeader",
        "CannotSendRequest",
        "HTTPConnection",
        "HTTPException",
        "HTTPResponse",
        "HTTPSConnection",
        "ImproperConnectionState",
        "IncompleteRead",
        "InvalidURL",
        "LineTooLong",
        "NotConnected",
        "RemoteDisconnected",
        "ResponseNotReady",
        "UnimplementedFileMode",
        "UnknownProtocol",
        "UnknownTransferEncoding",
        "error",
        "responses",
    ]
else:
    from .client_classes import HTTPConnection, HTTPResponse, HTTPSConnection

    __all__ = list(http_client.__all__)  # whatever the running Python has

sys.modules[__name__].__class__ = ClientModule
