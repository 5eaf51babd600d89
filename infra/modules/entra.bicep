// The application that other companies consent to, by the Graph extension of Bicep. Multi-tenant, without a secret: the
// function app's identity vouches for it. shared/adapters/entra/access_tokens.py reads the tokens, sign_in.py signs people in.
//
// It may be deployed by itself too, by whoever may make applications: README.md has the command.

extension microsoftGraphV1

@description('What Entra ID knows the application by; it cannot be changed.')
@minLength(1)
param uniqueName string
@description('Where browsers find the portal.')
param portalOrigin string
@description('The function app\'s identity, by object id.')
param identityPrincipalId string
@description('How people see it when they consent.')
param displayName string = 'Contact Sync'

// Microsoft Graph, as every tenant knows it, and what is asked of it. Ids: permissions-reference.
var graph = '00000003-0000-0000-c000-000000000000'
var permissions = [
  {
    // User.Read.All: people, and their photos.
    id: 'df021288-bdef-4463-88db-98f22de89214'
    type: 'Role'
  }
  {
    // GroupMember.Read.All: groups, and who is in them.
    id: '98830695-27a2-44f7-8c18-0c3ebc9698f6'
    type: 'Role'
  }
  {
    // OrgContact.Read.All: contacts that the directory keeps.
    id: 'e1a88a34-94c4-4418-be12-c87b00e26bea'
    type: 'Role'
  }
  {
    // Contacts.ReadWrite: our contacts in mailboxes. Exchange can open some mailboxes only (exchange-rbac.ps1).
    id: '6918b873-d17a-4dc1-b314-35f528134491'
    type: 'Role'
  }
  {
    // MailboxSettings.ReadWrite: the color of a category, alone.
    id: '6931bccd-447a-43d1-b442-00a195474933'
    type: 'Role'
  }
  {
    // openid and profile: signing in to the portal. Once an admin has consented, no other admin is asked.
    id: '37f7f235-527c-4136-accd-4a02d197296e'
    type: 'Scope'
  }
  {
    id: '14dad69e-099b-42c9-810b-d002981feec1'
    type: 'Scope'
  }
]

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  signInAudience: 'AzureADMultipleOrgs'
  // Directory roles as `wids`: by them the first admin of a tenant is let in (identity.py). No other claim is needed
  // beside those that tokens of version 2.0 always have.
  groupMembershipClaims: 'DirectoryRole'
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: [
      {
        // A person's program, with the rights that the person has.
        id: '5f0c2c55-7a0e-4c1c-9d0b-6b6f3e0f2a01'
        value: 'access_as_user'
        type: 'User'
        isEnabled: true
        adminConsentDisplayName: 'Use Contact Sync as you'
        adminConsentDescription: 'Lets a program call Contact Sync with the rights of the person who is signed in.'
        userConsentDisplayName: 'Use Contact Sync as you'
        userConsentDescription: 'Lets a program call Contact Sync with your rights.'
      }
    ]
  }
  // Ids are made up once, and stay: assignments in other tenants name them. All can be given to people, groups and apps.
  appRoles: [
    {
      id: '5f0c2c55-7a0e-4c1c-9d0b-6b6f3e0f2a11'
      value: 'Admin'
      displayName: 'Admin'
      description: 'Publishes shares, creates imports, books seats, and decides about held runs.'
      allowedMemberTypes: [
        'User'
        'Application'
      ]
      isEnabled: true
    }
    {
      id: '5f0c2c55-7a0e-4c1c-9d0b-6b6f3e0f2a12'
      value: 'Reader'
      displayName: 'Reader'
      description: 'Sees all, and changes nothing.'
      allowedMemberTypes: [
        'User'
        'Application'
      ]
      isEnabled: true
    }
    {
      id: '5f0c2c55-7a0e-4c1c-9d0b-6b6f3e0f2a13'
      value: 'Operator'
      displayName: 'Operator'
      description: 'Sets seats, plan and trial of tenants, and sees no contacts. Counts in the tenant of the service alone.'
      allowedMemberTypes: [
        'User'
        'Application'
      ]
      isEnabled: true
    }
  ]
  requiredResourceAccess: [
    {
      resourceAppId: graph
      resourceAccess: permissions
    }
  ]
  web: {
    homePageUrl: portalOrigin
    // shared/services/tenancy/joining.py: after signing in, after the consent, and after signing out.
    redirectUris: [
      '${portalOrigin}/signed-in'
      '${portalOrigin}/consented'
      '${portalOrigin}/'
    ]
    // The code flow with PKCE is all that is used.
    implicitGrantSettings: {
      enableAccessTokenIssuance: false
      enableIdTokenIssuance: false
    }
  }
  // In no tenant may somebody add a credential of their own to it.
  servicePrincipalLockConfiguration: {
    isEnabled: true
    allProperties: true
  }

  // In place of a secret: a token of the function app's identity is taken for the application's word. The name repeats
  // the application's, as the extension wants it.
  resource trust 'federatedIdentityCredentials@v1.0' = {
    name: '${application.uniqueName}/function-app'
    description: 'The function app of Contact Sync, by its managed identity.'
    issuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
    subject: identityPrincipalId
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

// The application at home: the gateway gets tokens for it, and operators are assigned to it. Nobody has to be assigned in
// order to sign in, since directory administrators may use it at once.
resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
  appRoleAssignmentRequired: false
}

// An application cannot name itself before it has an id, so its address is set in a second step.
module address 'entra-address.bicep' = {
  params: {
    uniqueName: application.uniqueName
    displayName: displayName
    clientId: application.appId
  }
}

output clientId string = application.appId
output principalId string = principal.id
