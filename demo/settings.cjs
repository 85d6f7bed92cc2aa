// Node-RED settings of the demo: this machine only, nothing asked from the network.
module.exports = {
  uiHost: '127.0.0.1',
  uiPort: Number(process.env.PORT ?? 1880),
  flowFile: 'flows.json',
  flowFilePretty: true,
  credentialSecret: false,
  telemetry: { enabled: false },
  diagnostics: { enabled: false },
  editorTheme: { tours: false, projects: { enabled: false }, palette: { catalogues: [] } },
  externalModules: { autoInstall: false, palette: { allowInstall: false, allowUpdate: false } },
};
