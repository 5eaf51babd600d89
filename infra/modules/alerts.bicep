// Alert rules: over our own events and metrics, the host's records of calls, and a test of the service's readiness.
//
// Each rule's query is a file in ../queries/alerts, which a compiler checks (tests/infra). Each description says what
// happened, what to do first, and where to read more: README.md has a heading `alert-<name>` for each rule.
//
// Rules read events instead of the platform's own list of invocations, which may be incomplete on Flex Consumption. While
// the workspace's daily cap is reached (monitor.bicep) they see nothing but that: daily-cap reports it.
//
// A rule sends one message for each combination of its dimensions and none while its condition holds, so a rule about
// tenants has the tenant as a dimension: otherwise the first tenant would hide those that fail after it. Logs arrive
// minutes late, so each rule looks back at least twice as far as it runs often.

@description('Region of the rules: the same as the workspace.')
param location string
@description('Tags for all resources.')
param tags object
@description('End of the resource names, such as contactsync-prod.')
@minLength(1)
param name string
@description('The Log Analytics workspace.')
param workspaceId string
@description('The Application Insights component that the readiness test belongs to.')
param applicationInsightsId string
@description('Name of that component.')
@minLength(1)
param applicationInsightsName string
@description('Name of the rules\' identity. Without one they would run with the rights of whoever edited them last.')
@minLength(3)
@maxLength(128)
param identityName string
@description('Email address of the alerts. Azure sends a code to a new address; enter it in the Azure portal within 30 minutes.')
param alertEmail string
@description('''
The region that processes the alerts, which name tenants by id. "global" would allow any region of the world; these two are
the ones in the EU (Azure documentation: action groups, regional processing).
''')
@allowed([
  'germanywestcentral'
  'swedencentral'
])
param actionGroupLocation string
@description('The readiness URL as seen from outside, such as https://contacts.example/api/health/ready. It returns 200 if the service is ready.')
param readinessUrl string
@description('From how many places of the EU to test it. Each call is billed.')
@minValue(1)
@maxValue(2)
param testLocations int = 2

@description('Whether only the service\'s own tenant uses it: rules that it does not need are left out, because each is billed.')
param singleTenant bool = false

@description('How many runs of a tenant may fail in an hour without an alert. 0, because a failed run synced no mailbox.')
@minValue(0)
param failedRuns int = 0
@description('''
How many percent of the mailboxes that a run tries may fail. A few always do: mailboxes being moved, users who just left.
''')
@minValue(1)
@maxValue(100)
param failedMailboxesPercent int = 10
@description('How many mailboxes an import, or all smaller ones together, must have tried before a percentage counts: 1 failure of 5 means little.')
@minValue(1)
param minimumMailboxes int = 20
@description('''
How many requests Graph may throttle in a quarter of an hour before that quarter counts; three such quarters in an hour
raise the alert. A healthy run is never throttled. The app waits after single ones, which does no harm.
''')
@minValue(0)
param throttledRequests int = 50
@description('''
How many seconds a message may wait after it is due. A run's messages become due at 100 a second, so even 10,000
mailboxes spread over two minutes; a wait of half an hour means that workers are missing or stuck.
''')
@minValue(60)
param queueAgeSeconds int = 1800
@description('''
How many 5xx the app may return in half an hour. Replacing an instance causes a few; callers retry them.
''')
@minValue(0)
param faults int = 10

var readme = 'infra/README.md'
// Azure's names of Amsterdam and Dublin.
var places = [
  {
    Id: 'emea-nl-ams-azr'
  }
  {
    Id: 'emea-gb-db3-azr'
  }
]

