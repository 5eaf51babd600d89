// What the gateway publishes: the API, the portal, and the products by which they are called; and the
// policies of each. Part of gateway.bicep.
targetScope = 'resourceGroup'

@description('Name of the service.')
@minLength(1)
@maxLength(50)
param serviceName string

@description('Whether the tier is Standard v2, and not Consumption.')
param isStandard bool

@description('The gateway\'s identity, by client id.')
param identityClientId string

@description('Host name of the function app, such as func-contactsync-prod.azurewebsites.net.')
param functionAppHostName string

@description('Client id of the app\'s registration in Entra ID, which access tokens are for.')
param appClientId string

@description('Calls a minute of one subscription key and, in Standard v2, of one tenant.')
@minValue(10)
param callsPerMinute int

@description('Calls a week of one partner\'s subscription key.')
@minValue(1000)
param partnerCallsPerWeek int

// What policies read as {{name}}; none is a secret. Consumption ends a request after 30 seconds, App
// Service after 230: a timeout before that is answered in our own words.
var values = {
  'app-client-id': appClientId
  'gateway-client-id': identityClientId
  'entra-authority': 'https://${split(environment().authentication.loginEndpoint, '/')[2]}'
  'backend-timeout': isStandard ? '220' : '25'
  'calls-per-minute': string(callsPerMinute)
  'partner-calls-per-week': string(partnerCallsPerWeek)
}

var backends = {
  'contact-sync-api': 'https://${functionAppHostName}/api'
  'contact-sync-portal': 'https://${functionAppHostName}'
}

// Opens when the app is not there, for all callers alike. Not for 500 and 503: the app answers these
// itself, about one operation, or about one tenant that Microsoft throttles.
var circuitBreaker = {
  rules: [
    {
      name: 'app-is-away'
      failureCondition: {
        count: 10
        interval: 'PT1M'
        statusCodeRanges: [{ min: 502, max: 502 }, { min: 504, max: 504 }]
        errorReasons: ['Timeout', 'BackendConnectionFailure']
      }
      tripDuration: 'PT30S'
      acceptRetryAfter: false
    }
  ]
}

var tenantLimit = isStandard ? loadTextContent('../policies/tenant-limit.xml') : ''

resource service 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: serviceName
}

@batchSize(1)
resource namedValues 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = [for item in items(values): {
  parent: service
  name: item.key
  properties: {
    displayName: item.key
    value: item.value
    secret: false
  }
}]

@batchSize(1)
resource backend 'Microsoft.ApiManagement/service/backends@2024-05-01' = [for item in items(backends): {
  parent: service
  name: item.key
  properties: {
    title: item.key
    description: 'The function app, which takes calls from this gateway only.'
    type: 'Single'
    protocol: 'http'
    url: item.value
    tls: {
      validateCertificateChain: true
      validateCertificateName: true
    }
    circuitBreaker: isStandard ? circuitBreaker : null
  }
}]

resource problem 'Microsoft.ApiManagement/service/policyFragments@2024-05-01' = {
  parent: service
  name: 'problem'
  properties: {
    description: 'Answers a problem (RFC 9457) in the app\'s own shape.'
    format: 'xml'
    value: loadTextContent('../policies/problem.xml')
  }
}

resource everyCall 'Microsoft.ApiManagement/service/policies@2024-05-01' = {
  parent: service
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../policies/global.xml')
  }
  dependsOn: [namedValues, problem]
}

resource api 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'contact-sync'
  properties: {
    displayName: 'Contact Sync'
    path: 'api'
    protocols: ['https']
    apiType: 'http'
    format: 'openapi+json'
    value: string(loadJsonContent('../openapi.json'))
    // A required query parameter stays one; by default it would become a part of the path.
    translateRequiredQueryParameters: 'query'
    serviceUrl: 'https://${functionAppHostName}/api'
    // A call with a key runs under its product, one without under the open product `admins`: the
    // access token says who calls, the key only whose limits count (docs: api-management-subscriptions).
    subscriptionRequired: true
    subscriptionKeyParameterNames: {
      header: 'Ocp-Apim-Subscription-Key'
      query: 'subscription-key'
    }
    isCurrent: true
  }
}

resource apiPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: api
  name: 'policy'
  properties: {
    format: 'xml'
    value: replace(loadTextContent('../policies/api.xml'), '<!-- tenant-limit.xml -->', tenantLimit)
  }
  dependsOn: [namedValues, backend, problem, everyCall]
}

resource portal 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: service
  name: 'contact-sync-portal'
  properties: {
    displayName: 'Contact Sync portal'
    description: 'Pages for browsers, at all paths but those of the API; they have sessions of their own.'
    path: ''
    protocols: ['https']
    apiType: 'http'
    serviceUrl: 'https://${functionAppHostName}'
    subscriptionRequired: false
    isCurrent: true
  }
}

@batchSize(1)
resource portalPages 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [for method in ['GET', 'POST']: {
  parent: portal
  name: 'any-${toLower(method)}'
  properties: {
    displayName: '${method} any page'
    method: method
    urlTemplate: '/*'
  }
}]

resource portalStart 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = {
  parent: portal
  name: 'start'
  properties: {
    displayName: 'GET the start page'
    method: 'GET'
    urlTemplate: '/'
  }
  dependsOn: [portalPages]
}

resource portalPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: portal
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../policies/portal.xml')
  }
  dependsOn: [namedValues, backend, problem, everyCall]
}

resource admins 'Microsoft.ApiManagement/service/products@2024-05-01' = {
  parent: service
  name: 'admins'
  properties: {
    displayName: 'Admins'
    description: 'For admins and their own scripts: no subscription key, since the access token says who calls; the limits of their tenant count.'
    subscriptionRequired: false
    state: 'published'
  }
}

resource partners 'Microsoft.ApiManagement/service/products@2024-05-01' = {
  parent: service
  name: 'partners'
  properties: {
    displayName: 'Partners'
    description: 'For partners\' automation: a subscription key for each, approved by an operator, with a rate limit and a weekly quota of its own. The access token is needed all the same.'
    subscriptionRequired: true
    approvalRequired: true
    subscriptionsLimit: 2
    state: 'published'
  }
}

resource partnersPolicy 'Microsoft.ApiManagement/service/products/policies@2024-05-01' = {
  parent: partners
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../policies/product-partners.xml')
  }
  dependsOn: [namedValues]
}

resource adminsApi 'Microsoft.ApiManagement/service/products/apis@2024-05-01' = {
  parent: admins
  name: api.name
  // Before a call is let in without a key, its token is asked for.
  dependsOn: [apiPolicy]
}

resource partnersApi 'Microsoft.ApiManagement/service/products/apis@2024-05-01' = {
  parent: partners
  name: api.name
  dependsOn: [apiPolicy, partnersPolicy]
}
