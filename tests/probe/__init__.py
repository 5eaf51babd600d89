"""The conformance probe: asks a real tenant how Microsoft Graph behaves where no document says.

`make probe` runs it with the credentials of a test app and a spare mailbox. Each question is one
function in `questions`; `outside` sends its requests and cleans up.
"""
