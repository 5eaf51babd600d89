// The managed identities. They are created first and outlive the resources that use them, so that role assignments
// and the application's trust stay valid when the app or the gateway is recreated. None has a secret.

@description('The data region.')
param location string
@description('Tags for all resources.')
param tags object
@description('Name of the function app\'s identity.')
@minLength(3)
@maxLength(128)
param appName string
@description('Name of the gateway\'s identity.')
@minLength(3)
@maxLength(128)
param gatewayName string

@description('Name of the alert rules\' identity.')
@minLength(3)
@maxLength(128)
param alertsName string

@description('Identity of the function app: for storage, vault and logs, and by federation for the Entra application in each tenant.')
resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: appName
  location: location
  tags: tags
}

@description('Identity of the gateway: proves to the function app that a call came through it. It can write logs and nothing else.')
resource gateway 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: gatewayName
  location: location
  tags: tags
}

@description('Identity of the alert rules: reads the workspace and nothing else.')
resource alerts 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: alertsName
  location: location
  tags: tags
}

output appClientId string = app.properties.clientId
output appPrincipalId string = app.properties.principalId
output gatewayPrincipalId string = gateway.properties.principalId
