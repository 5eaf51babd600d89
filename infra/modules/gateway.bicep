// The gateway: all that is public, the API and the portal, goes through API Management. It shows the
// app who it is by a token of its own identity, which the app asks for (GATEWAY_PRINCIPAL_ID); no
// key or secret is kept anywhere. Each policy is a file of ../policies, which says what it is for.
//
// Tiers: Consumption costs next to nothing, ends a request after 30 seconds, and has neither limits
// by tenant, nor a circuit breaker, resource logs or a network. Standard v2 has all of them.
// Docs: api-management-gateways-overview, api-management-features, api-management-policies.
targetScope = 'resourceGroup'

@description('Region of the gateway: the app\'s own, so that no data leaves it.')
param location string

@description('Tags of the service.')
param tags object

@description('Name of the service; the gateway is found at https://NAME.azure-api.net.')
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

@description('Where Azure writes about this service.')
param publisherEmail string

@description('Who publishes the API.')
param publisherName string

@description('The gateway\'s identity, by resource id. It is made before the gateway (identity.bicep), so that the app can know it.')
param identityId string

@description('The gateway\'s identity, by client id.')
param identityClientId string

@description('Host name of the function app, such as func-contactsync-prod.azurewebsites.net.')
param functionAppHostName string

@description('Client id of the app\'s registration in Entra ID, which access tokens are for.')
param appClientId string

@description('Application Insights that is told of calls; its role for this identity is in roles.bicep.')
param applicationInsightsName string

@description('Log Analytics workspace for the resource logs that Standard v2 writes.')
param workspaceId string

@description('Subnet through which Standard v2 reaches the app, delegated to Microsoft.Web/serverFarms; empty: none.')
param subnetId string = ''

@description('Calls a minute of one subscription key and, in Standard v2, of one tenant.')
@minValue(10)
param callsPerMinute int = 600

@description('Calls a week of one partner\'s subscription key.')
@minValue(1000)
param partnerCallsPerWeek int = 500000

@description('Of how many successful calls in 100 Application Insights is told; of errors, of all.')
@minValue(0)
@maxValue(100)
param sampledPercent int = 20

var isStandard = sku == 'StandardV2'

// Older protocols are off by default; a template that says so also turns them off again. Not with
// Consumption, which takes no such properties; ciphers can be chosen in neither of the two tiers
// (docs: api-management-howto-manage-protocols-ciphers).
var protocols = {
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Protocols.Tls10': 'False'
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Protocols.Tls11': 'False'
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Backend.Protocols.Tls10': 'False'
  'Microsoft.WindowsAzure.ApiManagement.Gateway.Security.Backend.Protocols.Tls11': 'False'
}

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  // checkov:skip=CKV_AZURE_174: it is what the public calls; the app behind it may be private
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
      '${identityId}': {}
    }
  }
  properties: {
    publisherEmail: publisherEmail
    publisherName: publisherName
    customProperties: isStandard ? protocols : null
    // Standard v2 integrates outbound only, which it calls External; Consumption has no network.
    virtualNetworkType: isStandard && !empty(subnetId) ? 'External' : 'None'
    virtualNetworkConfiguration: isStandard && !empty(subnetId) ? { subnetResourceId: subnetId } : null
    publicNetworkAccess: 'Enabled'
    apiVersionConstraint: {
      minApiVersion: '2021-08-01'
    }
    // Partners are given their keys by an operator; there is nothing to see for anybody else.
    developerPortalStatus: isStandard ? 'Disabled' : null
  }
}

module apis 'gateway-apis.bicep' = {
  name: 'gateway-apis'
  params: {
    serviceName: service.name
    isStandard: isStandard
    identityClientId: identityClientId
    functionAppHostName: functionAppHostName
    appClientId: appClientId
    callsPerMinute: callsPerMinute
    partnerCallsPerWeek: partnerCallsPerWeek
  }
}

module telemetry 'gateway-telemetry.bicep' = {
  name: 'gateway-telemetry'
  params: {
    serviceName: service.name
    isStandard: isStandard
    identityClientId: identityClientId
    applicationInsightsName: applicationInsightsName
    workspaceId: workspaceId
    sampledPercent: sampledPercent
  }
}

@description('Origin of all that is public, such as https://NAME.azure-api.net; the API is at its path /api.')
output gatewayUrl string = service.properties.gatewayUrl

@description('Resource id of the service, for alerts.')
output serviceId string = service.id
