"""Accounts: registration, login, access tokens. Pure rules beside the few parts that hash, sign and ask the directory.

Every expected "no" is a `Refusal` value. Passwords and tokens appear in no log line and no `repr`.
"""
