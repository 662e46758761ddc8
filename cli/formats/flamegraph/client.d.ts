/** The script and the style of the page, which scripts/flamegraph-client.ts bundles. */
declare module 'virtual:flamegraph-client' {
  const client: { readonly script: string; readonly style: string };
  export default client;
}
