"""The part of libpurple's C interface that the client uses."""

from __future__ import annotations

import ctypes

from tests.real_client.libraries import operations

POINTER, STRING, INT, UINT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint
SIZE, TIME = ctypes.c_size_t, ctypes.c_long

PROTOTYPES = {
    "purple_util_set_user_dir": (None, STRING),
    "purple_debug_set_enabled": (None, INT),
    "purple_debug_set_verbose": (None, INT),
    "purple_debug_set_unsafe": (None, INT),
    "purple_debug_set_ui_ops": (None, POINTER),
    "purple_core_set_ui_ops": (None, POINTER),
    "purple_eventloop_set_ui_ops": (None, POINTER),
    "purple_conversations_set_ui_ops": (None, POINTER),
    "purple_connections_set_ui_ops": (None, POINTER),
    "purple_notify_set_ui_ops": (None, POINTER),
    "purple_request_set_ui_ops": (None, POINTER),
    "purple_roomlist_set_ui_ops": (None, POINTER),
    "purple_core_init": (INT, STRING),
    "purple_core_quit": (None,),
    "purple_core_get_version": (STRING,),
    "purple_certificate_add_ca_search_path": (None, STRING),
    "purple_set_blist": (None, POINTER),
    "purple_blist_new": (POINTER,),
    "purple_prefs_load": (INT,),
    "purple_prefs_set_bool": (None, STRING, INT),
    "purple_prefs_set_string": (None, STRING, STRING),
    "purple_find_prpl": (POINTER, STRING),
    "purple_account_new": (POINTER, STRING, STRING),
    "purple_accounts_add": (None, POINTER),
    "purple_account_set_password": (None, POINTER, STRING),
    "purple_account_set_remember_password": (None, POINTER, INT),
    "purple_account_set_string": (None, POINTER, STRING, STRING),
    "purple_account_set_bool": (None, POINTER, STRING, INT),
    "purple_account_set_enabled": (None, POINTER, STRING, INT),
    "purple_account_get_connection": (POINTER, POINTER),
    "purple_account_connect": (None, POINTER),
    "purple_account_disconnect": (None, POINTER),
    "purple_account_is_disconnected": (INT, POINTER),
    "purple_savedstatus_new": (POINTER, STRING, INT),
    "purple_savedstatus_activate": (None, POINTER),
    "purple_roomlist_get_list": (POINTER, POINTER),
    "purple_get_chats": (POINTER,),
    "purple_conversation_get_name": (STRING, POINTER),
    "purple_conversation_get_type": (INT, POINTER),
    "purple_conversation_get_chat_data": (POINTER, POINTER),
    "purple_conversation_destroy": (None, POINTER),
    "purple_conv_chat_get_id": (INT, POINTER),
    "purple_conv_chat_send": (None, POINTER, STRING),
    "purple_conv_chat_get_users": (POINTER, POINTER),
    "purple_conv_chat_cb_get_name": (STRING, POINTER),
    "purple_conv_chat_user_get_flags": (INT, POINTER, STRING),
    "purple_conv_chat_has_left": (INT, POINTER),
    "serv_join_chat": (None, POINTER, POINTER),
    "purple_connections_get_handle": (POINTER,),
    "purple_conversations_get_handle": (POINTER,),
    "purple_signal_connect": (ctypes.c_ulong, POINTER, STRING, POINTER, POINTER, POINTER),
}

