// The function app on Flex Consumption: billed per execution, no servers to manage, no secret in its settings.

@description('The data region. The portal shows it to each tenant.')
param location string
@description('Tags for all resources.')
param tags object
@description('Name of the app. It is global.')
@minLength(2)
@maxLength(60)
param name string
@description('Name of the plan; one plan holds one app.')
@minLength(1)
@maxLength(60)
param planName string
@description('Name of the app\'s identity.')
@minLength(3)
@maxLength(128)
param identityName string
@description('Object id of the gateway\'s identity. The app accepts calls from it only. Empty: there is no gateway, and the app accepts calls from anywhere.')
param gatewayPrincipalId string
@description('The storage account.')
@minLength(3)
@maxLength(24)
param storageName string
@description('The container that the package is deployed to.')
param deploymentContainer string
@description('The vault.')
param vaultUri string
@description('Connection string of Application Insights. It is only an address: local authentication is off.')
param connectionString string
@description('The Log Analytics workspace for diagnostics.')
param workspaceId string
@description('Whether to log each line of the host, in addition to telemetry.')
param hostLogs bool
@description('Client id of the Entra application.')
param clientId string
@description('How the app proves its identity to Entra ID.')
param appCredential string
@description('Address of the portal in browsers.')
param portalOrigin string
@description('Whether to spread instances over zones and keep two of each kind ready.')
param zoneRedundant bool
@description('Maximum number of instances of each function that scales by itself.')
param maximumInstanceCount int
@description('Memory of an instance.')
param instanceMemoryMB int
@description('Instances kept ready for calls and pages.')
param alwaysReadyHttp int
@description('Whether the app is reachable through the private network only.')
param private bool
@description('Subnet of the app\'s instances. Empty without a private network.')
param integrationSubnetId string
@description('Subnet of the private endpoint. Empty without a private network.')
param endpointSubnetId string
@description('Private DNS zone of apps. Empty without a private network.')
param zoneId string
@description('Days a tenant may use the service without licenses.')
param trialDays int
@description('Days that contacts stay in a mailbox that lost its license.')
param graceDays int
@description('Whether only people of this tenant can sign in.')
param singleTenant bool
@description('Days to keep runs and their results.')
param runDays int
@description('Days to keep the audit log.')
param ledgerDays int
@description('Addresses for reports of vulnerabilities, with spaces between them.')
param securityContact string
@description('Page with the rules for such reports.')
param securityPolicy string
@description('When /.well-known/security.txt expires.')
param securityExpires string
@description('Where people of customers get help.')
param supportContact string
@description('What a license costs a month.')
param licensePrices string
@description('Hours before a tenant that asked to leave is removed.')
param leavingHours int
@description('How many calls per minute a tenant may make.')
param callsPerMinute int

