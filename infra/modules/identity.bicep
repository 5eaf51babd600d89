// The two identities. They are made before all else and outlive what uses them, so that roles and the application's
// trust stay true when the app or the gateway is made anew. Neither has a secret.

@description('The data region.')
param location string
@description('Tags on everything.')
param tags object
@description('Name of the function app\'s identity.')
@minLength(3)
@maxLength(128)
param appName string
@description('Name of the gateway\'s identity.')
@minLength(3)
@maxLength(128)
param gatewayName string

@description('The function app: storage, vault, logs, and by federation the Entra application in each tenant.')
resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: appName
  location: location
  tags: tags
}

@description('The gateway: shows the function app that a call has come through it. It may do nothing else but log.')
resource gateway 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: gatewayName
  location: location
  tags: tags
}

output appId string = app.id
output appClientId string = app.properties.clientId
output appPrincipalId string = app.properties.principalId
output gatewayId string = gateway.id
output gatewayClientId string = gateway.properties.clientId
output gatewayPrincipalId string = gateway.properties.principalId
