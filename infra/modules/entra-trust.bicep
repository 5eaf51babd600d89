// What an application can have only once it exists: its ID URI api://<client id>, with which programs request tokens, and
// its trust in the function app's identity. A credential beside its new application failed in a public report
// (msgraph-bicep-types#301), so both come in a deployment of their own after entra.bicep's.

extension microsoftGraphV1

@description('Unique name of the application in Entra ID.')
param uniqueName string
@description('Display name of the application. Entra ID requires it again for the update.')
param displayName string
@description('The application\'s client id.')
param clientId string
@description('Object id of the function app\'s identity.')
param identityPrincipalId string

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  identifierUris: [
    'api://${clientId}'
  ]

  // Replaces a secret: Entra ID accepts a token of the function app's identity as the application's credential. The name
  // has to start with the application's unique name, as the extension requires.
  resource trust 'federatedIdentityCredentials@v1.0' = {
    name: '${application.uniqueName}/function-app'
    description: 'The managed identity of the Contact Sync function app.'
    issuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
    subject: identityPrincipalId
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}
