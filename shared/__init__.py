"""Contact Sync: copies people and groups of Microsoft Entra ID into Exchange Online mailboxes."""
