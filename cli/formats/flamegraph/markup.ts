/** The elements that the script of the page fills. */
export const APP = `<div id="app" hidden>
<div class="bar controls" role="toolbar" aria-label="Search and view">
<input id="search" type="search" placeholder="Search: regex or text" aria-label="Search functions" spellcheck="false" autocomplete="off">
<output id="matched" for="search" aria-live="polite"></output>
<span class="spring"></span>
<button type="button" id="reset">Reset zoom</button>
<button type="button" id="icicle" aria-pressed="false" title="Show callers at the top (i)">Icicle</button>
<button type="button" id="theme">Dark</button>
<button type="button" id="keys" aria-label="Keys" title="Keys (?)">?</button>
</div>
<div class="bar controls" role="group" aria-label="Frames and stacks">
<label>Group by <select id="group"><option value="none">nothing</option><option value="thread">thread</option><option value="process">process</option><option value="kind">reason</option></select></label>
<label>Order <select id="order"><option value="time">by time</option><option value="name">by name</option></select></label>
<label id="width-label">Width <select id="width"><option value="after">after</option><option value="before">before</option></select></label>
<label><input id="user" type="checkbox" checked> user frames</label>
<label><input id="kernel" type="checkbox" checked> kernel frames</label>
<label><input id="idle" type="checkbox" checked> idle waits</label>
<span id="hidden" role="status"></span>
</div>
<div class="bar" id="legend" role="group" aria-label="Reasons"></div>
<main>
<div id="picture">
<div id="graph" role="application" tabindex="0" aria-label="Flame graph" aria-describedby="keys-text"><div id="sheet"><canvas id="canvas"></canvas></div></div>
<p id="selected" role="status" aria-live="polite">Click a frame to zoom in, or press ? for the keys.</p>
</div>
<aside class="controls" aria-label="Functions">
<table><caption>Functions</caption><thead><tr><th scope="col"><button type="button" class="number" id="by-self">Self</button></th><th scope="col"><button type="button" class="number" id="by-total">Total</button></th><th scope="col"><button type="button" id="by-function">Function</button></th></tr></thead><tbody id="functions"></tbody></table>
<p id="functions-left"></p>
</aside>
</main>
<div id="tooltip" role="tooltip" hidden></div>
<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2>
<dl id="keys-text">
<dt><kbd>↑</kbd> <kbd>↓</kbd></dt><dd>go to the largest callee, or to the caller</dd>
<dt><kbd>←</kbd> <kbd>→</kbd></dt><dd>go to the neighbouring frame</dd>
<dt><kbd>Enter</kbd></dt><dd>zoom in to the selected frame</dd>
<dt><kbd>Esc</kbd></dt><dd>zoom out; then clear the search</dd>
<dt><kbd>/</kbd></dt><dd>search</dd>
<dt><kbd>i</kbd></dt><dd>switch between icicle and flame graph</dd>
<dt><kbd>?</kbd></dt><dd>show this list</dd>
</dl>
<form method="dialog"><p><button>Close</button></p></form></dialog>
</div>
<p id="failure" role="alert" hidden></p>`;

/** Escapes text for HTML content and attribute values. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
