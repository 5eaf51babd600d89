// Key Vault: keeps `session-key`, which seals the portal's cookies, and the app's certificate or secret where it has one
// (APP_CREDENTIAL). No secret is written from here: it would stand in the deployment's history. README.md has the commands.

@description('The data region.')
param location string
@description('Tags on everything.')
param tags object
@description('Name of the vault, which is global and stays taken for 90 days after it was deleted.')
@minLength(3)
@maxLength(24)
param name string
@description('Where its private endpoint is; empty: it is reached by the internet, by identities with a role alone.')
param endpointSubnetId string
@description('The private DNS zone of vaults; empty without a private network.')
param zoneId string
@description('Where diagnostics go.')
param workspaceId string
@description('Whether the vault has to be unlocked before it can be deleted.')
param locked bool

var private = !empty(endpointSubnetId)

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  // checkov:skip=CKV_AZURE_109: denied with the private network; without one, identities and roles hold.
  // checkov:skip=CKV_AZURE_189: public access ends with the private network; without one, identities and roles hold.
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // Nobody, not even an owner, can destroy a key for good before the 90 days are over.
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: private ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  scope: vault
  name: 'keep'
  properties: {
    level: 'CanNotDelete'
    notes: 'Without its keys every session ends, and an app with a certificate cannot act in any tenant.'
  }
}

module endpoint 'endpoint.bicep' = if (private) {
  params: {
    location: location
    tags: tags
    name: 'pep-${name}'
    subnetId: endpointSubnetId
    targetId: vault.id
    groupId: 'vault'
    zoneId: zoneId
  }
}

@description('Who read or changed which secret. Workers keep what they read for an hour, so it is little.')
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'to-workspace'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
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
}

output name string = vault.name
@description('As KEY_VAULT_URI takes it.')
output uri string = vault.properties.vaultUri
