// What Azurite loads first, to start and to answer with less CPU. Its answers stay the same.
'use strict';
const Module = require('node:module');

// SQL databases and telemetry take more than half of a start, and nothing here uses them: both load late.
const LATE = new Set(['./SqlBlobServer', 'applicationinsights']);
const { _load: load } = Module;
Module._load = function (request, ...more) {
  if (!LATE.has(request)) return load.call(this, request, ...more);
  return new Proxy({}, { get: (_, name) => name === '__esModule' || load.call(this, request, ...more)[name] });
};

// By itself it looks at every row of the partition for each row that is read or written, and at every row
// of the table for each query. Both indexes used here are its own, and what they find is compared again.
const loki = require('lokijs');
const queries = 'azurite/dist/src/table/persistence';
const generator = require(`./node_modules/${queries}/LokiTableStoreQueryGenerator.js`).default;
const parse = require(`./node_modules/${queries}/QueryInterpreter/QueryParser.js`).default;

const { findOne } = loki.Collection.prototype;
loki.Collection.prototype.findOne = function (query) {
  const { PartitionKey: partition, RowKey: row, ...more } = query ?? {};
  if (typeof partition !== 'string' || typeof row !== 'string' || Object.keys(more).length) {
    return findOne.call(this, query);
  }
  const [values, [first, last]] = [['PartitionKey', partition], ['RowKey', row]]
    .map(([name, key]) => [this.binaryIndices[name].values, this.calculateRange('$eq', name, key)])
    .reduce((a, b) => (b[1][1] - b[1][0] < a[1][1] - a[1][0] ? b : a));
  for (let at = first; at <= last; at++) {
    const found = this.data[values[at]];
    if (found.PartitionKey === partition && found.RowKey === row) return found;
  }
  return null;
};

// The partition that a query asks for with `PartitionKey eq`, by itself or with more conditions.
function partitionOf(node) {
  if (node.name === 'and') return partitionOf(node.left) ?? partitionOf(node.right);
  const named = node.name === 'eq' && node.left.name === 'id' && node.left.identifier === 'PartitionKey';
  return named && node.right.name === 'constant' && typeof node.right.value === 'string' ? node.right.value : undefined;
}

const { generateQueryEntityWhereFunction: generate } = generator;
generator.generateQueryEntityWhereFunction = (query) => {
  const where = generate.call(generator, query);
  where.partition = query ? partitionOf(parse(query)) : undefined;
  return where;
};

const { where: filter } = loki.Resultset.prototype;
loki.Resultset.prototype.where = function (wanted) {
  if (wanted.partition !== undefined && !this.filterInitialized) this.find({ PartitionKey: wanted.partition });
  return filter.call(this, wanted);
};
