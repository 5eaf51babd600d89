// The store of logs, events and metrics: one workspace, and Application Insights in front of it. Both stay in the region,
// accept data only with Entra ID, and hold ids, codes and numbers (shared/domain/events.py), never names or addresses.

@description('The data region.')
param location string
@description('Tags for all resources.')
param tags object
@description('Name of the workspace.')
@minLength(4)
@maxLength(63)
param workspaceName string
@description('Name of the Application Insights component.')
@minLength(1)
@maxLength(255)
param componentName string
@description('How many days to keep events.')
@minValue(30)
@maxValue(730)
param retentionDays int
@description('Maximum GB per day. -1: no cap.')
param dailyCapGb int

// Tables for investigating faults. They are kept for a month, because less stored data is better.
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
      // No shared key: agents and people need an Entra token.
      disableLocalAuth: true
      // Whoever may read the app may read its logs, without a role for the whole workspace.
      enableLogAccessUsingOnlyResourcePermissions: true
      // Delete after exactly 30 days; by default, Azure keeps data a week or two longer.
      immediatePurgeDataOn30Days: true
    }
    workspaceCapping: {
      dailyQuotaGb: dailyCapGb
    }
    // Admins read the logs from anywhere, and the gateway's Consumption tier has no network. To close this access as
    // well, add an Azure Monitor private link scope.
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

@description('One at a time: the workspace rejects changes to two tables at once.')
@batchSize(1)
resource tables 'Microsoft.OperationalInsights/workspaces/tables@2025-07-01' = [
  for table in shortLived: {
    parent: workspace
    name: table
    properties: {
      plan: 'Analytics'
      retentionInDays: 30
      totalRetentionInDays: 30
    }
  }
]

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    // The connection string is then only an address, not a key: senders need an Entra token.
    DisableLocalAuth: true
    // Azure removes the last part of a client's address before it stores anything.
    DisableIpMasking: false
    publicNetworkAccessForIngestion: 'Enabled'
    publicNetworkAccessForQuery: 'Enabled'
  }
}

output workspaceId string = workspace.id
output componentId string = component.id
@description('The connection string. It is only an address: local authentication is off.')
output connectionString string = component.properties.ConnectionString
