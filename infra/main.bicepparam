using 'main.bicep'

// azd sets the first four itself. Set the others with `azd env set NAME value`, or in the environment of
// `az deployment sub create`. Parameters that are not set here keep the default of main.bicep.
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param deployerPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param deployerPrincipalType = readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'User')

param publisherEmail = readEnvironmentVariable('PUBLISHER_EMAIL', '')
param publisherName = readEnvironmentVariable('PUBLISHER_NAME', 'Contact Sync')
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')

param apiManagementSku = readEnvironmentVariable('API_MANAGEMENT_SKU', 'Consumption')
param portalOrigin = readEnvironmentVariable('CUSTOM_PORTAL_ORIGIN', '')
param portalCertificate = readEnvironmentVariable('PORTAL_CERTIFICATE', '')
param privateNetwork = bool(readEnvironmentVariable('PRIVATE_NETWORK', 'false'))
param zoneRedundant = bool(readEnvironmentVariable('ZONE_REDUNDANT', 'false'))
param maximumInstanceCount = int(readEnvironmentVariable('MAXIMUM_INSTANCE_COUNT', '0'))
param alwaysReadyHttp = int(readEnvironmentVariable('ALWAYS_READY_HTTP', '0'))

param createEntraApplication = bool(readEnvironmentVariable('CREATE_ENTRA_APPLICATION', 'true'))
param appClientId = readEnvironmentVariable('ENTRA_CLIENT_ID', '')
param singleTenant = bool(readEnvironmentVariable('SINGLE_TENANT', 'false'))
param appCredential = readEnvironmentVariable('APP_CREDENTIAL', 'managed-identity')

param securityContact = readEnvironmentVariable('SECURITY_CONTACT', '')
param securityExpires = readEnvironmentVariable('SECURITY_EXPIRES', '')
param supportContact = readEnvironmentVariable('SUPPORT_CONTACT', '')
param licensePrices = readEnvironmentVariable('LICENSE_PRICES', '')
param securityPolicy = readEnvironmentVariable('SECURITY_POLICY', '')

param monthlyBudget = int(readEnvironmentVariable('MONTHLY_BUDGET', '0'))
param budgetStart = readEnvironmentVariable('BUDGET_START', '')
param lockData = bool(readEnvironmentVariable('LOCK_DATA', 'true'))
param recoverDeleted = bool(readEnvironmentVariable('RECOVER_DELETED', 'false'))
param recoverGateway = bool(readEnvironmentVariable('RECOVER_GATEWAY', 'false'))
param detailedLogs = bool(readEnvironmentVariable('DETAILED_LOGS', 'false'))
