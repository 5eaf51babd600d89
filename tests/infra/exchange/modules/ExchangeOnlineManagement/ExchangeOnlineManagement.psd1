@{
    ModuleVersion     = '3.7.2'
    GUID              = 'b1f6f2a0-0000-4000-8000-000000000001'
    RootModule        = 'ExchangeOnlineManagement.psm1'
    FunctionsToExport = '*'
}
