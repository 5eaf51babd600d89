// Which calls the gateway logs, where it logs them, and what it leaves out. Part of gateway.bicep.
targetScope = 'resourceGroup'

@description('Name of the service.')
@minLength(1)
@maxLength(50)
param serviceName string

@description('Whether the tier is Standard v2 rather than Consumption.')
param isStandard bool

@description('Client id of the gateway\'s identity.')
param identityClientId string

@description('The Application Insights component that records calls. roles.bicep lets this identity write to it.')
param applicationInsightsName string

@description('Log Analytics workspace for the resource logs that Standard v2 writes.')
param workspaceId string

@description('Percentage of successful calls that Application Insights records. It records all errors.')
@minValue(0)
@maxValue(100)
param sampledPercent int

// Bodies and query parameters are not logged: a query may contain an address or a sign-in code. The
// app's own id of a call is logged, so that you can find its logs.
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
    description: 'Application Insights, with the gateway\'s own identity.'
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
