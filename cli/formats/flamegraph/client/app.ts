import type { FlameProfile } from '../flame-profile.ts';
import { findPath, pathTo } from '../paths.ts';
import { type Search, searchFor } from '../search.ts';
import { buildTree, type View } from '../tree.ts';
import type { Tree } from '../tree-types.ts';

export interface State {
  readonly view: View;
  /** Nodes of the tree. */
  readonly zoom: number;
  readonly selected: number;
  readonly search: string;
  /** Whether the root is at the top. */
  readonly icicle: boolean;
  readonly dark: boolean;
}

/** What the parts of the page share. */
export interface App {
  readonly profile: FlameProfile;
  readonly state: State;
  readonly tree: Tree;
  readonly search: Search | undefined;
  /** Whether the search matches a frame of the profile. */
  readonly isMatch: (frame: number) => boolean;
  readonly update: (change: Partial<State>) => void;
  /** Calls back after every update, with what changed. */
  readonly listen: (listener: (change: Partial<State>) => void) => void;
}

export function createApp(profile: FlameProfile, dark: boolean): App {
  const listeners: ((change: Partial<State>) => void)[] = [];
  const view = firstView(profile);
  const state: State = { view, zoom: 0, selected: 0, search: '', icicle: false, dark };
  const app = {
    ...{ profile, state, tree: buildTree(profile, view) },
    search: undefined as Search | undefined,
    isMatch: (_frame: number) => false,
    listen: (listener: (change: Partial<State>) => void) => void listeners.push(listener),
    update: (change: Partial<State>) => {
      app.state = { ...app.state, ...change };
      if (change.view) rebuild(app);
      if (change.search !== undefined) searchAll(app, change.search);
      for (const listener of listeners) listener(change);
    },
  };
  return app;
}

/** In comparisons, frames keep their position when the width changes from before to after. */
function firstView({ stacks }: FlameProfile): View {
  const order = stacks.beforeNs ? 'name' : 'time';
  return {
    ...{ group: 'none', order, width: 'after', hidden: new Set<number>() },
    ...{ user: true, kernel: true, idle: true },
  };
}

type Changing = { -readonly [Key in keyof App]: App[Key] };

/** Keeps zoom and selection where the new tree still has those frames. */
function rebuild(app: Changing): void {
  const paths = [app.state.zoom, app.state.selected].map((node) => pathTo(app.tree, node));
  app.tree = buildTree(app.profile, app.state.view);
  const [zoom = 0, selected = 0] = paths.map((path) => findPath(app.tree, path));
  app.state = { ...app.state, zoom, selected };
}

function searchAll(app: Changing, text: string): void {
  const search = searchFor(text);
  const matching = search && app.profile.frames.map(({ name }) => search.matches(name));
  app.search = search;
  app.isMatch = (frame) => matching?.[frame] ?? false;
}
