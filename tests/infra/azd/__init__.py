"""Tests of azure.yaml and the hooks that azd runs: the real shell against stubs of az and azd."""
