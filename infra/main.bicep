// Contact Sync in Azure: one deployment, one data region, one resource group.
//
// What comes first matters: the identities, so that the roles are given before anything starts with them and so that
// the app knows the gateway's identity before there is a gateway; then storage, vault and logs; then the app; then the
// gateway in front of it. README.md says how to deploy, and what each choice costs.

targetScope = 'subscription'

@description('''
The data region: all that is kept of a tenant stays in it. EU regions that have Flex Consumption; the first two are
those of Amsterdam and of Ireland. It is the same list as in shared/domain/regions.py.
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

@description('What this deployment is called, such as prod or test; it becomes part of the names.')
@minLength(3)
@maxLength(12)
param environmentName string

@description('What all names begin with, after the abbreviation of their kind. Lower case letters and digits.')
@minLength(2)
@maxLength(11)
param namePrefix string = 'contactsync'

@description('Tags on everything, beside those that say what belongs together.')
param tags object = {}

@description('''
Consumption costs by the call and has no network of its own; a call may take 30 seconds and 2 MiB there. StandardV2 costs
by the hour, limits calls by tenant, keeps logs of its own and reaches the app through a private network.
''')
@allowed([
  'Consumption'
  'StandardV2'
])
param apiManagementSku string = 'Consumption'

@description('Where API Management writes to about the service.')
@minLength(3)
param publisherEmail string

@description('Who publishes the API, as its callers read it.')
@minLength(1)
param publisherName string

@description('Where alerts and the budget write to.')
@minLength(3)
param alertEmail string

@description('''
Where browsers find the portal, such as https://contacts.example: a custom domain of the gateway, set up there. Empty: the
gateway's own address.
''')
param portalOrigin string = ''

@description('''
Whether the Entra application is made here. Whoever deploys then has to be allowed to make applications. Later deployments
may leave it as it is: false, with its client id in appClientId.
''')
param createEntraApplication bool = true

@description('The client id of the Entra application, if it is not made here.')
param appClientId string = ''

@description('How the app proves to Entra ID who it is; the managed identity needs no secret and nothing to rotate.')
@allowed([
  'managed-identity'
  'key-vault-certificate'
  'key-vault-secret'
])
param appCredential string = 'managed-identity'

@description('''
Storage, vault and app are reached only through a private network, and nothing of them by the internet. Needs StandardV2,
and a machine inside of the network for deploying the app and writing the vault's secrets. Costs five private endpoints
and a NAT gateway, by the hour.
''')
param privateNetwork bool = false

@description('''
The app's instances are spread over the region's zones. Azure then keeps at least two instances ready, and bills them, for
each function that scales by itself: twelve here, so 24 instances around the clock. Storage is zone-redundant either way,
and without this an instance that is lost is replaced in another zone while its messages come back.
''')
param zoneRedundant bool = false

@description('''
The most instances at once, which also caps how fast Microsoft Graph is asked: an instance syncs up to 24 mailboxes at once
(host.json). Ten stay below the 130,000 requests in ten seconds that Graph takes of one app, whatever they do; they sync
some two million mailboxes in a night. More serve more tenants at once: README.md, Scale.
''')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 10

@description('Memory of an instance, which is what its time costs by. 2048 holds 24 mailboxes with large address books.')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Instances that wait for calls and pages, so that the first does not wait for a cold start. Billed while waiting.')
@minValue(0)
@maxValue(100)
param alwaysReadyHttp int = 0

@description('How many days the events, by which the workbook shows runs, are kept. Up to 90 cost nothing more.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('The most GB of logs a day, so that a fault cannot cost without end; when it is reached, alerts are blind. -1: no cap.')
@minValue(-1)
param dailyLogCapGb int = 5

@description('''
Each request to storage and each line of the host is logged too, for looking into a fault. Off otherwise: a mailbox makes
some twenty such lines at each sync, which would cost more than all else.
''')
param detailedLogs bool = false

@description('What the resource group may cost in a month, in the currency of the subscription; 0: no budget.')
@minValue(0)
param monthlyBudget int = 0

@description('The first day of the month in which the budget begins, such as 2027-01-01. It cannot be changed later.')
param budgetStart string = ''

@description('''
Storage and vault cannot be deleted before their lock is: tables and queues have no soft delete, so what is lost with the
account is lost. Whoever deploys then needs to be allowed to set locks.
''')
param lockData bool = true

@description('Who deploys, by object id, and so may write the session key into the vault. Empty: nobody is given that.')
param deployerPrincipalId string = ''

@description('What the deployer is.')
@allowed([
  'User'
  'ServicePrincipal'
])
param deployerPrincipalType string = 'User'

@description('How long a tenant may try it without seats.')
@minValue(0)
@maxValue(365)
param trialDays int = 30

@description('How long contacts stay in a mailbox that has lost its seat.')
@minValue(0)
@maxValue(365)
param graceDays int = 14

@description('How long runs and their results are kept.')
@minValue(31)
@maxValue(3650)
param runDays int = 90

@description('How long the audit log is kept.')
@minValue(30)
@maxValue(3650)
param ledgerDays int = 365

@description('How many calls a tenant may make in a minute.')
@minValue(10)
param callsPerMinute int = 600

var base = '${namePrefix}-${environmentName}'
// Names that are global need what nobody else has; eight characters leave room for the prefix in the shortest of them.
var suffix = take(uniqueString(subscription().id, environmentName, location), 8)
var allTags = union(tags, { 'azd-env-name': environmentName, application: 'contact-sync', environment: environmentName })
var gatewayName = 'apim-${base}-${suffix}'
// Known before the gateway is there, so that the app needs to be set up once only.
var origin = empty(portalOrigin) ? 'https://${gatewayName}.azure-api.net' : portalOrigin
// What cannot work together is refused with a reason, rather than made in another way than was asked for.
var gatewaySku = privateNetwork && apiManagementSku == 'Consumption' ? fail('privateNetwork needs apiManagementSku StandardV2: Consumption cannot reach a private network.') : apiManagementSku
var clientId = createEntraApplication ? entra!.outputs.clientId : empty(appClientId) ? fail('Without createEntraApplication, give the application in appClientId.') : appClientId

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
  // The app reads storage and vault as it starts, and tries again only after a while: so its roles come first.
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
  // What its logger sends before it may is lost.
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
    startDate: empty(budgetStart) ? fail('A budget needs budgetStart, the first day of a month such as 2027-01-01.') : budgetStart
    email: alertEmail
  }
}

@description('What all of it is in.')
output resourceGroupName string = group.name
@description('Where the package is deployed to.')
output functionAppName string = functions.outputs.name
@description('Where the API is called.')
output apiUrl string = '${gateway.outputs.gatewayUrl}/api'
@description('Where browsers find the portal.')
output portalOrigin string = origin
@description('The identity that vouches for the app.')
output identityClientId string = identity.outputs.appClientId
@description('Where session-key is written, and the credential of the app if it has one.')
output keyVaultName string = vault.outputs.name
@description('The application that other companies consent to.')
output appClientId string = clientId
