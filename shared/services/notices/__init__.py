"""Notices to admins: finding what to tell, delivering it, and what admins set about it."""
