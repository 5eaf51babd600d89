// Where logs, events and metrics go: one workspace, and Application Insights in front of it. Both stay in the region,
// take data only by Entra ID, and hold ids, codes and numbers (shared/domain/events.py), never names or addresses.

@description('The data region.')
param location string
@description('Tags on everything.')
param tags object
@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param workspaceName string
@description('Name of the Application Insights component.')
@minLength(1)
@maxLength(255)
param componentName string
@description('How many days events are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int
@description('The most GB a day; -1: no cap.')
param dailyCapGb int

// What a fault is looked into with is of no use after a month, and the less is kept the better.
var shortLived = [
  'AppDependencies'
  'AppExceptions'
  'AppPerformanceCounters'
  'AppRequests'
  'AppTraces'
]

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      // No shared key: an agent or a person shows an Entra token.
      disableLocalAuth: true
      // Who may look at the app may look at its logs, and needs no role for the whole workspace.
      enableLogAccessUsingOnlyResourcePermissions: true
      // At 30 days means at 30 days; otherwise the last are kept for another week or two.
      immediatePurgeDataOn30Days: true
    }
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    // Admins look from wherever they are, and the gateway's Consumption tier has no network of its own. Who has to close
    // this too adds an Azure Monitor private link scope.
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

@description('One after the other: the workspace refuses changes of two tables at once.')
@batchSize(1)
resource tables 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = [for table in shortLived: {
  parent: workspace
  name: table
  properties: {
    plan: 'Analytics'
    retentionInDays: 30
    totalRetentionInDays: 30
  }
}]

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    // The connection string then is an address, and no key: whoever sends shows an Entra token.
    DisableLocalAuth: true
    // The last part of a client's address is dropped before anything is stored.
    DisableIpMasking: false
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

output workspaceId string = workspace.id
output componentId string = component.id
output componentName string = component.name
@description('An address: local authentication is off.')
output connectionString string = component.properties.ConnectionString
