// The one storage account: the tables of the tenants, the queues between the functions, and the blobs of the Functions
// host and of the deployed package. There are no account keys: each access uses an identity and its role.
//
// Restore. Deleted blobs and containers can be restored for 14 days. Azure has no soft delete for tables and queues:
// README.md says how to restore rows (from a tenant's export, or by recovering the deleted account while Azure keeps it).
// The lock protects the account from accidental deletion.

@description('The data region.')
param location string
@description('Tags for all resources.')
param tags object
@description('Name of the account. It is global.')
@minLength(3)
@maxLength(24)
param name string
@description('Whether the account is reachable through the private network only. Otherwise also from the internet, for identities with a role.')
param private bool
@description('Subnet of the private endpoints. Empty without a private network.')
param endpointSubnetId string
@description('Private DNS zones of blob, queue and table, in this order. Empty without a private network.')
param zoneIds array
@description('The Log Analytics workspace for diagnostics.')
param workspaceId string
@description('Whether to log each request.')
param accessLogs bool
@description('Whether a lock protects the account from deletion.')
param locked bool

var endpointServices = private ? ['blob', 'queue', 'table'] : []
// The queues of shared/domain/importing/messages.py. The app would create them on first use; until then the app is not ready, while the host waits without an error.
var queueNames = [
  'import-runs'
  'mailbox-checks'
  'mailbox-syncs'
  'run-closings'
  'tenant-checks'
  'tenant-leavings'
  'notices'
  'maintenance'
  'import-runs-poison'
  'mailbox-checks-poison'
  'mailbox-syncs-poison'
  'run-closings-poison'
  'tenant-checks-poison'
  'tenant-leavings-poison'
  'notices-poison'
  'maintenance-poison'
]
// The tables of shared/adapters and shared/services, listed so that one place shows everything that is stored.
var tableNames = [
  'Consumers'
  'HeldPlans'
  'Departures'
  'Idempotency'
  'Imports'
  'KeptOut'
  'Leases'
  'Ledger'
  'MailboxHeads'
  'MailboxContacts'
  'MissingMailboxes'
  'Notices'
  'Results'
  'Runs'
  'Seats'
  'ShareFacts'
  'ShareIndex'
  'Shares'
  'Snapshots'
  'TenantChecks'
  'Tenants'
]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  // checkov:skip=CKV_AZURE_43: the name is lower case letters and digits by the limits of its parameters.
  // checkov:skip=CKV_AZURE_206: zone-redundant, and not copied to another region: the data stays in the chosen one.
  // checkov:skip=CKV_AZURE_59: public access ends with the private network; without one, identities and roles protect it.
  // checkov:skip=CKV_AZURE_35: denied with the private network; without one Flex Consumption would be cut off.
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_ZRS'
  }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowedCopyScope: 'AAD'
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: private ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 14
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 14
    }
  }
}

resource deployments 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: 'deployments'
  properties: {
    publicAccess: 'None'
  }
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for item in queueNames: {
    parent: queues
    name: item
  }
]

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = [
  for item in tableNames: {
    parent: tables
    name: item
  }
]

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  scope: account
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'Tables and queues have no soft delete: deleting the account would lose all tenants\' settings.'
  }
}

module endpoint 'endpoint.bicep' = [
  for (service, i) in endpointServices: {
    params: {
      location: location
      tags: tags
      name: 'pep-${name}-${service}'
      subnetId: endpointSubnetId
      targetId: account.id
      groupId: service
      zoneId: zoneIds[i]
    }
  }
]

resource blobDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: accessLogs
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

resource queueDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: queues
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: accessLogs
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

resource tableDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: tables
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: accessLogs
      }
    ]
    metrics: [
      {
        category: 'Transaction'
        enabled: true
      }
    ]
  }
}

output deploymentContainer string = deployments.name