// The settings that shared/wiring/settings.py and the Functions host read. Flex Consumption sets runtime, version and
// package itself, and rejects the settings that other plans use for them.
var settings = {
  // Storage with the identity. All three services are named, because with a credential the host derives no names.
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AzureWebJobsStorage__blobServiceUri: storage.properties.primaryEndpoints.blob
  AzureWebJobsStorage__queueServiceUri: storage.properties.primaryEndpoints.queue
  AzureWebJobsStorage__tableServiceUri: storage.properties.primaryEndpoints.table
  // The portal's start page is at /.
  AzureWebJobsDisableHomepage: 'true'
  // The app's identity, and how the app proves it.
  APP_CLIENT_ID: clientId
  APP_CREDENTIAL: appCredential
  APP_KEY_VAULT_SECRET: 'contact-sync-app'
  MANAGED_IDENTITY_CLIENT_ID: identity.properties.clientId
  KEY_VAULT_URI: vaultUri
  HOME_TENANT_ID: tenant().tenantId
  // Entra ID refuses `organizations` for an application of one tenant (AADSTS50194).
  SIGN_IN_TENANT: singleTenant ? tenant().tenantId : 'organizations'
  // Only the endpoint of the requests: Microsoft Graph's data boundary follows the customer's tenant.
  ENTRA_AUTHORITY: authority
  GRAPH_ENDPOINT: 'https://graph.microsoft.com/v1.0'
  // Who may call the app, and where it redirects browsers.
  GATEWAY_PRINCIPAL_ID: gatewayPrincipalId
  PORTAL_ORIGIN: portalOrigin
  // The service's rules.
  DATA_REGION: location
  TRIAL_DAYS: string(trialDays)
  GRACE_DAYS: string(graceDays)
  RUN_DAYS: string(runDays)
  LEDGER_DAYS: string(ledgerDays)
  SECURITY_CONTACT: securityContact
  SECURITY_POLICY: securityPolicy
  SECURITY_EXPIRES: securityExpires
  SUPPORT_CONTACT: supportContact
  LICENSE_PRICES: licensePrices
  LEAVING_HOURS: string(leavingHours)
  CALLS_PER_MINUTE: string(callsPerMinute)
  // Half for one user, so that nobody uses up what colleagues need.
  USER_CALLS_PER_MINUTE: string(callsPerMinute / 2)
  ANONYMOUS_CALLS_PER_MINUTE: '600'
  // Telemetry with Entra ID. The worker sets up OpenTelemetry, so its logs do not also go through the host.
  APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  // Only our own log records: the SDKs log a line with the address for each request.
  PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME: 'shared'
  OTEL_SERVICE_NAME: 'contact-sync'
  // Events and logs are never sampled. Of traces, each worker keeps five a second: a service with few runs keeps nearly
  // all of them (98 % in a measurement; with one a second it was half), and a run of a million mailboxes does not
  // multiply the cost.
  OTEL_TRACES_SAMPLER: 'microsoft.rate_limited'
  OTEL_TRACES_SAMPLER_ARG: '5'
  // Spans of libraries would contain full URLs with search terms, and cost memory. Our own spans are enough.
  OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,psycopg2,requests,urllib,urllib3'
  // Otherwise the exporter sends statistics to a resource of Microsoft's in another region.
  APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL: 'true'
}
// The app builds issuers from it, which do not end with a slash.
var authority = 'https://${split(environment().authentication.loginEndpoint, '/')[2]}'
// How many mailboxes an instance syncs at once. host.json's 24 (16 and 8) make at most 1,200 requests a second: 4 at once per
// mailbox, 80 ms each. Graph accepts 13,000 a second from one app, so more than ten instances take fewer mailboxes each.
var atOnce = min(24, max(1, 13000 * 80 / 1000 / 4 / maximumInstanceCount))
var batchSize = max(1, atOnce * 2 / 3)
var concurrency = {
  AzureFunctionsJobHost__extensions__queues__batchSize: string(batchSize)
  AzureFunctionsJobHost__extensions__queues__newBatchThreshold: string(atOnce - batchSize)
}
var alwaysReady = [
  {
    name: 'http'
    instanceCount: alwaysReadyHttp
  }
]

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  // checkov:skip=CKV_AZURE_225: a parameter, because zones bill two waiting instances for each of 19 groups of functions.
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
  // checkov:skip=CKV_AZURE_78: Flex Consumption has no FTP, and refuses the setting that turns it off.
  // checkov:skip=CKV_AZURE_17: the gateway sends an Entra token instead of a certificate, which somebody would have to rotate.
  // checkov:skip=CKV_AZURE_212: Flex Consumption scales by itself; waiting instances are a parameter.
  // checkov:skip=CKV_AZURE_213: Flex Consumption has no App Service health check; a test calls /api/health/ready instead.
  // checkov:skip=CKV_AZURE_222: public access ends with the private network; without one the app accepts only the gateway.
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: empty(integrationSubnetId) ? null : integrationSubnetId
    keyVaultReferenceIdentity: identity.id
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      remoteDebuggingEnabled: false
      // Not a for-expression: it would need the storage account's addresses before the deployment starts.
      appSettings: map(items(union(settings, concurrency)), setting => { name: setting.key, value: setting.value })
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${deploymentContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
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
        // For Python the default is one call at a time, although all of them share one event loop.
        triggers: {
          http: {
            perInstanceConcurrency: 16
          }
        }
      }
    }
  }
}

@description('No user name and password for publishing: deploying requires an Entra token.')
resource ftpCredentials 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

@description('The same for the deployment site (SCM).')
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

@description('Telemetry already holds the host\'s lines, so turn this on only to investigate a fault.')
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
@description('Host name, without a scheme.')
output hostName string = app.properties.defaultHostName
