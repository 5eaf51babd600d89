"""The script for Exchange RBAC for Applications, run by PowerShell against stub modules."""
