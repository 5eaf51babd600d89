// Whom the gateway tells of calls, and what not. Part of gateway.bicep.
targetScope = 'resourceGroup'

@description('Name of the service.')
@minLength(1)
@maxLength(50)
param serviceName string

@description('Whether the tier is Standard v2, and not Consumption.')
param isStandard bool

@description('The gateway\'s identity, by client id.')
param identityClientId string

@description('Application Insights that is told of calls; its role for this identity is in roles.bicep.')
param applicationInsightsName string

@description('Log Analytics workspace for the resource logs that Standard v2 writes.')
param workspaceId string

@description('Of how many successful calls in 100 Application Insights is told; of errors, of all.')
@minValue(0)
@maxValue(100)
param sampledPercent int

// Neither bodies nor query parameters: a query may hold an address, or the code of a sign-in. The
// app's own id of a call is kept, by which its logs are found.
var noBody = { body: { bytes: 0 }, headers: [] }
var hidden = { queryParams: [{ value: '*', mode: 'Hide' }] }
var messages = {
  request: { body: { bytes: 0 }, headers: [], dataMasking: hidden }
  response: { body: { bytes: 0 }, headers: ['X-Correlation-Id'] }
}
var backendMessages = {
  request: { body: { bytes: 0 }, headers: [], dataMasking: hidden }
  response: noBody
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

resource logger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: service
  name: 'insights'
  properties: {
    description: 'Application Insights, by the gateway\'s own identity.'
    loggerType: 'applicationInsights'
    resourceId: insights.id
    credentials: {
      connectionString: insights.properties.ConnectionString
      identityClientId: identityClientId
    }
    isBuffered: true
  }
}

resource telemetry 'Microsoft.ApiManagement/service/diagnostics@2024-05-01' = {
  parent: service
  name: 'applicationinsights'
  properties: {
    loggerId: logger.id
    alwaysLog: 'allErrors'
    sampling: {
      samplingType: 'fixed'
      percentage: sampledPercent
    }
    httpCorrelationProtocol: 'W3C'
    logClientIp: false
    operationNameFormat: 'Name'
    verbosity: 'error'
    frontend: messages
    backend: backendMessages
  }
}

resource logs 'Microsoft.ApiManagement/service/loggers@2024-05-01' = if (isStandard) {
  parent: service
  name: 'azuremonitor'
  properties: {
    loggerType: 'azureMonitor'
    isBuffered: true
  }
}

resource logged 'Microsoft.ApiManagement/service/diagnostics@2024-05-01' = if (isStandard) {
  parent: service
  name: 'azuremonitor'
  properties: {
    loggerId: logs.id
    alwaysLog: 'allErrors'
    sampling: {
      samplingType: 'fixed'
      percentage: sampledPercent
    }
    logClientIp: false
    verbosity: 'error'
    frontend: messages
    backend: backendMessages
  }
}

resource resourceLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (isStandard) {
  scope: service
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'GatewayLogs'
        enabled: true
      }
    ]
    metrics: [
      {
        category: 'AllMetrics'
        enabled: true
      }
    ]
  }
  dependsOn: [logged]
}
