// What wakes a person: rules over our own events and metrics, the app's 5xx, and a call to its readiness.
//
// Each rule's query is a file of ../queries/alerts, which a compiler checks (tests/infra). Each says what it means, what
// to do first, and where to read on: README.md has a heading for each, `alert-<name>`.
//
// Rules read events and not the platform's own lists of invocations, which Flex Consumption may leave incomplete. They
// are blind while the workspace's daily cap is reached (monitor.bicep): no rule tells of that.

@description('Region of the rules: that of the workspace.')
param location string
@description('Tags.')
param tags object
@description('What names end with, such as contactsync-prod.')
@minLength(1)
param name string
@description('The Log Analytics workspace.')
param workspaceId string
@description('The Application Insights component, which the readiness test belongs to.')
param applicationInsightsId string
@description('The function app.')
param functionAppId string
@description('Who is written to. Azure mails a code to a new address, to be entered in the portal within 30 minutes.')
param alertEmail string
@description('''
Where alerts are turned into messages, which name tenants by id. "global" would mean anywhere in the world; in the EU there
are these two (Azure documentation: action groups, regional processing).
''')
@allowed([
  'germanywestcentral'
  'swedencentral'
])
param actionGroupLocation string = 'swedencentral'
@description('What answers 200 if the service is ready, through the gateway, such as https://contacts.example/api/health/ready. Empty: no test.')
param readinessUrl string = ''

@description('How many runs may fail in an hour before one is told. 0: a run that fails as a whole serves nobody.')
@minValue(0)
param failedRuns int = 0
@description('''
How many of 100 mailboxes that a run asks may fail. Single ones always do: mailboxes on their way, users who just left.
''')
@minValue(1)
@maxValue(100)
param failedMailboxesPercent int = 10
@description('The mailboxes a run has to ask before its percentage counts: 1 of 5 is no sign of anything.')
@minValue(1)
param minimumMailboxes int = 20
@description('''
How many requests Graph may throttle in a quarter of an hour, three times in an hour. A healthy run meets none; single
ones are obeyed and cost nothing.
''')
@minValue(0)
param throttledRequests int = 50
@description('''
How many seconds a message may be due before it is taken. A run's messages come due 100 a second, so even 10,000
mailboxes spread over two minutes; half an hour means that workers are missing or stuck.
''')
@minValue(60)
param queueAgeSeconds int = 1800
@description('''
How many 5xx the app may answer in a quarter of an hour. An instance that is replaced costs a few; callers repeat them.
''')
@minValue(0)
param faults int = 10

var readme = 'infra/README.md'

