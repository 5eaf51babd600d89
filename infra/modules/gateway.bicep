// The gateway: every public request, to the API or the portal, goes through API Management. The
// gateway proves who it is with a token of its own identity, which the app requires
// (GATEWAY_PRINCIPAL_ID); no key or secret is stored. Each policy is a file in ../policies.
//
// Tiers: Both end a request after 30 seconds. Consumption costs next to nothing and has no limits by
// tenant, no circuit breaker, no resource logs and no network. Standard v2 has all of them.
// Docs: api-management-gateways-overview, api-management-features, api-management-policies.
targetScope = 'resourceGroup'

@description('Region of the gateway: the same as the app, so that no data leaves it.')
param location string

@description('Tags of the service.')
param tags object

@description('Name of the service. The address of the gateway is https://NAME.azure-api.net.')
@minLength(1)
@maxLength(50)
param name string

@description('Tier: see above.')
@allowed(['Consumption', 'StandardV2'])
param sku string

@description('Scale units of Standard v2; Consumption has none.')
@minValue(1)
@maxValue(10)
param units int = 1

@description('Host name of a domain of your own. Empty: only the gateway\'s own address.')
param domain string = ''

@description('The domain\'s certificate: the id of its secret in a Key Vault.')
param certificate string = ''

@description('Email address that Azure sends notices about this service to.')
param publisherEmail string

@description('Name of the API\'s publisher.')
param publisherName string

@description('Name of the gateway\'s identity. identity.bicep creates it before the gateway, so that the app can know it.')
@minLength(3)
@maxLength(128)
param identityName string

@description('Whether to recover the gateway that an earlier deployment of this name left behind: Azure keeps it for 48 hours.')
param recover bool

@description('Host name of the function app, such as func-contactsync-prod.azurewebsites.net.')
param functionAppHostName string

@description('Client id of the app registration in Entra ID: the audience of access tokens.')
param appClientId string

@description('The Application Insights component that records calls. roles.bicep lets the gateway\'s identity write to it.')
param applicationInsightsName string

@description('Log Analytics workspace for the resource logs that Standard v2 writes.')
param workspaceId string

@description('Subnet through which Standard v2 reaches the app, delegated to Microsoft.Web/serverFarms; empty: none.')
param subnetId string = ''

@description('Calls per minute of one subscription key and, in Standard v2, of one tenant.')
@minValue(10)
param callsPerMinute int = 600

@description('Calls per week of one partner\'s subscription key.')
@minValue(1000)
param partnerCallsPerWeek int = 500000

@description('Percentage of successful calls that Application Insights records. It records all errors.')
@minValue(0)
@maxValue(100)
param sampledPercent int = 20

var isStandard = sku == 'StandardV2'

// Older protocols are off by default. Stating it here also turns them off again if somebody turned
// them on. Consumption does not accept these properties, and neither tier lets you choose ciphers
// (docs: api-management-howto-manage-protocols-ciphers).
var protocols = {
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Protocols.Tls10': 'False'
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Protocols.Tls11': 'False'
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Backend.Protocols.Tls10': 'False'
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Backend.Protocols.Tls11': 'False'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

var domains = [
  {
    type: 'Proxy'
    hostName: domain
    certificateSource: 'KeyVault'
    keyVaultId: certificate
    identityClientId: identity.properties.clientId
    defaultSslBinding: true
  }
]

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  // checkov:skip=CKV_AZURE_174: the gateway is the public entrance; the app behind it may be private
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    capacity: isStandard ? units : 0
  }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    restore: recover ? true : null
    publisherEmail: publisherEmail
    publisherName: publisherName
    customProperties: isStandard ? protocols : null
    hostnameConfigurations: empty(domain) ? null : domains
    // Standard v2 integrates outbound only and calls that External; Consumption has no network.
    virtualNetworkType: isStandard && !empty(subnetId) ? 'External' : 'None'
    virtualNetworkConfiguration: isStandard && !empty(subnetId) ? { subnetResourceId: subnetId } : null
    publicNetworkAccess: 'Enabled'
    apiVersionConstraint: {
      minApiVersion: '2021-08-01'
    }
    // An operator gives partners their keys; the developer portal has nothing to show to others.
    developerPortalStatus: isStandard ? 'Disabled' : null
  }
}

module apis 'gateway-apis.bicep' = {
  params: {
    serviceName: service.name
    isStandard: isStandard
    identityClientId: identity.properties.clientId
    functionAppHostName: functionAppHostName
    appClientId: appClientId
    callsPerMinute: callsPerMinute
    partnerCallsPerWeek: partnerCallsPerWeek
  }
}

module telemetry 'gateway-telemetry.bicep' = {
  params: {
    serviceName: service.name
    isStandard: isStandard
    identityClientId: identity.properties.clientId
    applicationInsightsName: applicationInsightsName
    workspaceId: workspaceId
    sampledPercent: sampledPercent
  }
}

@description('Public origin of the service, such as https://NAME.azure-api.net; the API is below its path /api.')
output gatewayUrl string = service.properties.gatewayUrl

@description('Resource id of the service, for alerts.')
output serviceId string = service.id
