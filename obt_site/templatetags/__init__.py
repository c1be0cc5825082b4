"""Tags and filters the templates use: ``{% load obt %}``."""
