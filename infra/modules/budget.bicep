// What the resource group may cost in a month. A budget only tells: it stops nothing. What stops are the caps on
// instances (functions.bicep) and on logs (monitor.bicep).

@description('Name of the budget.')
@minLength(1)
@maxLength(63)
param name string
@description('The amount, in the currency of the subscription.')
@minValue(1)
param amount int
@description('The first day of the month in which it begins; Azure refuses to change it.')
param startDate string
@description('Who is told.')
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
      // Foreseen while something can still be done about it, then as it happens.
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
