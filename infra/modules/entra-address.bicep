// The application ID URI, api://<client id>, with which programs request tokens. It contains the client id, which exists
// only after entra.bicep has created the application, so this module updates the same application and sets only the URI.

extension microsoftGraphV1

@description('Unique name of the application in Entra ID.')
param uniqueName string
@description('Display name of the application. Entra ID requires it again for the update.')
param displayName string
@description('The application\'s client id.')
param clientId string

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  identifierUris: [
    'api://${clientId}'
  ]
}
