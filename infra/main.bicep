// Contact Sync in Azure: one deployment, one data region, one resource group.
//
// The order matters. The identities come first, so that roles are assigned before anything uses them and the app knows
// the gateway's identity before the gateway exists. Then come storage, vault and logs, then the app, and then the gateway
// in front of it. README.md says how to deploy and what each choice costs.

targetScope = 'subscription'

@description('''
The data region: all stored data of a tenant stays in it. The list holds the EU regions that have Flex Consumption; the
first two are in the Netherlands and in Ireland. It is the same list as in shared/domain/regions.py.
''')
@allowed([
  'westeurope'
  'northeurope'
  'germanywestcentral'
  'francecentral'
  'swedencentral'
  'italynorth'
  'spaincentral'
])
@metadata({ azd: { type: 'location' } })
param location string

@description('Name of this deployment, such as prod or test. It becomes part of the resource names.')
@minLength(3)
@maxLength(12)
param environmentName string

@description('Start of all resource names, after the abbreviation of their kind. Lower case letters and digits.')
@minLength(2)
@maxLength(11)
param namePrefix string = 'contactsync'

@description('Tags for all resources, in addition to those that group the deployment.')
param tags object = {}

@description('''
Consumption costs per call and has no network; a call may take 30 seconds and 2 MiB. StandardV2 costs per hour, limits
calls by tenant, writes its own logs and can reach the app through a private network.
''')
@allowed([
  'Consumption'
  'StandardV2'
])
param apiManagementSku string = 'Consumption'

@description('Email address that API Management sends notices to.')
@minLength(3)
param publisherEmail string

@description('Name of the API\'s publisher, as its callers see it.')
@minLength(1)
param publisherName string

@description('Email address of alerts and budget notifications.')
@minLength(3)
param alertEmail string

@description('''
The portal's address in browsers, such as https://contacts.example: a custom domain that you set up on the gateway. Empty:
the gateway's own address.
''')
param portalOrigin string = ''

@description('''
Whether to create the Entra application. The person who deploys then needs the right to create applications. Later
deployments may set this to false and give the client id in appClientId.
''')
param createEntraApplication bool = true

@description('Client id of the Entra application, if this deployment does not create it.')
param appClientId string = ''

@description('How the app proves its identity to Entra ID. With the managed identity there is no secret to rotate.')
@allowed([
  'managed-identity'
  'key-vault-certificate'
  'key-vault-secret'
])
param appCredential string = 'managed-identity'

@description('''
Storage, vault and app are reachable only through a private network, not from the internet. Requires StandardV2, and a
machine inside the network to deploy the app and write the vault's secrets. Five private endpoints and a NAT gateway cost
extra per hour.
''')
param privateNetwork bool = false

@description('''
Spreads the app's instances over the region's zones. Azure then keeps at least two instances ready, and bills them, for
each function that scales separately: twelve here, so 24 instances around the clock. Storage is zone-redundant either way.
Without this, Azure replaces a lost instance in another zone, and its messages come back.
''')
param zoneRedundant bool = false

@description('''
Maximum number of instances, which also limits the request rate to Microsoft Graph: an instance syncs up to 24 mailboxes at
once (host.json). Ten always stay below the 130,000 requests in ten seconds that Graph accepts from one app, and sync about
two million mailboxes a night. More instances serve more tenants at once: see Scale in README.md.
''')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 10

@description('Memory of an instance; it sets the price of its time. 2048 is enough for 24 mailboxes with large address books.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Instances kept ready for calls and pages, so that the first one avoids a cold start. Billed while they wait.')
@minValue(0)
@maxValue(100)
param alwaysReadyHttp int = 0

@description('How many days to keep the events that the workbook shows. Up to 90 days cost nothing extra.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('Maximum GB of logs per day, which limits the cost of a fault. While it is reached, alerts over logs see nothing. -1: no cap.')
@minValue(-1)
param dailyLogCapGb int = 5

@description('''
Also logs each request to storage and each line of the host, to investigate a fault. Otherwise keep it off: each sync of a
mailbox writes about twenty such lines, which would cost more than everything else.
''')
param detailedLogs bool = false

@description('Monthly budget of the resource group, in the currency of the subscription. 0: no budget.')
@minValue(0)
param monthlyBudget int = 0

@description('First day of the month in which the budget begins, such as 2027-01-01. You cannot change it later.')
param budgetStart string = ''

@description('''
Locks storage and vault against deletion. Tables and queues have no soft delete, so deleting the account loses their data
for good. The person who deploys needs the right to set locks.
''')
param lockData bool = true

@description('Object id of the person or app that deploys and may write the session key into the vault. Empty: nobody may.')
param deployerPrincipalId string = ''

@description('Kind of the deploying principal.')
@allowed([
  'User'
  'ServicePrincipal'
])
param deployerPrincipalType string = 'User'

@description('Days a tenant may use the service without licenses.')
@minValue(0)
@maxValue(365)
param trialDays int = 30

@description('Days that contacts stay in a mailbox that lost its license.')
@minValue(0)
@maxValue(365)
param graceDays int = 14

@description('Days to keep runs and their results.')
@minValue(31)
@maxValue(3650)
param runDays int = 90

@description('Days to keep the audit log.')
@minValue(30)
@maxValue(3650)
param ledgerDays int = 365

@description('How many calls per minute a tenant may make.')
@minValue(10)
param callsPerMinute int = 600

var base = '${namePrefix}-${environmentName}'
// Global names need a unique part. Eight characters leave room for the prefix in the shortest of them.
var suffix = take(uniqueString(subscription().id, environmentName, location), 8)
var allTags = union(tags, { 'azd-env-name': environmentName, application: 'contact-sync', environment: environmentName })
var gatewayName = 'apim-${base}-${suffix}'
// Known before the gateway exists, so that the app is configured only once.
var origin = empty(portalOrigin) ? 'https://${gatewayName}.azure-api.net' : portalOrigin
// Settings that contradict each other fail the deployment instead of being changed silently.
var gatewaySku = privateNetwork && apiManagementSku == 'Consumption' ? fail('privateNetwork needs apiManagementSku StandardV2: Consumption cannot reach a private network.') : apiManagementSku
var clientId = createEntraApplication ? entra!.outputs.clientId : empty(appClientId) ? fail('With createEntraApplication false, set appClientId to the client id of the application.') : appClientId

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${base}'
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    appName: 'id-${base}-app'
    gatewayName: 'id-${base}-gateway'
  }
}

