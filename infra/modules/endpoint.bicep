// One private endpoint of one service, with its name in the private DNS zone.

@description('The data region.')
param location string
@description('Tags for all resources.')
param tags object
@description('Name of the endpoint.')
@minLength(2)
@maxLength(64)
param name string
@description('The subnet of the endpoint.')
param subnetId string
@description('The resource that the endpoint connects to.')
param targetId string
@description('Which service of the resource: blob, queue, table, vault or sites.')
param groupId string
@description('The private DNS zone that resolves the name to the endpoint.')
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: targetId
          groupIds: [
            groupId
          ]
        }
      }
    ]
  }
}

resource zone 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: groupId
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}
