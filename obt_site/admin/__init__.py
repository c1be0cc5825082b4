"""Sections of Django's admin: people, and what MongoDB keeps. Loaded by Django once all of its own are."""

from typing import cast

from django.contrib import admin

from obt_site.admin import people
from obt_site.admin.machines import HardwareConfigs, Installations, Machines
from obt_site.admin.measurements import Jobs, Results, Sessions
from obt_site.admin.tokens import ApiTokens, EnrolmentTokens
from obt_site.admin_site import ObtAdminSite

site = cast("ObtAdminSite", admin.site)
site.register_documents(
    Machines(), HardwareConfigs(), Installations(), Sessions(), Jobs(), Results(), ApiTokens(), EnrolmentTokens()
)
people.register(admin.site)
