// The function app on Flex Consumption: billed by the execution, no server to keep, no secret in its settings.

@description('The data region, which the app shows to whoever asks where its data is.')
param location string
@description('Tags on everything.')
param tags object
@description('Name of the app, which is global.')
@minLength(2)
@maxLength(60)
param name string
@description('Name of the plan; one plan holds one app.')
@minLength(1)
@maxLength(60)
param planName string
@description('The app\'s identity, by resource id.')
param identityId string
@description('The app\'s identity, by client id.')
param identityClientId string
@description('The gateway\'s identity, by object id: calls and pages are taken from it alone.')
param gatewayPrincipalId string
@description('The storage account.')
@minLength(3)
@maxLength(24)
param storageName string
@description('The container that the package is deployed to.')
param deploymentContainer string
@description('The vault.')
param vaultUri string
@description('Where telemetry goes. An address: local authentication is off.')
param connectionString string
@description('Where diagnostics go.')
param workspaceId string
@description('Whether each line of the host is logged a second time, beside telemetry.')
param hostLogs bool
@description('The Entra application.')
param clientId string
@description('How the app proves to Entra ID who it is.')
param appCredential string
@description('Where browsers find the portal.')
param portalOrigin string
@description('Whether instances are spread over zones, and two of each kind kept ready.')
param zoneRedundant bool
@description('The most instances at once.')
param maximumInstanceCount int
@description('Memory of an instance.')
param instanceMemoryMB int
@description('Instances that wait for calls and pages.')
param alwaysReadyHttp int
@description('The subnet that its instances stand in; empty without a private network.')
param integrationSubnetId string
@description('The subnet of its private endpoint; empty without a private network.')
param endpointSubnetId string
@description('The private DNS zone of apps; empty without a private network.')
param zoneId string
@description('How long a tenant may try it without seats.')
param trialDays int
@description('How long contacts stay in a mailbox that has lost its seat.')
param graceDays int
@description('How long runs and their results are kept.')
param runDays int
@description('How long the audit log is kept.')
param ledgerDays int
@description('How many calls a tenant may make in a minute.')
param callsPerMinute int

var private = !empty(endpointSubnetId)

// What shared/wiring/settings.py and the Functions host read. Flex Consumption itself sets runtime, version and package, and
// refuses the settings by which other plans are told.
var settings = {
  // Storage by identity. All three services are named, since with a credential no name is guessed.
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  // The portal's start page is at /.
  AzureWebJobsDisableHomepage: 'true'
  // Who the app is, and how it proves it.
  APP_CLIENT_ID: clientId
  APP_CREDENTIAL: appCredential
  APP_KEY_VAULT_SECRET: 'contact-sync-app'
  MANAGED_IDENTITY_CLIENT_ID: identityClientId
  KEY_VAULT_URI: vaultUri
  HOME_TENANT_ID: tenant().tenantId
  // Microsoft Graph's own data boundary follows the customer's tenant; this is only where it is asked.
  ENTRA_AUTHORITY: authority
  GRAPH_ENDPOINT: 'https://graph.microsoft.com/v1.0'
  // Who may call it, and where browsers are sent back to.
  GATEWAY_PRINCIPAL_ID: gatewayPrincipalId
  PORTAL_ORIGIN: portalOrigin
  // The service's rules.
  DATA_REGION: location
  TRIAL_DAYS: string(trialDays)
  GRACE_DAYS: string(graceDays)
  RUN_DAYS: string(runDays)
  LEDGER_DAYS: string(ledgerDays)
  CALLS_PER_MINUTE: string(callsPerMinute)
  // Telemetry by Entra ID: the worker sets OpenTelemetry up, and its logs then do not go through the host as well.
  APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  // Only our own records: the SDKs' log a line for each request, with its address.
  PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME: 'shared'
  OTEL_SERVICE_NAME: 'contact-sync'
  // Events and logs are never sampled; of traces each worker keeps one a second, so that a quiet service keeps nearly
  // all, and a rush of a million mailboxes costs no more than its time.
  OTEL_TRACES_SAMPLER: 'microsoft.rate_limited'
  OTEL_TRACES_SAMPLER_ARG: '1'
  // Spans of libraries would hold whole addresses, with what was searched for, and cost memory; ours say what is done.
  OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,psycopg2,requests,urllib,urllib3'
  // The exporter would send numbers of its own to a resource of Microsoft's, in whichever region.
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
}
var loginEndpoint = environment().authentication.loginEndpoint
// The app builds issuers from it, which have no slash at the end.
var authority = endsWith(loginEndpoint, '/') ? substring(loginEndpoint, 0, length(loginEndpoint) - 1) : loginEndpoint
var alwaysReady = [
  {
    name: 'http'
    instanceCount: alwaysReadyHttp
  }
]

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  // checkov:skip=CKV_AZURE_225: a parameter: zones bill two waiting instances for each of twelve functions.
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  // checkov:skip=CKV_AZURE_17: the gateway shows an Entra token instead of a certificate, which would have to be rotated.
  // checkov:skip=CKV_AZURE_212: Flex Consumption scales by itself; waiting instances are a parameter.
  // checkov:skip=CKV_AZURE_213: Flex Consumption has no health check by App Service; /api/health/ready is watched instead.
  // checkov:skip=CKV_AZURE_222: public access ends with the private network; without one the app takes the gateway alone.
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    endToEndEncryptionEnabled: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: empty(integrationSubnetId) ? null : integrationSubnetId
    keyVaultReferenceIdentity: identityId
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      remoteDebuggingEnabled: false
      appSettings: [for setting in items(settings): {
        name: setting.key
        value: setting.value
      }]
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'python'
        version: '3.13'
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReadyHttp > 0 ? alwaysReady : []
      }
    }
  }
}

@description('No user name and password for publishing: deploying takes an Entra token.')
resource ftpCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

@description('The same for the deployment service.')
resource scmCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

module endpoint 'endpoint.bicep' = if (private) {
  params: {
    location: location
    tags: tags
    name: 'pep-${name}'
    subnetId: endpointSubnetId
    targetId: app.id
    groupId: 'sites'
    zoneId: zoneId
  }
}

@description('The host\'s lines are in the telemetry already, so they are kept here only while a fault is looked into.')
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: app
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FunctionAppLogs'
        enabled: hostLogs
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
}

output id string = app.id
output name string = app.name
@description('Without a scheme.')
output hostName string = app.properties.defaultHostName
