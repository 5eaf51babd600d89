// What the gateway publishes: the API, the portal, the products through which they are called, and the
// policies of each. Part of gateway.bicep.
//
// What belongs to one API is written one after the other: the service answers 409 to a second writer of the same API.
targetScope = 'resourceGroup'

@description('Name of the service.')
@minLength(1)
@maxLength(50)
param serviceName string

@description('Whether the tier is Standard v2 rather than Consumption.')
param isStandard bool

@description('Client id of the gateway\'s identity.')
param identityClientId string

@description('Host name of the function app, such as func-contactsync-prod.azurewebsites.net.')
param functionAppHostName string

@description('Client id of the app registration in Entra ID: the audience of access tokens.')
param appClientId string

@description('Calls per minute of one subscription key and, in Standard v2, of one tenant.')
@minValue(10)
param callsPerMinute int

@description('Calls per week of one partner\'s subscription key.')
@minValue(1000)
param partnerCallsPerWeek int

// The values that policies read as {{name}}; none is a secret. Both tiers end a request after 30 seconds. Our timeout is
// shorter, so that clients get our own error.
var values = {
  'app-client-id': appClientId
  'gateway-client-id': identityClientId
  'entra-authority': 'https://${split(environment().authentication.loginEndpoint, '/')[2]}'
  'backend-timeout': '25'
  'calls-per-minute': string(callsPerMinute)
  'partner-calls-per-week': string(partnerCallsPerWeek)
}

var backends = {
  'contact-sync-api': 'https://${functionAppHostName}/api'
  'contact-sync-portal': 'https://${functionAppHostName}'
}

// The circuit breaker opens for all callers when the app is unreachable. It ignores 500 and 503, which
// the app itself returns for one operation, or for one tenant that Microsoft throttles.
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
resource namedValues 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = [
  for item in items(values): {
    parent: service
    name: item.key
    properties: {
      displayName: item.key
      value: item.value
      secret: false
    }
  }
]

@batchSize(1)
resource backend 'Microsoft.ApiManagement/service/backends@2024-05-01' = [
  for item in items(backends): {
    parent: service
    name: item.key
    properties: {
      title: item.key
      description: 'The function app, which accepts calls from this gateway only.'
      type: 'Single'
      protocol: 'http'
      url: item.value
      tls: {
        validateCertificateChain: true
        validateCertificateName: true
      }
      circuitBreaker: isStandard ? circuitBreaker : null
    }
  }
]

resource problem 'Microsoft.ApiManagement/service/policyFragments@2024-05-01' = {
  parent: service
  name: 'problem'
  properties: {
    description: 'Returns an error as problem+json (RFC 9457), in the same form as the app.'
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
    // Keep required query parameters in the query; by default they would become part of the path.
    translateRequiredQueryParameters: 'query'
    serviceUrl: 'https://${functionAppHostName}/api'
    // A call with a key uses the key's product, a call without one the open product `admins`. The access
    // token says who calls; the key only says whose limits apply (docs: api-management-subscriptions).
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
    description: 'Pages for browsers, at all paths except those of the API. They use their own sessions.'
    path: ''
    protocols: ['https']
    apiType: 'http'
    serviceUrl: 'https://${functionAppHostName}'
    subscriptionRequired: false
    isCurrent: true
  }
}

@batchSize(1)
resource portalPages 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [
  for method in ['GET', 'POST']: {
    parent: portal
    name: 'any-${toLower(method)}'
    properties: {
      displayName: '${method} any page'
      method: method
      urlTemplate: '/*'
    }
  }
]

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
  dependsOn: [namedValues, backend, problem, everyCall, portalStart]
}

resource admins 'Microsoft.ApiManagement/service/products@2024-05-01' = {
  parent: service
  name: 'admins'
  properties: {
    displayName: 'Admins'
    description: 'For admins and their scripts. No subscription key is needed: the access token says who calls, and the limits of the tenant apply.'
    subscriptionRequired: false
    state: 'published'
  }
}

resource partners 'Microsoft.ApiManagement/service/products@2024-05-01' = {
  parent: service
  name: 'partners'
  properties: {
    displayName: 'Partners'
    description: 'For partners\' automation. Each partner has a subscription key that an operator approves, with its own rate limit and weekly quota. Calls still need an access token.'
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
  // The policy that requires a token comes first, before calls without a key are allowed.
  dependsOn: [apiPolicy]
}

resource partnersApi 'Microsoft.ApiManagement/service/products/apis@2024-05-01' = {
  parent: partners
  name: api.name
  dependsOn: [partnersPolicy, adminsApi]
}
