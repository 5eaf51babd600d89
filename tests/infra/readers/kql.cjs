// Reads KQL with Microsoft's own compiler (Kusto.Language), all queries in one process.
//
// stdin: {"tables": {name: "(Column: type, ...)"}, "queries": {file: text}}
// stdout: {file: {"faults": [text], "columns": {name: type}, "names": [literal], "properties": [use],
//   "features": [text]}}
//   names       what a column called Name is compared with: the events and metrics a query asks for
//   properties  each use of Properties.x: its key, the conversion around it, and the names asked for
//               in the smallest pipe around it that asks for any
//   features    the kinds of operators and expressions, and the functions ("count()") that it uses
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const vm = require('node:vm');

// The package exports nothing: its two scripts put Kusto into the global object.
const folder = path.dirname(require.resolve('@kusto/language-service-next/package.json', { paths: [process.argv[2]] }));
for (const script of ['bridge.min.js', 'Kusto.Language.Bridge.min.js']) {
  vm.runInThisContext(fs.readFileSync(path.join(folder, script), 'utf8'), script);
}
const { Kusto, System } = globalThis;
const { Symbols, Syntax, KustoCode, GlobalState } = Kusto.Language;

const kind = (node) => System.Enum.toString(Syntax.SyntaxKind, node.Kind);
const text = (node) => node.toString().trim();
const isName = (node) => node != null && kind(node) === 'NameReference' && text(node) === 'Name';
const unquoted = (literal) => text(literal).slice(1, -1);

function* walk(node) {
  if (node == null) return;
  yield node;
  for (let i = 0; i < node.ChildCount; i += 1) yield* walk(node.GetChild(i));
}

function namesIn(root) {
  const found = new Set();
  for (const node of walk(root)) {
    const compared = ['EqualExpression', 'InExpression', 'EqualTildeExpression'].includes(kind(node));
    if (!compared || !isName(node.GetChild(0))) continue;
    for (const below of walk(node.GetChild(2))) {
      if (kind(below) === 'StringLiteralExpression') found.add(unquoted(below));
    }
  }
  return [...found];
}

function conversionAround(node) {
  for (let up = node.Parent; up != null; up = up.Parent) {
    if (kind(up) === 'FunctionCallExpression') return text(up.GetChild(0));
    if (!['SeparatedElement', 'List', 'ExpressionList'].includes(kind(up))) return '';
  }
  return '';
}

function namesAround(node) {
  for (let up = node.Parent; up != null; up = up.Parent) {
    if (kind(up) !== 'PipeExpression') continue;
    const names = namesIn(up);
    if (names.length > 0) return names;
  }
  return [];
}

function propertiesIn(root) {
  const uses = [];
  for (const node of walk(root)) {
    if (kind(node) === 'PathExpression' && text(node.GetChild(0)) === 'Properties') {
      uses.push({ key: text(node.GetChild(2)), conversion: conversionAround(node), names: namesAround(node) });
    }
    if (kind(node) === 'ElementExpression' && text(node.GetChild(0)) === 'Properties') {
      const key = text(node.GetChild(1)).replace(/^\[\s*['"]|['"]\s*\]$/g, '');
      uses.push({ key, conversion: conversionAround(node), names: namesAround(node) });
    }
  }
  return uses;
}

function featuresIn(root) {
  const found = new Set();
  for (const node of walk(root)) {
    if (kind(node) === 'FunctionCallExpression') found.add(`${text(node.GetChild(0))}()`);
    else if (/(Operator|Expression|Clause|Statement)$/.test(kind(node))) found.add(kind(node));
  }
  return [...found].sort();
}

function items(list) {
  return list == null ? [] : Array.from({ length: list.Count }, (_, i) => list.getItem(i));
}

const { tables, queries } = JSON.parse(fs.readFileSync(0, 'utf8'));
const declared = Object.entries(tables).map(([name, schema]) => new Symbols.TableSymbol.$ctor7(name, schema, null));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1('workspace', declared, false));

const answers = {};
for (const [file, query] of Object.entries(queries)) {
  const code = KustoCode.ParseAndAnalyze(query, globals);
  const faults = items(code.GetDiagnostics()).map((fault) => {
    const line = query.slice(0, fault.Start).split('\n').length;
    return `line ${line}: ${fault.Severity} ${fault.Code}: ${fault.Message}`;
  });
  const columns = items(code.ResultType && code.ResultType.Columns).map((column) => [column.Name, column.Type.Name]);
  answers[file] = {
    faults,
    columns: Object.fromEntries(columns),
    names: namesIn(code.Syntax),
    properties: propertiesIn(code.Syntax),
    features: featuresIn(code.Syntax),
  };
}
process.stdout.write(JSON.stringify(answers));