var rules = [
  {
    name: 'run-failed'
    title: 'Contact Sync: a run failed'
    description: 'A run ended as failed: no mailbox of it was synced. First: open the workbook, tab Runs, and choose the run; its reason says what to do and whether it is the customer or us. ${readme}#alert-run-failed'
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/run-failed.kql')
    aggregation: 'Count'
    measure: null
    dimensions: []
    threshold: failedRuns
    periods: 1
    failing: 1
  }
  {
    name: 'mailbox-failures'
    title: 'Contact Sync: many mailboxes of a run failed'
    description: 'More of a run\'s mailboxes failed than is usual. First: open the workbook, tab Mailboxes, and look at the reasons; many access_denied mean consent or scope, many gave_up mean Exchange or us. ${readme}#alert-mailbox-failures'
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
    query: replace(loadTextContent('../queries/alerts/mailbox-failures.kql'), '{minimumMailboxes}', string(minimumMailboxes))
    aggregation: 'Maximum'
    measure: 'FailedPercent'
    dimensions: []
    threshold: failedMailboxesPercent
    periods: 1
    failing: 1
  }
  {
    name: 'message-poisoned'
    title: 'Contact Sync: a message was given up'
    description: 'A message failed in all its tries, so a mailbox, a run or a tenant\'s leaving was not done. First: open the workbook, tab Health, and read the exceptions at that time; this is our defect or an outage of Azure. ${readme}#alert-message-poisoned'
    severity: 1
    frequency: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/message-poisoned.kql')
    aggregation: 'Count'
    measure: null
    dimensions: [
      'Queue'
    ]
    threshold: 0
    periods: 1
    failing: 1
  }
  {
    name: 'consent-lost'
    title: 'Contact Sync: a tenant lost its consent'
    description: 'A customer\'s tenant is disconnected: its admin took the consent back, or a permission of it. Its runs rest and no contact is removed. First: ask the customer whether it is meant; granting it again is one click in the portal. ${readme}#alert-consent-lost'
    severity: 3
    frequency: 'PT15M'
    // A day, so that the alert stands until the consent is back; after a day it ends either way.
    window: 'P1D'
    query: loadTextContent('../queries/alerts/consent-lost.kql')
    aggregation: 'Count'
    measure: null
    dimensions: [
      'Tenant'
    ]
    threshold: 0
    periods: 1
    failing: 1
  }
  {
    name: 'graph-throttled'
    title: 'Contact Sync: Graph throttles us'
    description: 'Microsoft Graph has throttled us for most of an hour. Work goes on, but slowly. First: open the workbook, tab Graph, and see which limit is near and which tenants are hit. ${readme}#alert-graph-throttled'
    severity: 2
    frequency: 'PT15M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/graph-throttled.kql')
    aggregation: 'Total'
    measure: 'Throttled'
    dimensions: []
    threshold: throttledRequests
    // Three of four quarters of an hour: one burst is none of a person's business.
    periods: 4
    failing: 3
  }
  {
    name: 'no-run'
    title: 'Contact Sync: no run in 26 hours'
    description: 'The daily timer has not fired in 26 hours, or runs were queued and none has ended. A service without customers is not meant: its timer fires all the same. First: see whether the function app runs at all and whether logs arrive. It may fire in the first hour after the first deployment. ${readme}#alert-no-run'
    severity: 1
    frequency: 'PT1H'
    // 26 hours is no size that a window may have; the query counts them by itself.
    window: 'P2D'
    query: loadTextContent('../queries/alerts/no-run.kql')
    aggregation: 'Count'
    measure: null
    dimensions: []
    threshold: 0
    periods: 1
    failing: 1
  }
  {
    name: 'queue-age'
    title: 'Contact Sync: messages wait too long'
    description: 'Messages of a queue are due for long before a worker takes them: too few instances, or stuck ones. First: open the workbook, tab Health, and the function app\'s count of instances. ${readme}#alert-queue-age'
    severity: 2
    frequency: 'PT5M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/queue-age.kql')
    aggregation: 'Maximum'
    measure: 'Seconds'
    dimensions: [
      'Queue'
    ]
    threshold: queueAgeSeconds
    periods: 1
    failing: 1
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: actionGroupLocation
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'ContactSync'
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: 'alert-${rule.name}-${name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: rule.description
    enabled: true
    severity: rule.severity
    scopes: [
      workspaceId
    ]
    evaluationFrequency: rule.frequency
    windowSize: rule.window
    // One message when trouble begins and one when it ends, and none in between however often the rule looks.
    autoMitigate: true
    // A new workspace has no table of events or metrics until the first one comes, and Azure would refuse the rule; the
    // queries are checked by tests/infra instead. Azure also disables a rule whose query fails for a week, and a service
    // without customers has no metrics for longer: so each query puts an empty table in place of one that is missing.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: rule.aggregation
          metricMeasureColumn: rule.measure
          dimensions: map(rule.dimensions, column => { name: column, operator: 'Include', values: ['*'] })
          operator: 'GreaterThan'
          threshold: rule.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: rule.periods
            minFailingPeriodsToAlert: rule.failing
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        people.id
      ]
    }
  }
}]

resource appFaults 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-app-faults-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The app answers calls or pages with 5xx. First: open Application Insights, Failures; problems that clients are told have a trace id to look for. ${readme}#alert-app-faults'
    severity: 1
    enabled: true
    scopes: [
      functionAppId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'faults'
          metricNamespace: 'Microsoft.Web/sites'
          metricName: 'Http5xx'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: faults
        }
      ]
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

resource readiness 'Microsoft.Insights/webtests@2022-06-15' = if (!empty(readinessUrl)) {
  name: 'ready-${name}'
  location: location
  // The portal and the alert find the component of a test by this tag.
  tags: union(tags, { 'hidden-link:${applicationInsightsId}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: 'ready-${name}'
    Name: 'Contact Sync: ready'
    Description: 'Whether the service is ready, asked from outside through the gateway.'
    Kind: 'standard'
    Enabled: true
    // Each call is billed, so few: every ten minutes from two places of the EU.
    Frequency: 600
    Timeout: 60
    RetryEnabled: true
    Locations: [
      {
        Id: 'emea-nl-ams-azr'
      }
      {
        Id: 'emea-gb-db3-azr'
      }
    ]
    Request: {
      RequestUrl: readinessUrl
      HttpVerb: 'GET'
      FollowRedirects: false
      ParseDependentRequests: false
    }
    ValidationRules: {
      ExpectedHttpStatusCode: 200
      SSLCheck: true
      SSLCertRemainingLifetimeCheck: 14
    }
  }
}

resource notReady 'Microsoft.Insights/metricAlerts@2018-03-01' = if (!empty(readinessUrl)) {
  name: 'alert-not-ready-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The service is not ready, as seen from two places: gateway, app, storage, vault or Entra ID\'s keys. First: call the address of the test; with an operator\'s token it says which part. ${readme}#alert-not-ready'
    severity: 1
    enabled: true
    scopes: [
      readiness.id
      applicationInsightsId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.WebtestLocationAvailabilityCriteria'
      webTestId: readiness.id
      componentId: applicationInsightsId
      failedLocationCount: 2
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

@description('Whom alerts are sent to, for a budget to use too.')
output actionGroupId string = people.id
