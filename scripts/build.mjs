// Joins each form with its bundled editor code and puts icons and texts where Node-RED looks for them.
// A form may take parts from files of their own: <!-- page <path below nodes> --> stands for such a file.
// The script is inlined as text/javascript because the public flow library parses exactly that.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { buildSync } from 'esbuild';

const out = 'dist/nodes';
mkdirSync(out, { recursive: true });
for (const form of readdirSync('nodes').filter((name) => name.endsWith('.html'))) {
  const name = form.slice(0, -'.html'.length);
  const bundle = buildSync({
    entryPoints: [`nodes/${name}.editor.ts`],
    bundle: true,
    format: 'iife',
    target: 'es2020',
    charset: 'utf8',
    write: false,
  });
  // A literal </script> inside the bundle would end the element.
  const code = bundle.outputFiles[0].text.replaceAll('</script', '<\\/script');
  const html = readFileSync(`nodes/${form}`, 'utf8').replaceAll(
    /^( *)<!-- page (\S+) -->\n/gm,
    (_line, indent, page) => readFileSync(`nodes/${page}`, 'utf8').replaceAll(/^(?=.)/gm, indent),
  );
  writeFileSync(`${out}/${form}`, `${html}\n<script type="text/javascript">\n${code}</script>\n`);
}
for (const [from, to] of [
  ['icons', `${out}/icons`],
  ['nodes/locales', `${out}/locales`],
]) {
  if (existsSync(from)) cpSync(from, to, { recursive: true });
}