var rules = [
  {
    name: 'run-failed'
    title: 'Contact Sync: runs failed'
    description: 'Runs failed for a reason of ours, or for one reason in several tenants: none of their mailboxes was synced. First: open the workbook, tab Runs, and choose a run with the reason that the alert names. ${readme}#alert-run-failed'
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/run-failed.kql')
    aggregation: 'Total'
    measure: 'Runs'
    dimensions: [
      'Tenant'
      'Reason'
    ]
    threshold: failedRuns
    periods: 1
    failing: 1
  }
  {
    name: 'run-refused'
    title: 'Contact Sync: a run needs its tenant'
    description: 'A run failed for a reason that its tenant, or the publisher of its share, has to remove. The portal shows them the same reason. First: open the workbook, tab Runs, choose the run, and write to the customer if nobody acts. ${readme}#alert-run-refused'
    severity: 3
    frequency: 'PT1H'
    window: 'PT2H'
    query: loadTextContent('../queries/alerts/run-refused.kql')
    aggregation: 'Count'
    measure: null
    dimensions: [
      'Tenant'
      'Reason'
    ]
    threshold: failedRuns
    periods: 1
    failing: 1
  }
  {
    name: 'mailbox-failures'
    title: 'Contact Sync: many mailboxes failed'
    description: 'More mailboxes than usual failed in the last run of an import, or in all small imports together. First: open the workbook, tab Mailboxes, and look at the reasons. Many access_denied point to consent or scope, many gave_up to Exchange or our service. ${readme}#alert-mailbox-failures'
    severity: 2
    frequency: 'PT15M'
    // A day, because most imports run once a day. The alert ends with the next good run.
    window: 'P1D'
    query: replace(
      loadTextContent('../queries/alerts/mailbox-failures.kql'),
      '{minimumMailboxes}',
      string(minimumMailboxes)
    )
    aggregation: 'Maximum'
    measure: 'FailedPercent'
    dimensions: [
      'Tenant'
      'Import'
    ]
    threshold: failedMailboxesPercent
    periods: 1
    failing: 1
  }
  {
    name: 'message-poisoned'
    title: 'Contact Sync: a message failed in all tries'
    description: 'A message failed in all its tries, so a mailbox, a run or a tenant\'s leaving was not completed. First: open the workbook, tab Health, and read the exceptions at that time. The cause is a defect of ours or an outage of Azure. ${readme}#alert-message-poisoned'
    severity: 1
    frequency: 'PT15M'
    window: 'PT30M'
    query: loadTextContent('../queries/alerts/message-poisoned.kql')
    aggregation: 'Count'
    measure: null
    dimensions: [
      'Queue'
      'Tenant'
    ]
    threshold: 0
    periods: 1
    failing: 1
  }
  {
    name: 'consent-lost'
    title: 'Contact Sync: a tenant lost its consent'
    description: 'A customer\'s tenant is disconnected: its admin withdrew the consent or one of its permissions. Its imports are suspended, and no contact is removed. First: ask the customer whether this is intended. Granting consent again takes one click in the portal. ${readme}#alert-consent-lost'
    severity: 3
    frequency: 'PT15M'
    // A day, so that the alert stays active until the consent is back. After a day it ends either way.
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
    description: 'Microsoft Graph has throttled us for most of an hour. Work continues, but slowly. First: open the workbook, tab Graph, and see which limit is near and which tenants are affected. ${readme}#alert-graph-throttled'
    severity: 2
    frequency: 'PT15M'
    window: 'PT15M'
    query: loadTextContent('../queries/alerts/graph-throttled.kql')
    aggregation: 'Total'
    measure: 'Throttled'
    dimensions: []
    threshold: throttledRequests
    // Three of four quarters of an hour: nobody needs to act on a single burst.
    periods: 4
    failing: 3
  }
  {
    name: 'no-run'
    title: 'Contact Sync: runs get nothing done'
    description: 'The timer has not fired for two hours, or runs are open and no mailbox of them gets done. The timer also fires without customers. First: check whether the function app runs at all and whether logs arrive. This alert may fire in the first hour after the first deployment. ${readme}#alert-no-run'
    severity: 1
    frequency: 'PT15M'
    // Longer than the query looks back: a timer is silent as long as an outage lasts, and the alert must last as well.
    window: 'P2D'
    query: loadTextContent('../queries/alerts/no-run.kql')
    aggregation: 'Count'
    measure: null
    dimensions: [
      'Trouble'
      'Tenant'
    ]
    threshold: 0
    periods: 1
    failing: 1
  }
  {
    name: 'queue-age'
    title: 'Contact Sync: messages wait too long'
    description: 'Messages of a queue wait long after they are due: there are no or too few instances, or they are stuck. The timer measures it, so this also works while no worker takes messages. First: open the workbook, tab Health, and check the function app\'s instance count. ${readme}#alert-queue-age'
    severity: 2
    frequency: 'PT15M'
    // Two ticks: while no worker takes messages, only the timer speaks, every quarter of an hour.
    window: 'PT30M'
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
  {
    // Flex Consumption publishes no metric of responses, so this reads the host's records of calls.
    name: 'app-faults'
    title: 'Contact Sync: the app returns errors'
    description: 'The app returns 5xx for calls or pages. First: open Application Insights, Failures. Errors that clients see carry a trace id to search for. ${readme}#alert-app-faults'
    severity: 1
    frequency: 'PT15M'
    window: 'PT30M'
    query: loadTextContent('../queries/alerts/app-faults.kql')
    aggregation: 'Total'
    measure: 'Faults'
    dimensions: []
    threshold: faults
    periods: 1
    failing: 1
  }
  {
    name: 'timer-failed'
    title: 'Contact Sync: a timer failed'
    description: 'A timer ended with an error: the tick that starts runs, or the sweep of the night. It fires again at its next time. First: open the workbook, tab Health, and read the exceptions of the function that the alert names. ${readme}#alert-timer-failed'
    severity: 2
    frequency: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/timer-failed.kql')
    aggregation: 'Count'
    measure: null
    dimensions: [
      'Function'
    ]
    threshold: 0
    periods: 1
    failing: 1
  }
  {
    name: 'daily-cap'
    title: 'Contact Sync: the logs reached their daily cap'
    description: 'The workspace takes no more logs until its daily cap resets, so the other alerts see nothing. First: see in the workbook, tab Cost, which table grew, end its cause, and raise dailyLogCapGb. ${readme}#alert-daily-cap'
    severity: 1
    frequency: 'PT15M'
    window: 'PT1H'
    query: loadTextContent('../queries/alerts/daily-cap.kql')
    aggregation: 'Count'
    measure: null
    dimensions: []
    threshold: 0
    periods: 1
    failing: 1
  }
]

// A lost consent of the only tenant fails its next run, which run-refused tells, and one company does not come near
// Graph's limits for an app.
var ofManyTenants = [
  'consent-lost'
  'graph-throttled'
]

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

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

resource logRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in filter(rules, rule => !singleTenant || !contains(ofManyTenants, rule.name)): {
    name: 'alert-${rule.name}-${name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    identity: {
      type: 'UserAssigned'
      userAssignedIdentities: {
        '${identity.id}': {}
      }
    }
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
      // One message when the condition begins and one when it ends, and none in between however often the rule runs.
      autoMitigate: true
      // A new workspace has no table of events or metrics until the first one arrives, so Azure would reject the rule.
      // tests/infra checks the queries instead. Azure also disables a rule whose query fails for a week, and a service
      // without customers has no metrics for longer. So each query uses an empty table in place of a missing one.
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
  }
]