module monitor 'modules/monitor.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    workspaceName: 'log-${base}'
    componentName: 'appi-${base}'
    retentionDays: logRetentionDays
    dailyCapGb: dailyLogCapGb
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  params: {
    location: location
    tags: allTags
    name: base
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'st${namePrefix}${suffix}'
    endpointSubnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    zoneIds: privateNetwork ? network!.outputs.storageZoneIds : []
    workspaceId: monitor.outputs.workspaceId
    accessLogs: detailedLogs
    locked: lockData
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'kv-${namePrefix}-${suffix}'
    endpointSubnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    zoneId: privateNetwork ? network!.outputs.vaultZoneId : ''
    workspaceId: monitor.outputs.workspaceId
    locked: lockData
  }
}

module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    appPrincipalId: identity.outputs.appPrincipalId
    appIdentityId: identity.outputs.appId
    gatewayPrincipalId: identity.outputs.gatewayPrincipalId
    gatewayIdentityId: identity.outputs.gatewayId
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    componentName: monitor.outputs.componentName
    deployerPrincipalId: deployerPrincipalId
    deployerPrincipalType: deployerPrincipalType
  }
}

module entra 'modules/entra.bicep' = if (createEntraApplication) {
  scope: group
  params: {
    uniqueName: base
    portalOrigin: origin
    identityPrincipalId: identity.outputs.appPrincipalId
  }
}

module functions 'modules/functions.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'func-${base}-${suffix}'
    planName: 'plan-${base}'
    identityId: identity.outputs.appId
    identityClientId: identity.outputs.appClientId
    gatewayPrincipalId: identity.outputs.gatewayPrincipalId
    storageName: storage.outputs.name
    deploymentContainer: storage.outputs.deploymentContainer
    vaultUri: vault.outputs.uri
    connectionString: monitor.outputs.connectionString
    workspaceId: monitor.outputs.workspaceId
    hostLogs: detailedLogs
    clientId: clientId
    appCredential: appCredential
    portalOrigin: origin
    zoneRedundant: zoneRedundant
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReadyHttp: alwaysReadyHttp
    integrationSubnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    endpointSubnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    zoneId: privateNetwork ? network!.outputs.appZoneId : ''
    trialDays: trialDays
    graceDays: graceDays
    runDays: runDays
    ledgerDays: ledgerDays
    callsPerMinute: callsPerMinute
  }
  // The app reads storage and vault when it starts and retries only after a while, so its roles come first.
  dependsOn: [
    roles
  ]
}

module gateway 'modules/gateway.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    name: gatewayName
    sku: gatewaySku
    publisherEmail: publisherEmail
    publisherName: publisherName
    identityId: identity.outputs.gatewayId
    identityClientId: identity.outputs.gatewayClientId
    appClientId: clientId
    functionAppHostName: functions.outputs.hostName
    applicationInsightsName: monitor.outputs.componentName
    workspaceId: monitor.outputs.workspaceId
    subnetId: privateNetwork ? network!.outputs.gatewaySubnetId : ''
    callsPerMinute: callsPerMinute
  }
  // Logs that the gateway sends before it has its role are lost.
  dependsOn: [
    roles
  ]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    name: base
    workspaceId: monitor.outputs.workspaceId
    applicationInsightsId: monitor.outputs.componentId
    functionAppId: functions.outputs.id
    alertEmail: alertEmail
    readinessUrl: '${gateway.outputs.gatewayUrl}/api/health/ready'
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    name: 'Contact Sync ${environmentName}'
    workspaceId: monitor.outputs.workspaceId
    applicationInsightsId: monitor.outputs.componentId
    functionAppId: functions.outputs.id
    gatewayId: gateway.outputs.serviceId
    portalOrigin: origin
    instanceMemoryMB: instanceMemoryMB
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0) {
  scope: group
  params: {
    name: 'budget-${base}'
    amount: monthlyBudget
    startDate: empty(budgetStart) ? fail('monthlyBudget needs budgetStart, the first day of a month such as 2027-01-01.') : budgetStart
    email: alertEmail
  }
}

@description('The resource group of all resources.')
output resourceGroupName string = group.name
@description('The function app that the package is deployed to.')
output functionAppName string = functions.outputs.name
@description('Address of the API.')
output apiUrl string = '${gateway.outputs.gatewayUrl}/api'
@description('Address of the portal.')
output portalOrigin string = origin
@description('Client id of the app\'s managed identity.')
output identityClientId string = identity.outputs.appClientId
@description('The vault that holds session-key and, if there is one, the app\'s credential.')
output keyVaultName string = vault.outputs.name
@description('Client id of the application that other companies consent to.')
output appClientId string = clientId
