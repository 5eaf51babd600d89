"""The help page for employees of an organization, for everyone who has its link."""

import azure.functions as func

from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit

bp = func.Blueprint()


@page(bp, "GET", "help/{tenant}/{key}")
async def show_employee_help(visit: Visit) -> Page:
    """Show how to see the contacts on phones and computers, and which numbers show a name."""
    found = await visit.app.tenancy.help_pages.read(visit.segment("tenant"), visit.segment("key"))
    return Page("start/employees", {"help": found})
