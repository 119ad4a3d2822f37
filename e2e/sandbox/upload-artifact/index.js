// Keeps an artifact in a directory, refusing what actions/upload-artifact v7 refuses. See action.yml.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');

const KNOWN = ['name', 'path', 'if-no-files-found', 'retention-days', 'compression-level', 'overwrite', 'include-hidden-files', 'archive'];
// What e2e/sandbox/up exports for the product: in the environment, but nobody's `with:`.
const SANDBOX = ['SSH_CIDR', 'NODE_IMAGE', 'REGISTRY_MIRRORS', 'IMAGE'];
const FORBIDDEN = { '"': 'double quote', ':': 'colon', '<': 'less than', '>': 'greater than', '|': 'vertical bar', '*': 'asterisk', '?': 'question mark', '\r': 'carriage return', '\n': 'line feed' };

class Refused extends Error {}

function input(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] || '').trim();
}

function flag(name) {
  const value = input(name) || (name === 'archive' ? 'true' : 'false');
  if (!/^(true|True|TRUE|false|False|FALSE)$/.test(value)) throw new Refused(`${name} is ${value}: true or false`);
  return value.toLowerCase() === 'true';
}

function number(name, from, to) {
  const value = input(name);
  if (value === '') return undefined;
  if (!/^\d+$/.test(value) || Number(value) < from || Number(value) > to) throw new Refused(`${name} is ${value}: a number from ${from} to ${to}`);
  return Number(value);
}

function allow(text, what, more = '') {
  for (const character of Object.keys(FORBIDDEN).concat([...more])) {
    if (text.includes(character)) throw new Refused(`${what} holds a ${FORBIDDEN[character] || character}, which artifacts may not: ${JSON.stringify(text)}`);
  }
}

function inputs() {
  const unknown = Object.keys(process.env)
    .filter((key) => key.startsWith('INPUT_'))
    .map((key) => key.slice('INPUT_'.length))
    .filter((key) => !KNOWN.includes(key.toLowerCase()) && !SANDBOX.includes(key));
  if (unknown.length) throw new Refused(`no such input: ${unknown.join(', ').toLowerCase()}`);
  const given = {
    name: input('name') || 'artifact',
    path: input('path'),
    ifNone: input('if-no-files-found') || 'warn',
    retention: number('retention-days', 1, 90),
    compression: number('compression-level', 0, 9),
    overwrite: flag('overwrite'),
    hidden: flag('include-hidden-files'),
    archive: flag('archive'),
  };
  if (!given.path) throw new Refused('path is required and not given');
  if (!['warn', 'error', 'ignore'].includes(given.ifNone)) throw new Refused(`if-no-files-found is ${given.ifNone}: warn, error or ignore`);
  allow(given.name, 'the name', '\\/');
  return given;
}

// `*` and `?` stay within a path's part, `**` does not.
function matcher(pattern) {
  const source = pattern.replace(/\*\*\/?|[*?]|[.+^${}()|\\]/g, (found) => {
    if (found === '**/') return '(?:.*/)?';
    if (found === '**') return '.*';
    return found === '*' ? '[^/]*' : found === '?' ? '[^/]' : `\\${found}`;
  });
  return new RegExp(`^${source}$`);
}

// The files that the lines name, and the directory that their names in the artifact start from.
function find(lines, hidden) {
  const patterns = lines.split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#')).map((line) => {
    const excluded = line.startsWith('!');
    const whole = path.resolve(excluded ? line.slice(1).trim() : line);
    const parts = whole.split('/');
    const first = parts.findIndex((part) => /[*?[]/.test(part));
    return { excluded, regex: matcher(whole), root: (first < 0 ? parts : parts.slice(0, first)).join('/') || '/' };
  });
  const taken = new Set();
  const visit = (pattern, item, below) => {
    if (!fs.existsSync(item) || (!hidden && path.basename(item).startsWith('.'))) return;
    const matched = below || pattern.regex.test(item);
    if (fs.statSync(item).isDirectory()) {
      for (const name of fs.readdirSync(item)) visit(pattern, path.join(item, name), matched);
    } else if (matched) {
      if (pattern.excluded) taken.delete(item);
      else taken.add(item);
    }
  };
  for (const pattern of patterns) visit(pattern, pattern.root, false);
  const roots = patterns.filter((pattern) => !pattern.excluded).map((pattern) => pattern.root);
  const files = [...taken].sort();
  let root = roots[0];
  for (const other of roots.slice(1)) while (other !== root && !other.startsWith(root === '/' ? '/' : `${root}/`)) root = path.dirname(root);
  if (files.length === 1 && files[0] === root) root = path.dirname(root);
  return { files, root };
}

function keep(given, { files, root }) {
  const shelf = process.env.SANDBOX_ARTIFACTS || path.join(process.env.RUNNER_TEMP || '/tmp', 'artifacts');
  if (!given.archive && files.length > 1) throw new Refused(`archive: false takes a single file, and there are ${files.length}`);
  const name = given.archive ? given.name : path.basename(files[0]);
  const names = files.map((file) => path.relative(root, file));
  names.forEach((one) => allow(one, 'the path'));
  const place = path.join(shelf, name);
  if (fs.existsSync(place)) {
    if (!given.overwrite) throw new Refused(`an artifact ${name} is there already (409), and overwrite is false`);
    fs.rmSync(place, { recursive: true });
  }
  const digest = crypto.createHash('sha256');
  files.forEach((file, index) => {
    const copy = path.join(place, names[index]);
    fs.mkdirSync(path.dirname(copy), { recursive: true });
    fs.copyFileSync(file, copy);
    digest.update(names[index]).update(fs.readFileSync(file));
  });
  const id = fs.readdirSync(shelf).length;
  fs.appendFileSync(process.env.GITHUB_OUTPUT || '/dev/null', `artifact-id=${id}\nartifact-url=file://${place}\nartifact-digest=${digest.digest('hex')}\n`);
  console.log(`Artifact ${name}: ${files.length} files in ${place}, for ${given.retention || 'the default'} days`);
}

function main() {
  const given = inputs();
  const found = find(given.path, given.hidden);
  if (found.files.length) return keep(given, found);
  const nothing = `No files were found with the provided path: ${given.path.replace(/\n/g, ' ')}. No artifacts will be uploaded.`;
  if (given.ifNone === 'error') throw new Refused(nothing);
  console.log(given.ifNone === 'warn' ? `::warning::${nothing}` : nothing);
}

try {
  main();
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.log(`::error::${error.message}`);
  process.exitCode = 1;
}
