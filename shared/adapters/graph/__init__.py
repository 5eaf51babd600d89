"""Microsoft Graph: transport, batches, the directory and the mailbox.

Credentials, middleware and transport are the SDK's; bodies are plain JSON, because the SDK's
typed parsing costs milliseconds per object and blocks the event loop (msgraph-sdk-python#584).
"""
