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

@description('''
Name of this deployment, such as prod or test: lower case letters, digits, and hyphens between them. It becomes part of the
resource names.
''')
@minLength(3)
@maxLength(12)
param environmentName string

@description('Start of all resource names, after the abbreviation of their kind: lower case letters and digits, a letter first.')
@minLength(2)
@maxLength(11)
param namePrefix string = 'contactsync'

@description('Tags for all resources, in addition to those that group the deployment.')
param tags object = {}

@description('''
Consumption costs per call and has no network; an answer may have 2 MiB. StandardV2 costs per hour, limits calls by tenant,
writes its own logs and can reach the app through a private network; Spain Central does not have it. Both end a call after
30 seconds. None publishes the app at its own address, without a gateway: enough for a company that hosts the service for
itself, since all checks are the app's own. Partners' subscription keys and the gateway's logs are then missing.
''')
@allowed([
  'None'
  'Consumption'
  'StandardV2'
])
param apiManagementSku string = 'Consumption'

@description('Email address that API Management sends notices to. Only needed with a gateway.')
param publisherEmail string = ''

@description('Name of the API\'s publisher, as its callers see it.')
@minLength(1)
param publisherName string

@description('Email address of alerts and budget notifications. It must be set.')
param alertEmail string = ''

@description('''
The portal's address in browsers, such as https://contacts.example: a custom domain that you set up on the gateway. Empty:
the gateway's own address.
''')
param portalOrigin string = ''

@description('''
The certificate of portalOrigin in a Key Vault, such as https://kv-contoso.vault.azure.net/secrets/portal-tls, without a
version, so that the gateway follows renewals. The gateway's identity needs the role Key Vault Secrets User on it. Empty: no
domain of your own; one that was bound by hand is removed, because Azure resets what a template does not name.
''')
param portalCertificate string = ''

@description('''
Whether to create the Entra application. The person who deploys then needs the right to create applications. Later
deployments may set this to false and give the client id in appClientId.
''')
param createEntraApplication bool = true

@description('Client id of the Entra application, if this deployment does not create it.')
param appClientId string = ''

