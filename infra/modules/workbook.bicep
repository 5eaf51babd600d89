// The workbook for admins in the Azure portal: runs, failing mailboxes, Graph's limits, cost, health.
//
// ../workbook.json is the workbook in the form that the Azure portal edits, except for two things that this module fills
// in: each query is the name of its file in ../queries, where a compiler checks it (tests/infra), and <workspace> and the
// like are placeholders for ids. Readers of the workbook need the role Monitoring Reader or Log Analytics Reader on the
// workspace.

@description('Region of the workbook: the same as the workspace.')
param location string
@description('Tags for all resources.')
param tags object
@description('Name of the workbook in the Azure portal.')
@minLength(1)
param name string
@description('The Log Analytics workspace that all queries read.')
param workspaceId string
@description('The Application Insights component that lists the workbook.')
param applicationInsightsId string
@description('The function app, for its billed units.')
param functionAppId string
@description('API Management, for its calls.')
param gatewayId string
@description('Address of the portal, such as https://contacts.example, without a slash at the end.')
param portalOrigin string
@description('Memory of an instance, used to estimate GB-seconds.')
param instanceMemoryMB int

var texts = {
  'contacts-over-time.kql': loadTextContent('../queries/contacts-over-time.kql')
  'cost-of-logs.kql': loadTextContent('../queries/cost-of-logs.kql')
  'cost-over-time.kql': loadTextContent('../queries/cost-over-time.kql')
  'cost-per-import.kql': loadTextContent('../queries/cost-per-import.kql')
  'costliest-mailboxes.kql': loadTextContent('../queries/costliest-mailboxes.kql')
  'exceptions.kql': loadTextContent('../queries/exceptions.kql')
  'failed-requests.kql': loadTextContent('../queries/failed-requests.kql')
  'failing-mailboxes.kql': loadTextContent('../queries/failing-mailboxes.kql')
  'gateway-errors.kql': loadTextContent('../queries/gateway-errors.kql')
  'given-back.kql': loadTextContent('../queries/given-back.kql')
  'graph-directory.kql': loadTextContent('../queries/graph-directory.kql')
  'graph-limits.kql': loadTextContent('../queries/graph-limits.kql')
  'graph-over-time.kql': loadTextContent('../queries/graph-over-time.kql')
  'graph-throttles.kql': loadTextContent('../queries/graph-throttles.kql')
  'imports-to-choose.kql': loadTextContent('../queries/imports-to-choose.kql')
  'imports.kql': loadTextContent('../queries/imports.kql')
  'mailbox-failures-over-time.kql': loadTextContent('../queries/mailbox-failures-over-time.kql')
  'overview-tiles.kql': loadTextContent('../queries/overview-tiles.kql')
  'poison-messages.kql': loadTextContent('../queries/poison-messages.kql')
  'queue-age.kql': loadTextContent('../queries/queue-age.kql')
  'reasons.kql': loadTextContent('../queries/reasons.kql')
  'run-mailboxes.kql': loadTextContent('../queries/run-mailboxes.kql')
  'run-outcomes.kql': loadTextContent('../queries/run-outcomes.kql')
  'run-timeline.kql': loadTextContent('../queries/run-timeline.kql')
  'runs-over-time.kql': loadTextContent('../queries/runs-over-time.kql')
  'runs-to-choose.kql': loadTextContent('../queries/runs-to-choose.kql')
  'runs.kql': loadTextContent('../queries/runs.kql')
  'slowest-mailboxes.kql': loadTextContent('../queries/slowest-mailboxes.kql')
  'tenants-to-choose.kql': loadTextContent('../queries/tenants-to-choose.kql')
  'tenants.kql': loadTextContent('../queries/tenants.kql')
  'timers.kql': loadTextContent('../queries/timers.kql')
  'trace.kql': loadTextContent('../queries/trace.kql')
}

// Azure refuses a value of more than 131,072 characters, so comments stay in the repository.
var bare = mapValues(texts, text => join(filter(split(text, '\n'), line => !startsWith(line, '//')), '\n'))

// Each text as a JSON string with its quotes: string() of a one-element list, without the brackets.
var lists = mapValues(bare, text => string([text]))
var quoted = mapValues(lists, list => substring(list, 1, max(length(list) - 2, 0)))

// string() writes JSON without spaces, so every piece except the first begins with a query's file name.
var pieces = split(string(loadJsonContent('../workbook.json')), '"query":"')
var tails = map(skip(pieces, 1), tail => '${quoted[split(tail, '"')[0]]}${substring(tail, indexOf(tail, '"') + 1)}')
var complete = '${pieces[0]}"query":${join(tails, '"query":')}'

var withWorkspace = replace(complete, '<workspace>', workspaceId)
var withComponent = replace(withWorkspace, '<component>', applicationInsightsId)
var withFunctionApp = replace(withComponent, '<functionApp>', functionAppId)
var withGateway = replace(withFunctionApp, '<gateway>', gatewayId)
var withPortal = replace(withGateway, '<portal>', portalOrigin)
var content = replace(withPortal, '<memoryMB>', string(instanceMemoryMB))

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'contact-sync-workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: name
    category: 'workbook'
    // The Azure portal compares it in lower case.
    sourceId: toLower(applicationInsightsId)
    version: 'Notebook/1.0'
    serializedData: content
  }
}

@description('The workbook.')
output workbookId string = workbook.id
