"""People: the first administrator by a one-use link, signing in and out."""