@description('''
Whether only people of the service's own tenant can sign in and consent: for a company that hosts the service for itself.
Shares with partners are not possible then.
''')
param singleTenant bool = false

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
each function that scales separately: 18 and the HTTP ones as one, so 38 instances around the clock. Storage is zone-redundant either way.
Without this, Azure replaces a lost instance in another zone, and its messages come back. alwaysReadyHttp must be 0 or at
least 2 with it.
''')
param zoneRedundant bool = false

@description('''
Maximum number of instances of each function that scales by itself (Azure counts all HTTP functions as one). 0: the lowest
number that the region accepts, 10 in West Europe and 40 elsewhere. The template chooses how many mailboxes an instance
syncs at once so that all instances together stay below the 130,000 requests in ten seconds that Graph accepts from one
app. Ten instances sync about two million mailboxes a night: see Scale in README.md.
''')
@minValue(0)
@maxValue(1000)
param maximumInstanceCount int = 0

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

@description('Addresses for reports of vulnerabilities, such as mailto:security@example.com, with spaces between them. Empty: no /.well-known/security.txt.')
param securityContact string = ''

@description('Page with the rules for reports of vulnerabilities, an https URL; may be empty.')
param securityPolicy string = ''

@description('When /.well-known/security.txt expires, less than a year ahead, such as 2027-06-01T00:00:00Z. Required with securityContact.')
param securityExpires string = ''

@description('Where people of customers get help: a mailto:, tel: or https: address. Empty: the portal names none.')
param supportContact string = ''

@description('What a license costs a month without VAT, such as: standard=1.50 premium=2.50 EUR. Empty: the portal shows no prices.')
param licensePrices string = ''

@description('Hours in which a tenant that asked to leave can take that back.')
@minValue(0)
@maxValue(720)
param leavingHours int = 24

@description('How many calls per minute a tenant may make.')
@minValue(20)
param callsPerMinute int = 600

@description('''
For the first deployment after this one was deleted: recovers its vault, which Azure keeps for 90 days. The name is taken
until then. Set it to false again afterwards.
''')
param recoverDeleted bool = false

@description('''
The same for the gateway, which Azure keeps for 48 hours. Azure then ignores all its other settings, so set this to false
and deploy once more.
''')
param recoverGateway bool = false

var hasGateway = apiManagementSku != 'None'
var isStandard = apiManagementSku == 'StandardV2'
var allowedCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789-'
var characters = map(range(0, length(environmentName)), at => substring(environmentName, at, 1))
var hyphens = filter(split(environmentName, '-'), part => empty(part))
// What the portal's address looks like if it is right: a name, and nothing after it.
var address = toLower('https://${last(split(portalOrigin, '/'))}')
// Settings that contradict each other fail the deployment, each with its remedy, instead of being changed silently.
var mistakes = [
  {
    found: !empty(filter(characters, one => !contains(allowedCharacters, one))) || !empty(hyphens)
    text: 'environmentName may have lower case letters, digits, and hyphens between them: choose another, such as prod.'
  }
  {
    found: privateNetwork && !isStandard
    text: 'privateNetwork needs apiManagementSku StandardV2: nothing else can reach a private network.'
  }
  {
    found: isStandard && location == 'spaincentral'
    text: 'Spain Central has no API Management Standard v2: choose another location, or Consumption.'
  }
  {
    found: hasGateway && empty(publisherEmail)
    text: 'A gateway needs publisherEmail: set PUBLISHER_EMAIL.'
  }
  {
    found: !empty(portalCertificate) && (empty(portalOrigin) || !hasGateway)
    text: 'portalCertificate is for a gateway with a domain of your own: set CUSTOM_PORTAL_ORIGIN too, or clear PORTAL_CERTIFICATE.'
  }
  {
    found: !empty(portalOrigin) && (portalOrigin != address || address == 'https://')
    text: 'portalOrigin is an address in lower case without a path, such as https://contacts.example: change CUSTOM_PORTAL_ORIGIN.'
  }
  {
    found: empty(alertEmail)
    text: 'Alerts need an email address: set ALERT_EMAIL.'
  }
  {
    found: zoneRedundant && alwaysReadyHttp == 1
    text: 'With zoneRedundant, alwaysReadyHttp must be 0 or at least 2.'
  }
  {
    found: !createEntraApplication && empty(appClientId)
    text: 'With createEntraApplication false, set appClientId to the client id of the application.'
  }
  {
    found: monthlyBudget > 0 && empty(budgetStart)
    text: 'monthlyBudget needs budgetStart, the first day of a month such as 2027-01-01.'
  }
]
var found = join(map(filter(mistakes, one => one.found), one => one.text), ' ')
var base = empty(found) ? '${namePrefix}-${environmentName}' : fail(found)
var clientId = createEntraApplication ? entra!.outputs.clientId : appClientId

// Global names need a unique part, and so does the Entra application: two deployments of one name in two regions are two
// services. Eight characters leave room for the prefix in the shortest name.
var suffix = take(uniqueString(subscription().id, environmentName, location), 8)
var allTags = union(
  tags,
  { 'azd-env-name': environmentName, application: 'contact-sync', environment: environmentName }
)
var appIdentityName = 'id-${base}-app'
var gatewayIdentityName = 'id-${base}-gateway'
var alertsIdentityName = 'id-${base}-alerts'
var componentName = 'appi-${base}'
var workspaceName = 'log-${base}'
var storageName = 'st${namePrefix}${suffix}'
var vaultName = 'kv-${namePrefix}-${suffix}'
var appName = 'func-${base}-${suffix}'
var gatewayName = 'apim-${base}-${suffix}'
// Known before the gateway and the app exist, so that the app is configured only once.
var ownOrigin = hasGateway ? 'https://${gatewayName}.azure-api.net' : 'https://${appName}.azurewebsites.net'
var origin = empty(portalOrigin) ? ownOrigin : portalOrigin
// Azure accepts fewer than 40 region by region; West Europe since January 2026 (azure-functions-host#10523).
var instances = maximumInstanceCount > 0 ? maximumInstanceCount : location == 'westeurope' ? 10 : 40

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  // With the region, because a group cannot move: a second region of one name needs a group of its own.
  name: 'rg-${base}-${location}'
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    appName: appIdentityName
    gatewayName: gatewayIdentityName
    alertsName: alertsIdentityName
  }
}

module monitor 'modules/monitor.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    workspaceName: workspaceName
    componentName: componentName
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
    name: storageName
    private: privateNetwork
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
    name: vaultName
    recover: recoverDeleted
    private: privateNetwork
    endpointSubnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    zoneId: privateNetwork ? network!.outputs.vaultZoneId : ''
    workspaceId: monitor.outputs.workspaceId
    locked: lockData
  }
}

module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    appIdentityName: appIdentityName
    gatewayIdentityName: gatewayIdentityName
    alertsIdentityName: alertsIdentityName
    workspaceName: workspaceName
    storageName: storageName
    vaultName: vaultName
    componentName: componentName
    deployerPrincipalId: deployerPrincipalId
    deployerPrincipalType: deployerPrincipalType
  }
  // Named, not read from their outputs: what-if then predicts these assignments too.
  dependsOn: [
    identity
    storage
    vault
    monitor
  ]
}

module entra 'modules/entra.bicep' = if (createEntraApplication) {
  scope: group
  params: {
    uniqueName: '${base}-${suffix}'
    portalOrigin: origin
    identityPrincipalId: identity.outputs.appPrincipalId
    singleTenant: singleTenant
    owner: deployerPrincipalType == 'ServicePrincipal' ? deployerPrincipalId : ''
  }
}

module functions 'modules/functions.bicep' = {
  scope: group
  params: {
    location: location
    tags: allTags
    name: appName
    planName: 'plan-${base}'
    identityName: appIdentityName
    gatewayPrincipalId: hasGateway ? identity.outputs.gatewayPrincipalId : ''
    storageName: storageName
    deploymentContainer: storage.outputs.deploymentContainer
    vaultUri: vault.outputs.uri
    connectionString: monitor.outputs.connectionString
    workspaceId: monitor.outputs.workspaceId
    hostLogs: detailedLogs
    clientId: clientId
    appCredential: appCredential
    singleTenant: singleTenant
    portalOrigin: origin
    zoneRedundant: zoneRedundant
    maximumInstanceCount: instances
    instanceMemoryMB: instanceMemoryMB
    alwaysReadyHttp: alwaysReadyHttp
    private: privateNetwork
    integrationSubnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    endpointSubnetId: privateNetwork ? network!.outputs.endpointSubnetId : ''
    zoneId: privateNetwork ? network!.outputs.appZoneId : ''
    trialDays: trialDays
    graceDays: graceDays
    runDays: runDays
    ledgerDays: ledgerDays
    securityContact: securityContact
    supportContact: supportContact
    licensePrices: licensePrices
    securityPolicy: securityPolicy
    securityExpires: securityExpires
    leavingHours: leavingHours
    callsPerMinute: callsPerMinute
  }
  // The app reads storage and vault when it starts and retries only after a while, so its roles come first.
  dependsOn: [
    roles
  ]
}

module gateway 'modules/gateway.bicep' = if (hasGateway) {
  scope: group
  params: {
    location: location
    tags: allTags
    name: gatewayName
    sku: isStandard ? 'StandardV2' : 'Consumption'
    publisherEmail: publisherEmail
    publisherName: publisherName
    identityName: gatewayIdentityName
    domain: empty(portalCertificate) ? '' : replace(portalOrigin, 'https://', '')
    certificate: portalCertificate
    recover: recoverGateway
    appClientId: clientId
    functionAppHostName: functions.outputs.hostName
    applicationInsightsName: componentName
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
    applicationInsightsName: componentName
    identityName: alertsIdentityName
    alertEmail: alertEmail
    readinessUrl: '${ownOrigin}/api/health/ready'
    testLocations: hasGateway ? 2 : 1
    singleTenant: singleTenant
    // One of the two regions of the EU that process alerts.
    actionGroupLocation: 'swedencentral'
  }
  dependsOn: [
    roles
  ]
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
    gatewayId: hasGateway ? gateway!.outputs.serviceId : ''
    portalOrigin: origin
    instanceMemoryMB: instanceMemoryMB
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0) {
  scope: group
  params: {
    name: 'budget-${base}'
    // The compiler does not know that a budget of 0 is not created.
    amount: max(monthlyBudget, 1)
    startDate: budgetStart
    email: alertEmail
  }
}

@description('The resource group of all resources.')
output resourceGroupName string = group.name
@description('The function app that the package is deployed to.')
output functionAppName string = functions.outputs.name
@description('Address of the API.')
output apiUrl string = '${ownOrigin}/api'
@description('Address of the portal.')
output portalOrigin string = origin
@description('Client id of the app\'s managed identity.')
output identityClientId string = identity.outputs.appClientId
@description('The vault that holds session-key and, if there is one, the app\'s credential.')
output keyVaultName string = vault.outputs.name
@description('Client id of the application that other companies consent to.')
output appClientId string = clientId
