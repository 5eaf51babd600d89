@{
    ModuleVersion     = '2.30.0'
    GUID              = 'b1f6f2a0-0000-4000-8000-000000000003'
    RootModule        = 'Microsoft.Graph.Applications.psm1'
    FunctionsToExport = '*'
}
