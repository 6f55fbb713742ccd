"""The endpoints, one file a noun: read what was asked, call one service function, answer."""
