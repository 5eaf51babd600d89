"""What Graph refuses: options, names, values and headers that it does not know or support.

The server calls `requests.check` before a request is answered and `replies.complete` afterwards.
`metadata.json` says which properties exist; nothing here knows a tenant's data.
"""
