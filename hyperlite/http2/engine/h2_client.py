"""h2's own connection object, as `reference` uses it: what it checks, and the SETTINGS that it sends."""

import h2.config
import h2.connection
import h2.settings

from .frames import MAX_FRAME
from .limits import Limits


def h2_client(limits: Limits, *, push: bool = False) -> h2.connection.H2Connection:
    """Return a fresh connection, which has sent nothing yet.

    Args:
        limits: of which the peer is told.
        push: the peer may answer what was not asked.
    """
    made = h2.connection.H2Connection(
        h2.config.H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_inbound_headers=False,  # the engine does it, and makes errors of the stream of them
            normalize_inbound_headers=False,
            validate_outbound_headers=False,  # messages/fields has done it, more strictly
            normalize_outbound_headers=False,
        )
    )
    codes = h2.settings.SettingCodes
    made.local_settings = h2.settings.Settings(
        client=True,
        initial_values={
            codes.ENABLE_PUSH: int(push),
            codes.INITIAL_WINDOW_SIZE: limits.stream_window,
            codes.MAX_FRAME_SIZE: MAX_FRAME,
            codes.MAX_HEADER_LIST_SIZE: limits.max_header_list,
        },
    )
    made.max_inbound_frame_size = MAX_FRAME  # what the settings said when it was made
    del made.local_settings[codes.ENABLE_CONNECT_PROTOCOL]  # a server's setting
    # It says the default. Go (Caddy) obeys in the middle of a block that it encodes, after an upgrade.
    del made.local_settings[codes.HEADER_TABLE_SIZE]
    return made