DebugOperations = operations(
    "DebugOperations",
    ("print", None, INT, STRING, STRING),
    ("is_enabled", INT, INT, STRING),
    reserved=4,
)
CoreOperations = operations(
    "CoreOperations",
    ("ui_prefs_init", None),
    ("debug_ui_init", None),
    ("ui_init", None),
    ("quit", None),
    ("get_ui_info", POINTER),
    reserved=3,
)
ConversationOperations = operations(
    "ConversationOperations",
    ("create_conversation", None, POINTER),
    ("destroy_conversation", None, POINTER),
    ("write_chat", None, POINTER, STRING, STRING, INT, TIME),
    ("write_im", None, POINTER, STRING, STRING, INT, TIME),
    ("write_conv", None, POINTER, STRING, STRING, STRING, INT, TIME),
    ("chat_add_users", None, POINTER, POINTER, INT),
    ("chat_rename_user", None, POINTER, STRING, STRING, STRING),
    ("chat_remove_users", None, POINTER, POINTER),
    ("chat_update_user", None, POINTER, STRING),
    ("present", None, POINTER),
    ("has_focus", INT, POINTER),
    ("custom_smiley_add", INT, POINTER, STRING, INT),
    ("custom_smiley_write", None, POINTER, STRING, POINTER, SIZE),
    ("custom_smiley_close", None, POINTER, STRING),
    ("send_confirm", None, POINTER, STRING),
    reserved=4,
)
ConnectionOperations = operations(
    "ConnectionOperations",
    ("connect_progress", None, POINTER, STRING, SIZE, SIZE),
    ("connected", None, POINTER),
    ("disconnected", None, POINTER),
    ("notice", None, POINTER, STRING),
    ("report_disconnect", None, POINTER, STRING),
    ("network_connected", None),
    ("network_disconnected", None),
    ("report_disconnect_reason", None, POINTER, INT, STRING),
    reserved=3,
)
NotifyOperations = operations(
    "NotifyOperations",
    ("notify_message", POINTER, INT, STRING, STRING, STRING),
    ("notify_email", POINTER, STRING, STRING, STRING, STRING),
    ("notify_emails", POINTER, POINTER, SIZE, INT, POINTER, POINTER, POINTER, POINTER),
    ("notify_formatted", POINTER, STRING, STRING, STRING, STRING),
    ("notify_searchresults", POINTER, POINTER, STRING, STRING, STRING, POINTER, POINTER),
    ("notify_searchresults_new_rows", None, POINTER, POINTER, POINTER),
    ("notify_userinfo", POINTER, POINTER, STRING, POINTER),
    ("notify_uri", POINTER, STRING),
    ("close_notify", None, INT, POINTER),
    reserved=4,
)
_CHOICES = (INT, POINTER, STRING, POINTER, POINTER, SIZE)  # default, account, who, conversation, data, count
RequestOperations = operations(
    "RequestOperations",
    (
        "request_input",
        *(POINTER, STRING, STRING, STRING, STRING, INT, INT, STRING, STRING, POINTER, STRING, POINTER),
        *(POINTER, STRING, POINTER, POINTER),
    ),
    (
        "request_choice",
        *(POINTER, STRING, STRING, STRING, INT, STRING, POINTER, STRING, POINTER, POINTER, STRING),
        *(POINTER, POINTER, POINTER),
    ),
    ("request_action", POINTER, STRING, STRING, STRING, *_CHOICES, POINTER),
    (
        "request_fields",
        *(POINTER, STRING, STRING, STRING, POINTER, STRING, POINTER, STRING, POINTER, POINTER, STRING),
        *(POINTER, POINTER),
    ),
    ("request_file", POINTER, STRING, STRING, INT, POINTER, POINTER, POINTER, STRING, POINTER, POINTER),
    ("close_request", None, INT, POINTER),
    ("request_folder", POINTER, STRING, STRING, POINTER, POINTER, POINTER, STRING, POINTER, POINTER),
    (
        "request_action_with_icon",
        *(POINTER, STRING, STRING, STRING, INT, POINTER, STRING, POINTER, POINTER, SIZE, POINTER),
        *(SIZE, POINTER),
    ),
    ("request_screenshare_media", POINTER, STRING, STRING, STRING, POINTER, POINTER, POINTER),
    reserved=2,
)
RoomlistOperations = operations(
    "RoomlistOperations",
    ("show_with_account", None, POINTER),
    ("create", None, POINTER),
    ("set_fields", None, POINTER, POINTER),
    ("add_room", None, POINTER, POINTER),
    ("in_progress", None, POINTER, INT),
    ("destroy", None, POINTER),
    reserved=4,
)


class RoomlistHead(ctypes.Structure):
    """``struct _PurpleRoomlist``, its public part."""

    _fields_ = [("account", POINTER), ("fields", POINTER), ("rooms", POINTER), ("in_progress", INT)]


class RoomlistRoom(ctypes.Structure):
    """``struct _PurpleRoomlistRoom``, its public part."""

    _fields_ = [("type", INT), ("name", STRING), ("fields", POINTER)]


class RoomlistField(ctypes.Structure):
    """``struct _PurpleRoomlistField``."""

    _fields_ = [("type", INT), ("label", STRING), ("name", STRING), ("hidden", INT)]


FIELD_BOOL, FIELD_STRING = 0, 2
CONVERSATION_CHAT = 2
STATUS_AVAILABLE = 2
USER_OPERATOR = 4
DISCONNECT_REASONS = (
    "network",
    "invalid-username",
    "authentication-failed",
    "authentication-impossible",
    "no-ssl-support",
    "encryption",
    "name-in-use",
    "invalid-settings",
    "cert-not-provided",
    "cert-untrusted",
    "cert-expired",
    "cert-not-activated",
    "cert-hostname-mismatch",
    "cert-fingerprint-mismatch",
    "cert-self-signed",
    "cert-other",
    "other",
)
MESSAGE_FLAGS = (
    (0x1, "send"),
    (0x2, "received"),
    (0x4, "system"),
    (0x20, "nick"),
    (0x200, "error"),
    (0x400, "delayed"),
)
DEBUG_LEVELS = ("all", "misc", "info", "warn", "error", "fatal")