// Azure creates this rule with each Application Insights component, and with it an action group that any region may process.
// Under the same name it is ours: off, because the rules above look for the same, and with the group of the EU.
resource smartDetection 'Microsoft.AlertsManagement/smartDetectorAlertRules@2021-04-01' = {
  name: 'Failure Anomalies - ${applicationInsightsName}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Off: the rules of Contact Sync watch for failures.'
    state: 'Disabled'
    severity: 'Sev3'
    frequency: 'PT1M'
    detector: {
      id: 'FailureAnomaliesDetector'
    }
    scope: [
      applicationInsightsId
    ]
    actionGroups: {
      groupIds: [
        people.id
      ]
    }
  }
}

resource readiness 'Microsoft.Insights/webtests@2022-06-15' = {
  name: 'ready-${name}'
  location: location
  // The Azure portal and the alert find a test's component by this tag.
  tags: union(tags, { 'hidden-link:${applicationInsightsId}': 'Resource' })
  kind: 'standard'
  properties: {
    SyntheticMonitorId: 'ready-${name}'
    Name: 'Contact Sync: ready'
    Description: 'Tests from outside, through the gateway, whether the service is ready.'
    Kind: 'standard'
    Enabled: true
    // Each call is billed, so calls are few: every ten minutes from two places, or every quarter of an hour from one.
    Frequency: testLocations > 1 ? 600 : 900
    Timeout: 60
    RetryEnabled: true
    Locations: take(places, testLocations)
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

resource notReady 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'alert-not-ready-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: 'The service is not ready, as seen from every location of the test: gateway, app, storage, vault or Entra ID\'s keys. First: call the address of the test. With an operator\'s token it names the failing part. ${readme}#alert-not-ready'
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
      failedLocationCount: testLocations
    }
    actions: [
      {
        actionGroupId: people.id
      }
    ]
  }
}

@description('The action group that receives the alerts; a budget can use it as well.')
output actionGroupId string = people.id
