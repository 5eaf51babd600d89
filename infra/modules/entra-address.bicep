// The application's address, api://<client id>, by which programs ask for tokens for it. It needs the client id, which
// entra.bicep only knows once the application is there: so this updates the same application, and nothing else of it.

extension microsoftGraphV1

@description('What Entra ID knows the application by.')
param uniqueName string
@description('How people see it, which Entra ID wants to be told again.')
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
