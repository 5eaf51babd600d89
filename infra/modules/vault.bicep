// Key Vault: holds `session-key`, which seals the portal's cookies, and the app's certificate or secret if it uses one
// (APP_CREDENTIAL). This module writes no secret, because the deployment history would show it. README.md has the commands.

@description('The data region.')
param location string
@description('Tags for all resources.')
param tags object
@description('Name of the vault. It is global and stays taken for 90 days after the vault is deleted.')
@minLength(3)
@maxLength(24)
param name string
@description('Whether the vault is reachable through the private network only. Otherwise also from the internet, for identities with a role.')
param private bool
@description('Subnet of the private endpoint. Empty without a private network.')
param endpointSubnetId string
@description('Whether to recover the vault that an earlier deployment of this name left behind: Azure keeps it for 90 days after it is deleted.')
param recover bool
@description('Private DNS zone of vaults. Empty without a private network.')
param zoneId string
@description('The Log Analytics workspace for diagnostics.')
param workspaceId string
@description('Whether a lock protects the vault from deletion.')
param locked bool

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  // checkov:skip=CKV_AZURE_109: denied with the private network; without one, identities and roles protect it.
  // checkov:skip=CKV_AZURE_189: public access ends with the private network; without one, identities and roles protect it.
  name: name
  location: location
  tags: tags
  properties: {
    createMode: recover ? 'recover' : 'default'
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // Not even an owner can permanently delete a secret before the 90 days are over.
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
    notes: 'Deleting the vault ends every session, and an app with a certificate could not act in any tenant.'
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

@description('Audit of who read or changed which secret. Workers cache what they read for an hour, so the log stays small.')
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
@description('The value of KEY_VAULT_URI.')
output uri string = vault.properties.vaultUri
