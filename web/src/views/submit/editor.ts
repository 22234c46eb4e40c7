/**
 * The editor of a workflow's YAML. It lives in a shadow root: there CodeMirror's style sheets are objects and no elements, so the page's policy (CSP) need not
 * allow inline styles. Tab leaves it, as in any other field; Ctrl-] and Ctrl-[ move lines in and out.
 */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import type { Finding } from "../../api/types";
import { completing } from "./completion";
import { placeAt } from "./place";
import { describeAt, type Schema } from "./schema";

export interface Editor {
  replace(text: string): void;
  mark(findings: readonly Finding[]): void;
  /** Put the cursor into a line, from 1, and show it. */
  go(line: number): void;
  end(): void;
}

interface Wishes {
  readonly text: string;
  readonly label: string;
  readonly schema: Schema;
  readonly onChange: (text: string) => void;
  readonly onSubmit: () => void;
}

export function edit(host: HTMLElement, { text, label, schema, onChange, onSubmit }: Wishes): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const submit = () => {
    onSubmit();
    return true;
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        lintGutter(),
        history(),
        drawSelection(),
        indentOnInput(),
        indentUnit.of("  "),
        closeBrackets(),
        highlightActiveLine(),
        yaml(),
        syntaxHighlighting(LOOK),
        autocompletion({ override: [completing(schema)], icons: false }),
        hoverTooltip((shown, at) => described(shown, at, schema)),
        keymap.of([
          { key: "Mod-Enter", run: submit },
          ...closeBracketsKeymap,
          ...completionKeymap,
          ...lintKeymap,
          ...historyKeymap,
          ...defaultKeymap,
        ]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          "aria-label": label,
          spellcheck: "false",
          autocapitalize: "off",
          tabindex: "0",
        }),
        EditorView.updateListener.of((update) => update.docChanged && onChange(update.state.doc.toString())),
        THEME,
      ],
    }),
  });
  return {
    replace: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    mark: (findings) =>
      view.dispatch(
        setDiagnostics(
          view.state,
          findings.map((finding) => diagnosticOf(view.state, finding)),
        ),
      ),
    go: (number) => {
      const line = view.state.doc.line(Math.max(1, Math.min(number, view.state.doc.lines)));
      view.dispatch({
        selection: { anchor: line.from + /^\s*/.exec(line.text)![0].length },
        effects: EditorView.scrollIntoView(line.from, { y: "center" }),
      });
      view.focus();
    },
    end: () => view.destroy(),
  };
}

function diagnosticOf(state: EditorState, { line, path, message, severity }: Finding): Diagnostic {
  const found = state.doc.line(Math.max(1, Math.min(line || 1, state.doc.lines)));
  const indent = /^\s*/.exec(found.text)![0].length;
  return {
    from: found.from + Math.min(indent, found.length),
    to: found.to,
    severity,
    message: path ? `${path}: ${message}` : message,
  };
}

/** What the schema says of the field under the pointer. */
function described(view: EditorView, at: number, schema: Schema) {
  const word = view.state.wordAt(at);
  if (!word) return null;
  const text = view.state.doc.toString();
  const { path, what } = placeAt(text, word.to);
  const words =
    what === "key" ? describeAt(schema, [...path, text.slice(word.from, word.to)]) : describeAt(schema, path);
  if (!words) return null;
  return {
    pos: word.from,
    end: word.to,
    create: () => {
      const dom = document.createElement("div");
      dom.className = "mlwf-words";
      dom.textContent = words;
      return { dom };
    },
  };
}

const LOOK = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--link)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--warn)" },
  { tag: [tags.comment, tags.meta], color: "var(--text-3)" },
  { tag: [tags.punctuation, tags.separator, tags.brace, tags.squareBracket], color: "var(--text-2)" },
]);

const THEME = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--surface)", fontSize: "var(--text-s)" },
  "&.cm-focused": { outline: "none" }, // its frame shows it: the line numbers would lie over an outline in here
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--text)", padding: "var(--space-3) 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--sunk)", color: "var(--text-3)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--hover) 55%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "var(--chosen)",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--line)",
    borderRadius: "var(--radius)",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px", lineHeight: "1.5" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--chosen)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--text-3)", fontStyle: "normal", marginLeft: "1em" },
  ".cm-completionInfo, .mlwf-words": {
    fontFamily: "var(--font)",
    fontSize: "var(--text-s)",
    maxWidth: "26rem",
    padding: "var(--space-2) var(--space-3)",
  },
  ".cm-diagnostic": {
    fontFamily: "var(--font)",
    fontSize: "var(--text-s)",
    padding: "var(--space-2) var(--space-3)",
    borderLeft: "4px solid var(--bad-mark)",
  },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn-mark)" },
});
