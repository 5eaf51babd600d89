// The application that other companies consent to, created with the Graph extension of Bicep. It is multi-tenant and has
// no secret: the function app's identity is its credential. shared/adapters/entra/access_tokens.py checks its tokens, and
// sign_in.py signs people in.
//
// Somebody who may create applications can deploy this module alone: README.md has the command.

extension microsoftGraphV1

@description('Unique name of the application in Entra ID. You cannot change it later.')
@minLength(1)
param uniqueName string
@description('Address of the portal in browsers.')
param portalOrigin string
@description('Object id of the function app\'s identity.')
param identityPrincipalId string
@description('Whether only people of this tenant can sign in and consent.')
param singleTenant bool = false
@description('Object id of a service principal that deploys: it can change the application later only as its owner. Empty: a person deploys.')
param owner string = ''
@description('Name of the application that people see when they consent.')
param displayName string = 'Contact Sync'

// Microsoft Graph's application id, and the permissions the app requests (ids: permissions-reference).
var graph = '00000003-0000-0000-c000-000000000000'
var permissions = [
  {
    // User.Read.All: people, and their photos.
    id: 'df021288-bdef-4463-88db-98f22de89214'
    type: 'Role'
  }
  {
    // GroupMember.Read.All: groups and their members.
    id: '98830695-27a2-44f7-8c18-0c3ebc9698f6'
    type: 'Role'
  }
  {
    // OrgContact.Read.All: the directory's organizational contacts.
    id: 'e1a88a34-94c4-4418-be12-c87b00e26bea'
    type: 'Role'
  }
  {
    // Contacts.ReadWrite: our contacts in mailboxes. exchange-rbac.ps1 can limit it to selected mailboxes.
    id: '6918b873-d17a-4dc1-b314-35f528134491'
    type: 'Role'
  }
  {
    // MailboxSettings.ReadWrite: the color of a category, nothing else.
    id: '6931bccd-447a-43d1-b442-00a195474933'
    type: 'Role'
  }
  {
    // openid and profile: sign-in to the portal. After one admin has consented, others are not asked again.
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
  signInAudience: singleTenant ? 'AzureADMyOrg' : 'AzureADMultipleOrgs'
  // Added to those that the application has; people who deploy become its owners without this.
  owners: { relationships: empty(owner) ? [] : [owner] }
  // Adds directory roles as `wids`, which admit the first admin of a tenant (identity.py). Beside these, the app
  // needs `auth_time` (below) and the claims that tokens of version 2.0 always contain.
  groupMembershipClaims: 'DirectoryRole'
  // When the person signed in: what cannot be undone needs a new sign-in (shared/domain/tenancy/sessions.py).
  optionalClaims: {
    idToken: [
      {
        name: 'auth_time'
      }
    ]
    accessToken: [
      {
        name: 'auth_time'
      }
    ]
  }
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: [
      {
        // For a program that acts with the rights of the signed-in person. Only admins can consent to it, and the tenant's
        // admins have to allow the program in Contact Sync as well.
        id: '5f0c2c55-7a0e-4c1c-9d0b-6b6f3e0f2a01'
        value: 'access_as_user'
        type: 'Admin'
        isEnabled: true
        adminConsentDisplayName: 'Use Contact Sync as you'
        adminConsentDescription: 'Allows a program to call Contact Sync with the rights of the signed-in user.'
      }
    ]
  }
  // These ids never change, because assignments in other tenants refer to them. Users, groups and apps can have any role.
  appRoles: [
    {
      id: '5f0c2c55-7a0e-4c1c-9d0b-6b6f3e0f2a11'
      value: 'Admin'
      displayName: 'Admin'
      description: 'Publishes shares, creates imports, books licenses, and approves or discards held runs.'
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
      description: 'Reads everything and changes nothing.'
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
      description: 'Sets licenses, plan and trial of tenants, and sees no contacts. Works only in the tenant of the service.'
      allowedMemberTypes: [
        'User'
        'Application'
      ]
      isEnabled: true
    }
    {
      id: '5f0c2c55-7a0e-4c1c-9d0b-6b6f3e0f2a14'
      value: 'Auditor'
      displayName: 'Auditor'
      description: 'Reads the audit log and nothing else. For a program that copies it into your own log system.'
      allowedMemberTypes: [
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
    // Where Entra ID redirects after sign-in, after consent and after sign-out (shared/services/tenancy/joining.py).
    redirectUris: [
      '${portalOrigin}/signed-in'
      '${portalOrigin}/consented'
      '${portalOrigin}/'
    ]
    // The app uses only the code flow with PKCE.
    implicitGrantSettings: {
      enableAccessTokenIssuance: false
      enableIdTokenIssuance: false
    }
  }
  // Nobody in any tenant may add a credential to it.
  servicePrincipalLockConfiguration: {
    isEnabled: true
    allProperties: true
  }
}

// The enterprise application in the service's own tenant: the gateway gets tokens for it, and operators are assigned to
// it. Signing in requires no assignment, because directory administrators may use the service at once.
resource principal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
  appRoleAssignmentRequired: false
  // Without it, the Entra admin center's default filter hides the application.
  tags: [
    'WindowsAzureActiveDirectoryIntegratedApp'
  ]
}

// What needs the application to exist comes in a second step.
module trust 'entra-trust.bicep' = {
  params: {
    uniqueName: application.uniqueName
    displayName: displayName
    clientId: application.appId
    identityPrincipalId: identityPrincipalId
  }
  dependsOn: [
    principal
  ]
}

output clientId string = application.appId
output principalId string = principal.id
