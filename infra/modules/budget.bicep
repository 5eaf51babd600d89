// The monthly budget of the resource group. A budget only notifies; it stops nothing. The caps on instances
// (functions.bicep) and on logs (monitor.bicep) limit the cost.

@description('Name of the budget.')
@minLength(1)
@maxLength(63)
param name string
@description('The amount, in the currency of the subscription.')
@minValue(1)
param amount int
@description('First day of the month in which the budget begins. Azure does not allow changing it.')
param startDate string
@description('Email address of the notifications.')
param email string

resource budget 'Microsoft.Consumption/budgets@2023-11-01' = {
  name: name
  properties: {
    category: 'Cost'
    amount: amount
    timeGrain: 'Monthly'
    timePeriod: {
      startDate: startDate
    }
    notifications: {
      // The forecast comes while somebody can still act on it; the others come as the money is spent.
      foreseen: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Forecasted'
        contactEmails: [
          email
        ]
      }
      mostlySpent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 80
        thresholdType: 'Actual'
        contactEmails: [
          email
        ]
      }
      spent: {
        enabled: true
        operator: 'GreaterThan'
        threshold: 100
        thresholdType: 'Actual'
        contactEmails: [
          email
        ]
      }
    }
  }
}
