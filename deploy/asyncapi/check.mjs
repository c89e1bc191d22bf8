// Reads an AsyncAPI document with a parser that shares no code with us: node check.mjs FILE
import { Parser, fromFile } from '@asyncapi/parser';
const { document, diagnostics } = await fromFile(new Parser(), process.argv[2]).parse();
const bad = diagnostics.filter(d => d.severity === 0);
for (const d of bad) console.error(d.message, d.path.join('/'));
console.log(document ? `${document.channels().length} channels, ${document.messages().length} messages` : 'no document');
process.exit(bad.length || !document ? 1 : 0);
