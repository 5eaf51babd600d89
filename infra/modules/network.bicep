// The optional private network: a subnet for the app's instances, one through which the gateway reaches the app, one for
// the private endpoints, and the private DNS zones that resolve names to them.

@description('The data region.')
param location string
@description('Tags for all resources.')
param tags object
@description('End of the resource names, after the abbreviation of their kind.')
@minLength(2)
@maxLength(40)
param name string
@description('Address range of the network, at least a /22 for three /24 subnets. It matters only if you connect another network.')
param addressPrefix string = '10.40.0.0/22'

var zoneNames = [
  'privatelink.blob.${environment().suffixes.storage}'
  'privatelink.queue.${environment().suffixes.storage}'
  'privatelink.table.${environment().suffixes.storage}'
  'privatelink.vaultcore.azure.net'
  'privatelink.azurewebsites.net'
]

@description('''
The app's instances and the gateway have no public address of their own. They reach Graph and Entra ID through this one,
which a customer can name in a Conditional Access policy for workload identities.
''')
resource egressAddress 'Microsoft.Network/publicIPAddresses@2025-05-01' = {
  name: 'pip-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource egress 'Microsoft.Network/natGateways@2025-05-01' = {
  name: 'ng-${name}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: egressAddress.id
      }
    ]
  }
}

@description('Azure\'s default rules are enough: nothing comes in from the internet. API Management requires a security group.')
resource rules 'Microsoft.Network/networkSecurityGroups@2025-05-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'vnet-${name}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressPrefix
      ]
    }
    // Inline, because a redeployment of the network would remove and recreate separate subnet resources.
    subnets: [
      {
        // Each instance takes an address, and Azure reserves some for up to 40 apps: Microsoft recommends at least a /26.
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 0)
          defaultOutboundAccess: false
          natGateway: {
            id: egress.id
          }
          networkSecurityGroup: {
            id: rules.id
          }
          delegations: [
            {
              name: 'app'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'gateway'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 1)
          defaultOutboundAccess: false
          natGateway: {
            id: egress.id
          }
          networkSecurityGroup: {
            id: rules.id
          }
          delegations: [
            {
              name: 'gateway'
              properties: {
                serviceName: 'Microsoft.Web/serverFarms'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 2)
          defaultOutboundAccess: false
          privateEndpointNetworkPolicies: 'NetworkSecurityGroupEnabled'
          networkSecurityGroup: {
            id: rules.id
          }
        }
      }
    ]
  }

  resource appSubnet 'subnets' existing = {
    name: 'app'
  }

  resource gatewaySubnet 'subnets' existing = {
    name: 'gateway'
  }

  resource endpointSubnet 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zoneNames: {
    name: zone
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, i) in zoneNames: {
    parent: zones[i]
    name: 'vnet-${name}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

output appSubnetId string = network::appSubnet.id
output gatewaySubnetId string = network::gatewaySubnet.id
output endpointSubnetId string = network::endpointSubnet.id
@description('The DNS zones of blob, queue and table.')
output storageZoneIds array = [for i in range(0, 3): zones[i].id]
output vaultZoneId string = zones[3].id
output appZoneId string = zones[4].id
