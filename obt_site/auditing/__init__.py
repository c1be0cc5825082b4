"""Reading the audit: lists, the page, files, the way back. Writing it is `obt_site/audit.py`."""
