"""The app, the template and the local example have the same settings."""

import json
from typing import Any

import pytest

from shared.wiring.settings import Settings
from tests.infra.readers.bicep import read
from tests.sources import ROOT

# Read by the app and not set in Azure.
SIMULATOR_ONLY = {
    "AzureWebJobsStorage": "a connection string with a key, for Azurite only",
    "APP_CLIENT_SECRET": "a secret of the Entra simulator",
    "SESSION_KEY": "Key Vault keeps it in Azure",
}
# Set in Azure and read by the host, the worker or the exporter, not by settings.py.
PLATFORM = {
    "AzureWebJobsStorage__credential": "storage by identity",
    "AzureWebJobsStorage__clientId": "the identity that reads storage",
    "AzureWebJobsStorage__blobServiceUri": "the host's own blobs",
    "AzureWebJobsDisableHomepage": "the portal is at /",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where telemetry goes",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the identity that sends telemetry",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "no statistics for Microsoft",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "the worker sets up OpenTelemetry",
    "PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME": "only our own log records",
    "OTEL_SERVICE_NAME": "the app's name in telemetry",
    "OTEL_TRACES_SAMPLER": "how traces are sampled",
    "OTEL_TRACES_SAMPLER_ARG": "the sampling rate",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "instrumentations that are off",
}
# Set in Azure and not used locally.
# Computed from the number of instances: what they override is in host.json.
CONCURRENCY = {
    "AzureFunctionsJobHost__extensions__queues__batchSize",
    "AzureFunctionsJobHost__extensions__queues__newBatchThreshold",
}
NOT_LOCAL = {
    "AzureWebJobsStorage__tableServiceUri": "part of AzureWebJobsStorage",
    "AzureWebJobsStorage__queueServiceUri": "part of AzureWebJobsStorage",
}
# Flex Consumption rejects them or sets them itself (docs: functions-app-settings, Flex).
REFUSED = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
}


def in_azure() -> dict[str, Any]:
    return dict(read("modules/functions.bicep").variables["settings"]["value"])


def test_concurrency_follows_the_number_of_instances() -> None:
    assert set(read("modules/functions.bicep").variables["concurrency"]["value"]) == CONCURRENCY


def known() -> set[str]:
    return {str(field.alias) for field in Settings.model_fields.values()}


def local() -> dict[str, str]:
    text = (ROOT / "local.settings.example.json").read_text("utf-8")
    return dict(json.loads(text)["Values"])


def test_template_sets_exactly_the_settings_the_app_reads() -> None:
    assert set(in_azure()) - set(PLATFORM) == known() - set(SIMULATOR_ONLY)


def test_template_sets_the_platform_settings_and_none_that_azure_rejects() -> None:
    assert set(PLATFORM) <= set(in_azure())
    assert REFUSED & set(in_azure()) == set()


def test_local_example_has_the_same_settings() -> None:
    platform = {"FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsDisableHomepage"}
    wanted = known() - set(NOT_LOCAL) - set(SIMULATOR_ONLY) | {"AzureWebJobsStorage"}

    assert set(local()) == wanted | platform


@pytest.mark.parametrize(
    ("parameter", "setting"),
    [
        ("trialDays", "TRIAL_DAYS"),
        ("graceDays", "GRACE_DAYS"),
        ("runDays", "RUN_DAYS"),
        ("ledgerDays", "LEDGER_DAYS"),
        ("leavingHours", "LEAVING_HOURS"),
        ("callsPerMinute", "CALLS_PER_MINUTE"),
        ("appCredential", "APP_CREDENTIAL"),
    ],
)
def test_defaults_are_the_same_everywhere(parameter: str, setting: str) -> None:
    default = read("main.bicep").parameters[parameter]["default"]
    field = next(f for f in Settings.model_fields.values() if f.alias == setting)

    assert (default, local()[setting]) == (field.default, str(field.default))


def test_telemetry_is_exported_once_with_entra_authentication() -> None:
    settings = in_azure()

    assert settings["PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY"] == "true"
    # Both would send everything twice.
    assert "PYTHON_ENABLE_OPENTELEMETRY" not in settings
    assert "Authorization=AAD" in settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]
